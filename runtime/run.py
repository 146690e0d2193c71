"""The real-time loop: IO adapters in threads, bounded queues between, and the daemon in the one thread that decides.

The link is read to the end before every decision: a pilot's mode change that has arrived is never overtaken.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any, Protocol

from runtime.clock import Clock
from runtime.daemon import Daemon
from runtime.errors import HomingError, VehicleError
from runtime.events import Answer, ControlRequest, Event, FrameArrived, LinkData, Tick
from runtime.values import Frame

_LOG = logging.getLogger(__name__)
TICK_NS = 50_000_000  # 20 Hz: guidance and the vehicle's own timers
_POLL_S = 0.01  # between looks at the camera
_INBOX = 2000  # pieces: seconds of telemetry at any rate a link has


class FrameSource(Protocol):
    """A camera with a thread of its own."""

    dropped: int

    def poll(self) -> list[Frame]:
        """The frames since the last call."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


class Link(Protocol):
    """Bytes to and from the vehicle."""

    def read(self) -> bytes:
        """Waits a little for bytes; empty when none came."""
        ...

    def write(self, data: bytes) -> None:
        """Sends."""
        ...

    def close(self) -> None:
        """A blocked `read` returns or raises soon after."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the vehicle may take to answer at start, and how to name it when it does not."""

    answer_within_s: float
    uri: str


class Inbox:
    """One bounded queue for what threads bring; what does not fit is dropped and counted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: Queue[Event] = Queue(_INBOX)
        self.dropped = 0

    def link_data(self, data: bytes) -> None:
        """Bytes of the vehicle, stamped now."""
        self._put(LinkData(self._clock.now_ns(), data))

    def control(self, request: dict[str, Any], reply: Callable[[Answer], None]) -> None:
        """An operator's request."""
        if not self._put(ControlRequest(self._clock.now_ns(), request, reply)):
            reply({"schema": 1, "error": "the daemon is too busy to take a request."})

    def drain(self, wait_s: float = 0.0) -> list[Event]:
        """All that came, in order; waits for the first of it."""
        events: list[Event] = []
        try:
            events.append(self._queue.get(timeout=wait_s) if wait_s > 0 else self._queue.get_nowait())
            while True:
                events.append(self._queue.get_nowait())
        except Empty:
            return events

    def _put(self, event: Event) -> bool:
        try:
            self._queue.put_nowait(event)
        except Full:
            self.dropped += 1
            return False
        return True


class LinkReader:
    """The thread that reads the vehicle link."""

    def __init__(self, link: Link, inbox: Inbox) -> None:
        self._link = link
        self._inbox = inbox
        self._stop = threading.Event()
        self.error: HomingError | None = None
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, then the link."""
        self._stop.set()
        self._thread.join(timeout=2.0)
        self._link.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                data = self._link.read()
            except HomingError as error:
                self.error = error
                _LOG.error("%s", error)
                return
            if data:
                self._inbox.link_data(data)


class Loop:
    """Turns what the adapters bring into the daemon's events, until it is told to stop."""

    def __init__(
        self, daemon: Daemon, camera: FrameSource, link: Link, inbox: Inbox, clock: Clock, patience: Patience
    ) -> None:
        self._daemon = daemon
        self._camera = camera
        self._link = link
        self._inbox = inbox
        self._clock = clock
        self._patience = patience
        self._camera_dropped = 0
        self._answered = False

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``; then gives the vehicle back.

        Raises:
            VehicleError: no vehicle answered within the configured time of the start.
        """
        begun_ns = due_ns = self._clock.now_ns()
        try:
            while not stop.is_set():
                self._take(self._inbox.drain(_POLL_S))
                self._look()
                self._take(self._inbox.drain())
                now_ns = self._clock.now_ns()
                if now_ns >= due_ns:
                    self._step(Tick(now_ns))
                    due_ns = max(due_ns + TICK_NS, now_ns)
                    self._check_answered(now_ns - begun_ns)
        finally:
            self._link.write(self._daemon.close(self._clock.now_ns()))

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self._step(event)

    def _look(self) -> None:
        """Only the newest frame: an older one would tell where the aircraft was, later."""
        frames = self._camera.poll()
        if not frames:
            return
        lost = self._camera.dropped - self._camera_dropped + len(frames) - 1
        self._camera_dropped = self._camera.dropped
        self._step(FrameArrived(self._clock.now_ns(), frames[-1], lost))

    def _step(self, event: Event) -> None:
        out = self._daemon.step(event)
        if out:
            self._link.write(out)

    def _check_answered(self, elapsed_ns: int) -> None:
        self._answered = self._answered or self._daemon.rooms.vehicle.state.connected
        if not self._answered and elapsed_ns > self._patience.answer_within_s * 1e9:
            raise VehicleError(
                f"no vehicle answers at {self._patience.uri} within {self._patience.answer_within_s:g} s; "
                "check the wiring, the baud rate and that the autopilot speaks MAVLink 2 there."
            )
