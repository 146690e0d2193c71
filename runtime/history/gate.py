"""The gate into a history: what no keyframe may be, whoever records it.

`History.add` passes every keyframe through it, so that no other code has to be trusted; whoever records may ask before
and save the work. Rows that were kept before there was a gate are held against the same rules by
`runtime.history.verify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.errors import KeyframeRefusedError
from runtime.history.ranges import FOOTPRINT_M, keyframe_fault, position_fault, within
from runtime.history.rows import position_rows_of, row_of_numbers
from runtime.history.spatial_maps import PackedMap
from runtime.plain import PLAIN, is_plain
from runtime.values import ImageRGB, Keyframe, Pose, Position, ViewKind

MIN_COVERAGE = 0.9  # of a crop that a camera, or a map, must really have seen
MIN_SIDE_PX = 16  # real pixels across a keyframe's footprint: with fewer nothing of a place is left
_NO_CROP: ImageRGB = np.zeros((0, 0, 3), np.uint8)
UNIT_LENGTH = (0.4, 2.5)  # of an embedding that should be 1: rounded it never is so far off, damaged it mostly is


class Embedded(Protocol):
    """The part of an embedding that the gate looks at."""

    @property
    def vector(self) -> NDArray[np.float32]:
        """(D,) unit."""
        ...

    @property
    def map(self) -> NDArray[np.float32] | PackedMap | None:
        """(C, h, w) or None."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """What a keyframe was made from, which the resampled crop does not tell any more.

    ``fingerprint`` names the picture by its content, so that it is known again (empty: not to be looked for);
    ``coverage``: the share of the crop that was really seen; ``metres_per_pixel`` of the picture, on the ground.
    """

    fingerprint: str = ""
    coverage: float = 1.0
    metres_per_pixel: float | None = None


NO_ORIGIN = Origin()  # nothing is said of it


def check(keyframe: Keyframe, embeddings: Sequence[Embedded], origin: Origin) -> None:
    """Lets a keyframe pass.

    Raises:
        KeyframeRefusedError: something of it is not finite, out of range, of a useless ground resolution, not seen by
            a camera, or of one colour; its ``reason`` says which.
    """
    if reason := refusal(keyframe, origin) or embedding_fault(embeddings):
        raise KeyframeRefusedError(reason)


def check_cut(keyframe: Keyframe, embeddings: Sequence[Embedded], origin: Origin) -> None:
    """The same for a keyframe whose crop is a square of a picture: whoever cut it has asked `refusal` with the crop."""
    if reason := _refusal_but_for_crop(keyframe, origin) or embedding_fault(embeddings):
        raise KeyframeRefusedError(reason)


def refusal(keyframe: Keyframe, origin: Origin) -> str:
    """Why a keyframe may not enter a history, whatever its embeddings are; empty where it may."""
    return _refusal_but_for_crop(keyframe, origin) or picture_fault(keyframe.crop)


def _refusal_but_for_crop(keyframe: Keyframe, origin: Origin) -> str:
    faults = [position_fault(row) for row in position_rows_of(keyframe, 0)]
    return (
        keyframe_fault(row_of_numbers(keyframe))
        or next(filter(None, faults), "")
        or _seen_fault(keyframe.footprint_m, origin)
    )


def state_fault(pose: Pose, position: Position) -> str:
    """What of a pose and a position must not enter a history, whatever the camera shows; empty when nothing."""
    draft = Keyframe(0, "", ViewKind.DRONE, "", pose, position, position.point, 0.0, FOOTPRINT_M[0], _NO_CROP)
    return next(filter(None, map(position_fault, position_rows_of(draft, 0))), "") or keyframe_fault(
        row_of_numbers(draft)
    )


def picture_fault(crop: ImageRGB) -> str:
    """What is wrong with a crop; empty when nothing is."""
    if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8 or crop.shape[0] != crop.shape[1]:
        return f"its crop is no square of 8-bit RGB but {crop.shape} {crop.dtype}"
    if crop.shape[0] < MIN_SIDE_PX:
        return f"its crop has {crop.shape[0]} pixels on a side, less than {MIN_SIDE_PX}"
    return PLAIN if is_plain(crop) else ""


def embedding_fault(embeddings: Sequence[Embedded]) -> str:
    """What is wrong with the first wrong one of embeddings; empty when all are right."""
    for embedding in embeddings:
        if not within(float(np.linalg.norm(embedding.vector.astype(np.float64))), UNIT_LENGTH):
            return "its embedding is no unit vector"
        if isinstance(embedding.map, np.ndarray) and not np.isfinite(embedding.map).all():
            return "its embedding's map is not finite"
    return ""


def _seen_fault(footprint_m: float, origin: Origin) -> str:
    if not within(origin.coverage, (MIN_COVERAGE, 1.0 + 1e-6)):
        return f"only {origin.coverage:.0%} of it was seen"
    if origin.metres_per_pixel is None:
        return ""
    if not within(origin.metres_per_pixel, (0.0, footprint_m / MIN_SIDE_PX)):
        return (
            f"{origin.metres_per_pixel:.2g} m a pixel show its {footprint_m:.0f} m in less than {MIN_SIDE_PX} pixels"
        )
    return ""
