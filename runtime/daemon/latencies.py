"""How long things took, by name: the last samples of each, for p50 and p99."""

from __future__ import annotations

from collections import deque

import numpy as np

_KEPT = 2000  # samples by name: enough for a p99, a few minutes of flight


class Latencies:
    """The last samples of each name; older ones are forgotten."""

    def __init__(self) -> None:
        self._samples_ns: dict[str, deque[int]] = {}

    def add(self, name: str, elapsed_ns: int) -> None:
        """Adds a sample in nanoseconds."""
        self._samples_ns.setdefault(name, deque(maxlen=_KEPT)).append(elapsed_ns)

    def summary_ms(self) -> dict[str, dict[str, float]]:
        """{name: {"p50", "p99", "count"}} in milliseconds."""
        summary = {}
        for name, samples in self._samples_ns.items():
            p50, p99 = np.percentile(np.array(samples), [50, 99]) / 1e6
            summary[name] = {"p50": round(float(p50), 3), "p99": round(float(p99), 3), "count": len(samples)}
        return summary
