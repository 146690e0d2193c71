"""How long the daemon's stages take under a simulated clock: drawn from a seed, like an onboard computer's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np

T = TypeVar("T")

# Medians in milliseconds of a small onboard computer; the work itself is done at once, its result is known later.
_MEDIAN_MS = {"fix": 45.0, "record": 60.0, "guide": 0.4, "control": 400.0}
_SPREAD = 0.25  # of the logarithm: now and then a stage takes half as long again


class SimulatedStages:
    """Latencies that one seed repeats to the nanosecond."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 41])

    def run(self, stage: str, work: Callable[[], T]) -> tuple[T, int]:
        """(result, nanoseconds drawn for it).

        Raises:
            KeyError: a stage without a median.
        """
        median_ns = _MEDIAN_MS[stage] * 1e6
        return work(), int(median_ns * math.exp(_SPREAD * self._rng.standard_normal()))
