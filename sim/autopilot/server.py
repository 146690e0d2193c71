"""The built-in autopilot in real time, or faster, on TCP and UDP, for peers that are programs of their own."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import VehicleTruth
from sim.autopilot.endpoints import Address, Endpoint, open_endpoint

log = logging.getLogger(__name__)
PERIOD_S = 0.005  # of the loop, wall time
BEHIND_S = 0.5  # further behind than this, simulated time is let slip instead of caught up


class AutopilotServer:
    """Runs an autopilot in a thread of its own: simulated time passes ``speedup`` times as fast as the wall's.

    Opens its endpoints at once (UsageError where one cannot be); ``start`` and ``close``, or use as a context.
    ``addresses`` are those really opened, in order. Link numbers are given out in order of connection.
    """

    def __init__(self, autopilot: Autopilot, endpoints: Sequence[str], speedup: float = 1.0) -> None:
        self._autopilot, self._speedup = autopilot, speedup
        self.lock = threading.Lock()  # held while the autopilot is touched
        self.error: BaseException | None = None
        self._numbers = itertools.count()
        self._known: set[int] = set()  # links that have a peer
        self._endpoints: list[Endpoint] = []
        with ExitStack() as opened:
            for uri in endpoints:
                endpoint = open_endpoint(uri, self._new_link)
                opened.callback(endpoint.close)
                self._endpoints.append(endpoint)
            self._opened = opened.pop_all()
        self.addresses: list[Address] = [endpoint.address for endpoint in self._endpoints]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="autopilot", daemon=True)

    def _new_link(self) -> int:
        link = next(self._numbers)
        self._autopilot.transmit(link)  # what was said before anybody listened is gone
        return link

    def start(self) -> AutopilotServer:
        """Starts simulated time."""
        self._thread.start()
        return self

    @property
    def truth(self) -> VehicleTruth:
        """What really is, read safely."""
        with self.lock:
            return self._autopilot.truth

    @property
    def mode(self) -> str:
        """The flight mode's name, read safely."""
        with self.lock:
            return self._autopilot.mode

    @property
    def armed(self) -> bool:
        """Whether the motors turn, read safely."""
        with self.lock:
            return self._autopilot.armed

    def close(self) -> None:
        """Stops the thread and closes every socket; raises what had stopped the thread, if anything did."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._opened.close()
        if self.error is not None:
            raise self.error

    def __enter__(self) -> AutopilotServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._loop()
        except Exception as error:  # the thread's edge: kept for close()
            log.exception("the autopilot stopped")
            self.error = error

    def _loop(self) -> None:
        started_s, origin_ns = time.monotonic(), self._autopilot.t_ns
        while not self._stop.wait(PERIOD_S):
            target_ns = origin_ns + int((time.monotonic() - started_s) * self._speedup * 1e9)
            behind_ns = int(BEHIND_S * self._speedup * 1e9)
            if target_ns - self._autopilot.t_ns > behind_ns:  # this machine is too slow: slip
                origin_ns -= target_ns - self._autopilot.t_ns - behind_ns
                target_ns = self._autopilot.t_ns + behind_ns
            with self.lock:
                self._exchange(target_ns)

    def _exchange(self, target_ns: int) -> None:
        for endpoint in self._endpoints:
            for link, data in endpoint.read():
                self._autopilot.receive(data, link)
        links = {link for endpoint in self._endpoints for link in endpoint.links()}
        for left in self._known - links:
            self._autopilot.close_link(left)
        self._known = links
        self._autopilot.advance(target_ns)
        for endpoint in self._endpoints:
            for link in endpoint.links():
                data = self._autopilot.transmit(link)
                if data:
                    endpoint.write(link, data)
