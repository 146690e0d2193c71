"""The lines of a flight with a real autopilot: Homing's through our hands, and the pilot's own."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque

from runtime.clock import Clock, MonotonicClock
from runtime.errors import UsageError, VehicleError
from runtime.vehicle.link.link import MavlinkLink
from sim.autopilot.endpoints import open_endpoint
from sim.sitl.pilot import Pilot

_POLL_S = 0.002  # of the relay: what it adds to a round trip
_PORT_TRIES = 20  # a second apart: a simulator opens its ports some seconds after it was started


class Wires:
    """The autopilot's two ports, and the daemon's on ours; what passes is kept for the referee."""

    def __init__(self, endpoint: str, station: str, pilot: Pilot) -> None:
        """``endpoint`` and ``station``: the autopilot's ports, as `MavlinkLink.open` takes them.

        Raises:
            UsageError: one of them does not open.
        """
        clock = MonotonicClock()
        self._autopilot = _opened(endpoint, clock)
        self._radio = _opened(station, clock)
        numbers = itertools.count()
        self._companion = open_endpoint("tcpin:127.0.0.1:0", lambda: next(numbers))
        self._clock = clock
        self.pilot = pilot
        self.passed: deque[tuple[str, bytes, int]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wires", daemon=True)
        self._thread.start()

    @property
    def companion_uri(self) -> str:
        """Where `homing run` finds its vehicle."""
        return "tcp:{}:{}".format(*self._companion.address)

    def close(self) -> None:
        """Let all lines go."""
        self._stop.set()
        self._thread.join()
        for line in (self._autopilot, self._radio, self._companion):
            line.close()

    def _run(self) -> None:
        polled_ns = self._clock.now_ns()
        while not self._stop.is_set():
            self._autopilot.wait(_POLL_S)
            polled_ns = self._relay(polled_ns)
            for data, _ in self._radio.read():
                self.pilot.receive(data)
            self._radio.write(self.pilot.outgoing(self._clock.now_ns()))

    def _relay(self, polled_ns: int) -> int:
        """What the daemon has sent, then what it is told; gives the instant from which the next may have been sent.

        However long this thread was kept from its work, the referee must not be told that the daemon spoke later than
        it did, nor that it had heard what was still in our hands: what is sent is stamped with the earliest instant at
        which it can have been, what is heard with the one at which it was handed over.
        """
        now_ns = self._clock.now_ns()
        for _, data in self._companion.read():
            self.passed.append(("sent", data, polled_ns))
            self._autopilot.write(data)
        for data, _ in self._autopilot.read():
            links = self._companion.links()
            if links:
                self._companion.write(links[-1], data)
                self.passed.append(("heard", data, self._clock.now_ns()))
        return now_ns


def _opened(uri: str, clock: Clock) -> MavlinkLink:
    """ArduPilot's simulator opens its other ports once the first has a peer."""
    for tries in range(1, _PORT_TRIES + 1):
        try:
            return MavlinkLink.open(uri, clock)
        except VehicleError as error:
            if tries == _PORT_TRIES:
                raise UsageError(f"no autopilot answers at {uri} ({error}); start one, or give --launch.") from error
            time.sleep(1.0)
    raise AssertionError
