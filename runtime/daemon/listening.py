"""The vehicle is listened to, and asked for its streams, while the daemon loads what takes a second."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.clock import Clock
from runtime.flightlog.inputs import Direction
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.first_requests import FirstRequests
from runtime.vehicle.link.link import WaitingLink

_LOG = logging.getLogger(__name__)
_POLL_S = 0.05
_LONGEST_NS = 10_000_000_000  # what comes later waits in the links' own queues, which are bounded


@dataclass(frozen=True, slots=True)
class Exchanged:
    """Bytes that were read from a link or written to it at ``t_ns``."""

    t_ns: int
    link: str
    data: bytes
    direction: Direction


class Listening:
    """A thread that alone reads the ``links`` (by name) until `end`, and keeps all that it heard and said."""

    def __init__(self, links: Mapping[str, WaitingLink], vehicle: VehicleConfig, clock: Clock) -> None:
        self._links = links
        self._requests = FirstRequests(vehicle)
        self._clock = clock
        self._exchanged: list[Exchanged] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="first requests", daemon=True)
        self._thread.start()

    def end(self) -> Sequence[Exchanged]:
        """Ends the thread, after which another may read the links; all that was exchanged, in its order."""
        self._ending.set()
        self._thread.join()
        return tuple(self._exchanged)

    def _run(self) -> None:
        first, begun_ns = next(iter(self._links.values())), self._clock.now_ns()
        try:
            while not self._ending.is_set() and self._clock.now_ns() - begun_ns < _LONGEST_NS:
                first.wait(_POLL_S)
                self._turn()
        except Exception as error:  # the thread's edge: the daemon asks for its streams itself
            _LOG.error("the first requests to the vehicle failed: %s", error, exc_info=error)

    def _turn(self) -> None:
        for name, link in self._links.items():
            heard = [Exchanged(t_ns, name, data, "in") for data, t_ns in link.read()]
            self._exchanged += heard  # before anything that may fail: the daemon hears all of it
            for one in heard:
                self._requests.receive(one.data, one.t_ns, name)
        t_ns = self._clock.now_ns()
        self._requests.tick(t_ns)
        for name, link in self._links.items():
            if data := self._requests.outgoing(name):
                link.write(data)
                self._exchanged.append(Exchanged(t_ns, name, data, "out"))
