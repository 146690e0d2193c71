"""The ground that a memory has seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """N north-up squares of ground that are remembered: ``centres_deg`` (N, 2) float64 latitude and longitude of their
    centres in degrees, ``footprints_m`` (N,) float64 their sides."""

    centres_deg: NDArray[np.float64]
    footprints_m: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.footprints_m)
