"""How long each stage of the work takes: measured on a drone, drawn from a model under a simulated clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

from runtime.clock import Clock

T = TypeVar("T")
_KEPT = 2000  # samples per stage: enough for a p99, a few minutes of flight


class Stages(Protocol):
    """Does a stage's work and says how long it took; the result counts as known only that much later."""

    def run(self, stage: str, work: Callable[[], T]) -> tuple[T, int]:
        """(result, nanoseconds)."""
        ...


class MeasuredStages:
    """Where real time passes by itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def run(self, stage: str, work: Callable[[], T]) -> tuple[T, int]:
        """(result, nanoseconds it really took)."""
        begun_ns = self._clock.now_ns()
        return work(), self._clock.now_ns() - begun_ns


class Latencies:
    """The last samples of every stage, for p50 and p99."""

    def __init__(self) -> None:
        self._samples_ns: dict[str, deque[int]] = {}

    def add(self, stage: str, elapsed_ns: int) -> None:
        """One more sample."""
        self._samples_ns.setdefault(stage, deque(maxlen=_KEPT)).append(elapsed_ns)

    def summary_ms(self) -> dict[str, dict[str, float]]:
        """{stage: {"p50", "p99", "count"}} in milliseconds."""
        summary = {}
        for stage, samples in self._samples_ns.items():
            p50, p99 = np.percentile(np.array(samples), [50, 99]) / 1e6
            summary[stage] = {"p50": round(float(p50), 3), "p99": round(float(p99), 3), "count": len(samples)}
        return summary
