"""The real-time loop: IO adapters in threads, bounded queues between, and the daemon in the one thread that decides.

The link is read to the end before every decision, and before the last word too: a pilot's mode change that has arrived
is never overtaken.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from runtime.clock import Clock
from runtime.daemon.daemon import Daemon
from runtime.daemon.inbox import Inbox
from runtime.daemon.listening import Exchanged
from runtime.daemon.status import snapshot
from runtime.errors import VehicleError
from runtime.events import (
    VEHICLE_LINK,
    ControlRequest,
    Event,
    FrameArrived,
    LinkBytes,
    LinkData,
    Tick,
)
from runtime.freshness import MODE
from runtime.service import ServiceManager
from runtime.values import Frame, Snapshot
from runtime.vehicle.link.link import WaitingLink
from runtime.vehicle.link.signed import unbelieved
from runtime.vehicle.telemetry.state import LinkCounters

TICK_NS = 50_000_000  # 20 Hz: guidance and the vehicle's own timers
SHOW_NS = 500_000_000  # between two snapshots for whoever watches: people see no more
_POLL_S = 0.01  # between two polls of the camera
_MAX_LAST_READS = 10  # of a link that never falls quiet, before the end
_LOG = logging.getLogger(__name__)


class FrameSource(Protocol):
    """A camera with a thread of its own."""

    dropped: int
    error: Exception | None  # why no frames come; None while they do

    def poll(self) -> list[Frame]:
        """The frames since the last call."""
        ...

    def counts(self) -> dict[str, int]:
        """What went wrong so far, by name."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the vehicle may take to answer at start, and how to name it when it does not."""

    answer_within_s: float
    uri: str


