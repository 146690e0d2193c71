"""What goes wrong in the adapters' threads is told by `homing status`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Queue
from typing import Any

import numpy as np
import pytest

from runtime.camera.reader import CameraReader
from runtime.daemon.daemon import Daemon
from runtime.daemon.inbox import Inbox
from runtime.daemon.run import Loop, Patience
from runtime.daemon.status import status
from runtime.errors import CameraError, VehicleError
from runtime.events import VEHICLE_LINK, JobDone, JobKind
from runtime.values import Frame, Snapshot
from tests.runtime.daemon.cockpit import Cockpit

PATIENCE_S = 30.0  # only ever used up by a failure


class FailingOnce:
    """A camera that breaks at its first read, and is well once it is opened again and ``go`` is set."""

    def __init__(self, go: threading.Event) -> None:
        self.go, self.reads = go, 0

    def read(self) -> Frame | None:
        self.reads += 1
        if self.reads == 1:
            raise ZeroDivisionError("nobody expects it")
        return Frame(np.zeros((4, 4, 3), np.uint8), self.reads, "failing", self.reads)

    def interrupt(self) -> None:
        self.go.set()

    def close(self) -> None:
        """Nothing is held open."""

    def reopened(self) -> FailingOnce:
        if not self.go.is_set():
            raise CameraError("the camera is not there.")
        return self


class Silence:
    """A link on which nobody speaks, and the clock as well."""

    def __init__(self) -> None:
        self.t_ns = 10_000_000_000

    def now_ns(self) -> int:
        return self.t_ns

    def counts(self) -> dict[str, int]:
        return {"link_failures": 2, "link_breaks": 5}

    def read(self) -> list[tuple[bytes, int]]:
        return []

    def wait(self, timeout_s: float) -> bool:
        self.t_ns += round(timeout_s * 1e9)
        threading.Event().wait(timeout_s / 10)
        return False

    def write(self, data: bytes) -> None:
        """Nobody hears it."""

    def close(self) -> None:
        """Nothing to close."""


def eventually(daemon: Daemon, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first status of which it is true."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        answer = status(daemon, daemon.now_ns)
        if what(answer):
            return answer
        time.sleep(0.01)
    raise AssertionError(f"it never came true; at last {answer['camera_error']}, {answer['counts']}")


def test_what_goes_wrong_in_a_thread_is_seen_in_the_status() -> None:
    line, daemon, go, stop = Silence(), Cockpit().daemon, threading.Event(), threading.Event()
    camera = FailingOnce(go)
    reader = CameraReader(camera, reopen=camera.reopened)
    clock: Any = line
    links: Any = {VEHICLE_LINK: line}
    loop = Loop(daemon, reader, links, Inbox(clock), clock, Patience(1e9, "test"), lambda: {"control_failures": 7})
    running = threading.Thread(target=loop.run, args=(stop,))
    running.start()
    try:
        seen = eventually(
            daemon, lambda status: status["camera_error"] is not None and status["counts"].get("camera_breaks")
        )
        assert seen["camera_error"] == "the camera failed: nobody expects it."
        assert seen["counts"]["camera_failures"] == seen["counts"]["camera_breaks"] == 1
        assert (seen["counts"]["link_failures"], seen["counts"]["link_breaks"]) == (2, 5)
        assert seen["counts"]["control_failures"] == 7
        go.set()
        eventually(daemon, lambda status: status["camera_error"] is None)
    finally:
        stop.set()
        running.join(PATIENCE_S)
        reader.close()


class Refusing(Silence):
    """A signed link to a vehicle with another key."""

    def counts(self) -> dict[str, int]:
        return {"link_packets_forged": 40}


def test_a_vehicle_with_another_key_is_not_looked_for_in_the_cable() -> None:
    line: Any = Refusing()
    reader = CameraReader(FailingOnce(threading.Event()))
    loop = Loop(Cockpit().daemon, reader, {VEHICLE_LINK: line}, Inbox(line), line, Patience(0.1, "test"))
    with pytest.raises(VehicleError, match="although 40 packets without a right signature came; check the key"):
        loop.run(threading.Event())
    reader.close()


def test_whoever_watches_is_shown_the_daemon_twice_a_second_and_cannot_end_it() -> None:
    line, daemon, stop = Silence(), Cockpit().daemon, threading.Event()
    camera = FailingOnce(threading.Event())
    reader = CameraReader(camera, reopen=camera.reopened)
    clock: Any = line
    links: Any = {VEHICLE_LINK: line}
    shown: list[Snapshot] = []

    def show(snapshot: Snapshot) -> None:
        shown.append(snapshot)
        if len(shown) == 4:
            stop.set()
        raise RuntimeError("it cannot be shown")

    try:
        Loop(daemon, reader, links, Inbox(clock), clock, Patience(1e9, "test"), show=show).run(stop)
    finally:
        reader.close()
    apart_s = np.diff([snapshot.t_ns for snapshot in shown]) * 1e-9
    assert apart_s.min() >= 0.5 and apart_s.max() < 0.6  # at the next of twenty ticks a second
    assert shown[-1].status["counts"]["show_failed"] == 3 and daemon.counts["show_failed"] == 4
    assert shown[0].status is not shown[1].status  # each is its receiver's own


class Sleepless(Silence):
    """Nobody speaks; a second passes with each sleep, and the third ends the flight."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self.stop, self.slept = stop, 0

    def wait(self, timeout_s: float) -> bool:
        self.t_ns += 1_000_000_000
        self.slept += 1
        if self.slept == 3:
            self.stop.set()
        return False


def test_jobs_that_ended_together_wait_for_nothing_between_them() -> None:
    """The motion of a frame must not sleep behind a keyframe; whoever posts wakes the loop."""
    stop, cockpit, woken = threading.Event(), Cockpit(), []
    line = Sleepless(stop)
    clock: Any = line
    links: Any = {VEHICLE_LINK: line}
    inbox = Inbox(clock)
    inbox.wakes(lambda: woken.append(True))
    for kind in (JobKind.RECORD, JobKind.ODOMETRY):
        inbox.job_done(JobDone(0, kind, None, None, CameraError("nothing came of it."), 0))
    reader = CameraReader(FailingOnce(threading.Event()))
    try:
        Loop(cockpit.daemon, reader, links, inbox, clock, Patience(1e9, "test")).run(stop)
    finally:
        reader.close()
    ended = [(t_ns, record["kind"]) for channel, t_ns, record in cockpit.journal.records if channel == "job"]
    assert [kind for _, kind in ended] == ["record", "odometry"] and ended[0][0] == ended[1][0]
    assert len(woken) == 2


def test_a_request_that_the_loop_no_longer_takes_is_refused_when_it_ends() -> None:
    line, daemon, stop = Silence(), Cockpit().daemon, threading.Event()
    camera = FailingOnce(threading.Event())
    reader = CameraReader(camera, reopen=camera.reopened)
    clock: Any = line
    links: Any = {VEHICLE_LINK: line}
    inbox, answers = Inbox(clock), Queue[dict[str, Any]]()
    inbox.control({"command": "status"}, answers.put)
    stop.set()
    try:
        Loop(daemon, reader, links, inbox, clock, Patience(1e9, "test")).run(stop)
    finally:
        reader.close()
    assert "the daemon has ended" in answers.get_nowait()["error"] and answers.empty()
