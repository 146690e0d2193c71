"""How fast a scenario runs: as fast as it can, or at the pace of a clock with the vehicle on UDP to watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from sim.autopilot.autopilot import Autopilot
from sim.autopilot.endpoints import Endpoint, open_endpoint

WATCH_LINK = 2
WATCH_URI = "udpout:127.0.0.1:14550"  # where every ground station listens


class Pace(Protocol):
    """Told after each step of a flight."""

    def after_step(self, autopilot: Autopilot) -> None:
        """Wait, if it must be waited."""


class AsFastAsPossible:
    """Simulated time alone."""

    def after_step(self, autopilot: Autopilot) -> None:
        """Nothing to wait for."""


class RealTime:
    """Waits for the wall clock, and lets a ground station watch (and command, which a flight must bear)."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._autopilot: Autopilot | None = None
        self._begun_s, self._origin_ns = 0.0, 0

    def after_step(self, autopilot: Autopilot) -> None:
        """Exchange bytes with the ground station and sleep off what simulated time is ahead of the wall's."""
        if autopilot is not self._autopilot:  # another flight of the scenario: time starts anew
            self._autopilot = autopilot
            self._begun_s, self._origin_ns = time.monotonic(), autopilot.t_ns
        for _, data in self._endpoint.read():
            autopilot.receive(data, WATCH_LINK)
        self._endpoint.write(WATCH_LINK, autopilot.transmit(WATCH_LINK))
        ahead_s = (autopilot.t_ns - self._origin_ns) * 1e-9 - (time.monotonic() - self._begun_s)
        if ahead_s > 0:
            time.sleep(ahead_s)


@contextmanager
def pace_of(realtime: bool, say: Callable[[str], None]) -> Iterator[Pace]:
    """The pace that was asked for.

    Raises:
        UsageError: the port to watch on cannot be opened.
    """
    if not realtime:
        yield AsFastAsPossible()
        return
    endpoint = open_endpoint(WATCH_URI, lambda: WATCH_LINK)
    say(f"watch it with a ground station on UDP {endpoint.address[1]}")
    try:
        yield RealTime(endpoint)
    finally:
        endpoint.close()