class Loop:
    """Turns what the adapters bring into the daemon's events, until it is told to stop."""

    def __init__(
        self,
        daemon: Daemon,
        camera: FrameSource,
        links: Mapping[str, WaitingLink],
        inbox: Inbox,
        clock: Clock,
        patience: Patience,
        counts: Callable[[], dict[str, int]] = dict,
        service: ServiceManager | None = None,
        show: Callable[[Snapshot], None] | None = None,
        before: Sequence[Exchanged] = (),
    ) -> None:
        """``links`` by name; the loop sleeps on the vehicle's. ``counts``: what went wrong where requests come from.
        ``service``: who starts the daemon again when it no longer makes progress; by default nobody. ``show`` is handed
        a snapshot twice a second, in the deciding thread: it must only put it down. ``before``: what was exchanged with
        the vehicle before this."""
        self._daemon = daemon
        self._camera = camera
        self._links = links
        self._link = links[VEHICLE_LINK]
        self._inbox = inbox
        self._clock = clock
        self._patience = patience
        self._counts = counts
        self._service = service or ServiceManager()
        self._show = show
        self._before = before
        self._show_due_ns = 0
        self._camera_dropped = 0
        self._answered = False

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` or an error; then gives the vehicle back.

        Raises:
            VehicleError: no vehicle answered within the configured time of the start.
        """
        failed_ns: int | None = None
        try:
            self._turn(stop)
        except BaseException:
            failed_ns = self._clock.now_ns()
            raise
        finally:
            self._say_last_words(failed_ns)
            self._inbox.close()
            self._service.stopping()

    def _turn(self, stop: threading.Event) -> None:
        self._catch_up()
        begun_ns = due_ns = self._clock.now_ns()
        while not stop.is_set():
            self._link.wait(_POLL_S)
            self._listen()
            self._take_posted()
            self._take_frames()
            now_ns = self._clock.now_ns()
            if now_ns >= due_ns:
                self._listen()
                tick = Tick(self._clock.now_ns())
                self._step(tick)
                self._be_seen(tick.t_ns)
                due_ns = max(due_ns + TICK_NS, now_ns)
                self._check_answered(now_ns - begun_ns)
                self._count()
                self._service.progressed(now_ns, ready=self._answered, status=self._daemon.headline())

    def _catch_up(self) -> None:
        """What came before the loop began is heard first, and what was said is only put into the log."""
        before, self._before = self._before, ()
        for one in before:
            if one.direction == "in":
                self._step(LinkData(one.t_ns, one.data, one.link))
            else:
                self._daemon.rooms.journal.link(one.link, one.data, one.t_ns, one.direction)

    def _be_seen(self, t_ns: int) -> None:
        """Puts a snapshot down for whoever watches; nothing in it may end the flight."""
        if self._show is None or t_ns < self._show_due_ns:
            return
        begun_ns, self._show_due_ns = self._clock.now_ns(), t_ns + SHOW_NS
        try:
            self._show(snapshot(self._daemon, t_ns))
        except Exception as error:
            self._daemon.failed("show", t_ns, error)
        self._daemon.latencies.add("show", self._clock.now_ns() - begun_ns)

    def _say_last_words(self, failed_ns: int | None) -> None:
        """Closes the daemon and sends its hold, if it has one, after a last look at the link.

        After an error at ``failed_ns`` what was known before it is not trusted: only a heartbeat that comes within the
        next moments, and still shows our mode, lets a hold go out. Where even this look fails, nothing is sent: a
        target of ours lies at most 5 s of flight ahead, and the vehicle stops there by itself.
        """
        try:
            heard_all = self._listen_to_the_end()
            if failed_ns is not None and self._daemon.rooms.guidance.granted:
                self._await_heartbeat(failed_ns)
            now_ns = self._clock.now_ns()
            words = self._daemon.close(now_ns, failed_ns if heard_all else now_ns)
        except Exception:  # the very end: it must not hide what ended the loop
            _LOG.exception("the daemon could not be closed; nothing was sent")
            return
        self._write(words)

    def _listen_to_the_end(self) -> bool:
        """Until nothing waits on any link; False if one never falls quiet."""
        for _ in range(_MAX_LAST_READS):
            self._listen()
            if not any(link.wait(0.0) for link in self._links.values()):
                return True
        return False

    def _await_heartbeat(self, since_ns: int) -> None:
        while self._clock.now_ns() - since_ns < MODE.ns:
            heard_ns = self._daemon.rooms.vehicle.state.heartbeat_t_ns
            if heard_ns is not None and heard_ns > since_ns:
                return
            self._link.wait(_POLL_S)
            self._listen()

    def _listen(self) -> None:
        for name, link in self._links.items():
            for data, t_ns in link.read():
                self._step(LinkData(t_ns, data, name))

    def _take_posted(self) -> None:
        """Every job that has ended, and after them one request; the link is read between any two."""
        while (event := self._inbox.next()) is not None:
            self._step(replace(event, t_ns=self._clock.now_ns()))
            if isinstance(event, ControlRequest):
                return
            self._listen()

    def _take_frames(self) -> None:
        """All that came, in their order: odometry measures from one to the next."""
        for frame in self._camera.poll():
            lost = self._camera.dropped - self._camera_dropped
            self._camera_dropped = self._camera.dropped
            self._step(FrameArrived(self._clock.now_ns(), frame, lost))

    def _step(self, event: Event) -> None:
        self._write(self._daemon.step(event))

    def _write(self, out: Sequence[LinkBytes]) -> None:
        for name, data in out:
            self._links[name].write(data)

    def _count(self) -> None:
        counts = self._daemon.counts
        lines: Counter[str] = Counter()
        for link in self._links.values():
            lines.update(link.counts())
        for name, number in {**self._camera.counts(), **lines, **self._counts()}.items():
            counts[name] = number
        counts["requests_refused"] = self._inbox.refused
        self._daemon.perception.camera_error = "" if self._camera.error is None else str(self._camera.error)

    def _check_answered(self, elapsed_ns: int) -> None:
        self._answered = self._answered or self._daemon.rooms.vehicle.state.connected
        if not self._answered and elapsed_ns > self._patience.answer_within_s * 1e9:
            refused = sum(unbelieved(link.counts()) for link in self._links.values())
            raise VehicleError(_silence(self._patience, self._daemon.rooms.vehicle.state.counters, refused))


def _silence(patience: Patience, heard: LinkCounters, refused: int) -> str:
    start = f"no vehicle answers at {patience.uri} within {patience.answer_within_s:g} s"
    if refused:
        return f"{start}, although {refused} packets without a right signature came; check the key of both ends."
    if heard.packets:
        return f"{start}, although {heard.packets} packets of others came; check its system id and the routing."
    if heard.garbage_bytes:
        return f"{start}, only {heard.garbage_bytes} bytes that are no MAVLink; check the baud rate."
    return f"{start}; check the address, the cable and that the autopilot speaks MAVLink there."
