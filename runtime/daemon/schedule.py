"""Things that become known later: in order of their instant, then of their making."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Schedule:
    """A heap of (instant, work); one seed gives one order."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[int], None]]] = []
        self._serial = count()

    def at(self, due_ns: int, work: Callable[[int], None]) -> None:
        """``work`` is called with ``due_ns`` by the first `run` that is not before it."""
        heapq.heappush(self._heap, (due_ns, next(self._serial), work))

    def run(self, t_ns: int) -> None:
        """Does all that is due."""
        while self._heap and self._heap[0][0] <= t_ns:
            due_ns, _, work = heapq.heappop(self._heap)
            work(due_ns)
