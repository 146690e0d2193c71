"""Time as the real drone has it; the simulator hands in its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

Now = Callable[[], int]  # monotonic nanoseconds


class Clock(Protocol):
    """Monotonic nanoseconds."""

    def now_ns(self) -> int:
        """The present instant."""
        ...


class MonotonicClock:
    """The system's monotonic clock: never the wall clock, which GPS and network time may set in flight."""

    def now_ns(self) -> int:
        """CLOCK_MONOTONIC."""
        return time.monotonic_ns()
