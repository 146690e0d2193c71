"""Pixels deeper than eight bits as eight bits: one stretch for all bands and all parts of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PERCENTILES = (2.0, 98.0)  # of the values: they become black and white, as viewers show such data
_SAMPLED = 1_000_000  # values that the percentiles are taken of; more change nothing that is seen
_AT_ONCE = 4_000_000  # values stretched at a time: 32 MB in double precision
_LEAST_LEVELS = 16  # of integers, from black to white: fewer are steps and noise, not a picture
_LARGEST = 1e150  # of a float that black or white can be: the difference of two is a number still
_LEAST_SHARE = 1e-3  # of the values' size, from black to white of floats: finer is their rounding


@dataclass(frozen=True, slots=True)
class Stretch:
    """What becomes 0 (``black``) and 255 (``white``); what lies beyond is clipped, what is no number is black."""

    black: float
    white: float

    def eight_bit(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Values of any shape and type as eight bits, in the same shape; uint8 stays as it is."""
        if values.dtype == np.uint8:
            return values
        flat = np.ascontiguousarray(values).reshape(-1)
        shown = np.empty(flat.shape, np.uint8)
        # Single precision holds 24 bits of a number, and half precision not even the largest of 16.
        kind = np.float32 if values.dtype.itemsize <= 2 else np.float64
        for start in range(0, flat.size, _AT_ONCE):
            part = np.clip(flat[start : start + _AT_ONCE].astype(kind), self.black, self.white)
            np.nan_to_num(part, copy=False, nan=self.black)
            shown[start : start + _AT_ONCE] = ((part - self.black) * (255.0 / (self.white - self.black))).round()
        return shown.reshape(values.shape)


def stretch_of(values: NDArray[Any]) -> Stretch:
    """The stretch of a picture from its values, or from a sample of them that is spread over all of it: from their
    2nd to their 98th percentile. Eight bits stay as they are; NaN and infinity do not count."""
    if values.dtype == np.uint8:
        return Stretch(0.0, 255.0)
    flat = values.reshape(-1)
    sample = flat[:: max(1, flat.size // _SAMPLED)]
    sample = np.clip(sample[np.isfinite(sample)].astype(np.float64), -_LARGEST, _LARGEST)
    if sample.size == 0:
        return Stretch(0.0, 1.0)
    black, white = (float(level) for level in np.percentile(sample, _PERCENTILES))
    if values.dtype.kind in "iub":
        least = float(min(_LEAST_LEVELS, _depth(values.dtype)))
    else:
        least = max(_LEAST_SHARE * max(abs(black), abs(white)), 1e-6)
    return Stretch(black, max(white, black + least))


def _depth(kind: np.dtype[Any]) -> int:
    """From an integer type's least to its greatest value; of truth values, 1."""
    return 1 if kind.kind == "b" else int(np.iinfo(kind).max) - int(np.iinfo(kind).min)


def eight_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture's values of any shape and type as eight bits, stretched from their 2nd to their 98th percentile; uint8
    stays as it is."""
    return stretch_of(values).eight_bit(values)
