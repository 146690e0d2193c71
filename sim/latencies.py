"""How long the daemon's jobs take under a simulated clock: drawn from a seed, like an onboard computer's."""

from __future__ import annotations

import math

import numpy as np

from runtime.events import JobKind

# Medians in milliseconds of a small onboard computer; a result is known when its latency has passed, not before.
_MEDIAN_MS = {JobKind.FIX: 45.0, JobKind.ODOMETRY: 15.0, JobKind.RECORD: 60.0, JobKind.LOCATE: 400.0}
_SPREAD = 0.25  # of the logarithm: now and then a job takes half as long again


class SimulatedLatencies:
    """Latencies that one seed repeats to the nanosecond."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 41])

    def draw_ns(self, kind: JobKind) -> int:
        """Nanoseconds that the next job of this kind takes."""
        return int(_MEDIAN_MS[kind] * 1e6 * math.exp(_SPREAD * self._rng.standard_normal()))
