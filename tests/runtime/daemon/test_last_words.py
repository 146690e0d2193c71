"""The hold with which the daemon ends never overtakes the pilot: in the daemon, and in the loop that runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.daemon.inbox import Inbox
from runtime.daemon.run import Loop, Patience
from runtime.events import VEHICLE_LINK
from runtime.freshness import MODE
from runtime.geodesy import offset
from runtime.guidance.reasons import Reason
from runtime.values import Frame
from tests.runtime.daemon.cockpit import HOME, Cockpit

TARGET = offset(HOME, 60.0, 80.0)
GUIDED, LOITER = 4, 5


def under_way() -> Cockpit:
    cockpit = Cockpit()
    cockpit.to_ready(TARGET)
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(4.0)
    assert len(cockpit.commands()) >= 8
    cockpit.forget_wire()
    return cockpit


def heartbeat(mode: int) -> bytes:
    """The autopilot's, armed and flying."""
    message = mavlink.MAVLink_heartbeat_message(2, 3, 217, mode, mavlink.MAV_STATE_ACTIVE, 3)
    return bytes(message.pack(mavlink.MAVLink(None, srcSystem=1, srcComponent=1)))


def held(cockpit: Cockpit, words: bytes) -> bool:
    """Whether position targets are among the last words, and whether there is just one."""
    cockpit.forget_wire()
    cockpit.wire += words
    targets = [message.get_type() for message in cockpit.commands()]
    assert targets in ([], ["SET_POSITION_TARGET_GLOBAL_INT"])
    return bool(targets)


# The daemon by itself


@pytest.mark.parametrize(("lost_s", "expected"), [(0.0, True), (2.6, False)])
def test_a_hold_needs_a_heartbeat_of_the_last_moments(lost_s: float, expected: bool) -> None:
    """All other telemetry is there, and guidance has not given up."""
    cockpit = under_way()
    cockpit.lost = {"HEARTBEAT"}
    cockpit.fly(lost_s)
    assert cockpit.daemon.rooms.guidance.granted
    age_s = (cockpit.t_ns - (cockpit.vehicle.state.heartbeat_t_ns or 0)) * 1e-9
    assert (age_s <= MODE.seconds) == expected
    assert held(cockpit, cockpit.close()) == expected


def test_disengage_is_silent_too_where_the_mode_is_old_news() -> None:
    cockpit = under_way()
    cockpit.lost = {"HEARTBEAT"}
    cockpit.fly(2.6)
    cockpit.vehicle.outgoing()
    cockpit.daemon.release(cockpit.t_ns, Reason.OPERATOR_DISENGAGED)
    assert not cockpit.daemon.rooms.guidance.granted
    assert not held(cockpit, cockpit.vehicle.outgoing())


def test_after_an_error_only_a_later_heartbeat_speaks() -> None:
    cockpit = under_way()
    assert not held(cockpit, cockpit.close(cockpit.t_ns))
    cockpit = under_way()
    failed_ns = cockpit.t_ns
    cockpit.fly(1.1)
    assert held(cockpit, cockpit.close(failed_ns))


# The loop


class Line:
    """A link on simulated time, with all of the autopilot's telemetry but its heartbeats.

    ``on_write`` and ``on_wait`` are what others do just then.
    """

    def __init__(self, cockpit: Cockpit) -> None:
        self.cockpit = cockpit
        cockpit.lost = {"HEARTBEAT"}
        self.arrived: list[tuple[bytes, int]] = []
        self.written = bytearray()
        self.on_write: Callable[[], None] = lambda: None
        self.on_wait: Callable[[], None] = lambda: None

    def now_ns(self) -> int:
        """It is the clock as well."""
        return self.cockpit.t_ns

    def arrives(self, data: bytes) -> None:
        self.arrived.append((data, self.cockpit.t_ns))

    def counts(self) -> dict[str, int]:
        return {}

    def read(self) -> list[tuple[bytes, int]]:
        chunks, self.arrived = self.arrived, []
        return chunks

    def wait(self, timeout_s: float) -> bool:
        data = self.cockpit.heard_after(round(timeout_s * 1e9))
        if data:
            self.arrives(data)
        if timeout_s > 0:
            self.on_wait()
        return bool(self.arrived)

    def write(self, data: bytes) -> None:
        self.written += data
        if data:
            self.on_write()

    def close(self) -> None:
        """Nothing to close."""


class Camera:
    """Shows nothing, or breaks."""

    dropped = 0

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def poll(self) -> list[Frame]:
        if self.error is not None:
            raise self.error
        return []

    def counts(self) -> dict[str, int]:
        return {}


def loop(line: Line, camera: Camera) -> Loop:
    clock: Any = line
    return Loop(line.cockpit.daemon, camera, {VEHICLE_LINK: line}, Inbox(clock), clock, Patience(10.0, "test"))


def test_a_mode_change_that_arrived_after_the_last_decision_is_heard_before_the_last_word() -> None:
    for mode in (GUIDED, LOITER):
        stop, line = threading.Event(), Line(under_way())

        def end(line: Line = line, stop: threading.Event = stop, mode: int = mode) -> None:
            if not stop.is_set():  # the first words of the loop's last tick have gone out
                line.written.clear()
                line.arrives(heartbeat(mode))
                stop.set()

        line.on_write = end
        loop(line, Camera()).run(stop)
        assert held(line.cockpit, bytes(line.written)) == (mode == GUIDED)


def test_after_an_error_nothing_is_said_unless_a_new_heartbeat_shows_our_mode() -> None:
    for mode in (None, LOITER, GUIDED):
        line = Line(under_way())
        came: list[int] = []

        def beat(line: Line = line, came: list[int] = came, mode: int | None = mode) -> None:
            came.append(1)
            if mode is not None and len(came) == 20:  # 0.2 s after the error
                line.arrives(heartbeat(mode))

        line.on_wait = beat
        with pytest.raises(RuntimeError, match="nobody expected"):
            loop(line, Camera(RuntimeError("an error that nobody expected"))).run(threading.Event())
        assert held(line.cockpit, bytes(line.written)) == (mode == GUIDED)
        assert len(came) < 200  # it does not wait for ever


class BrokenLine(Line):
    """Its reading fails."""

    def read(self) -> list[tuple[bytes, int]]:
        raise ValueError("bytes that break it")


class EndlessLine(Line):
    """More has always arrived."""

    def read(self) -> list[tuple[bytes, int]]:
        return [(heartbeat(GUIDED), self.cockpit.t_ns)]

    def wait(self, timeout_s: float) -> bool:
        return True


def test_a_daemon_that_cannot_even_listen_says_nothing() -> None:
    line = BrokenLine(under_way())
    with pytest.raises(ValueError, match="bytes that break it"):
        loop(line, Camera()).run(threading.Event())
    assert line.written == b""


def test_a_link_that_never_falls_quiet_gets_no_last_word() -> None:
    stop, line = threading.Event(), EndlessLine(under_way())
    stop.set()
    loop(line, Camera()).run(stop)
    assert not held(line.cockpit, bytes(line.written))


class Unplugged(Line):
    """The line that the loop sleeps on, over which nothing comes, beside another of the same vehicle."""

    def __init__(self, other: Line) -> None:
        super().__init__(other.cockpit)
        self._other = other

    def wait(self, timeout_s: float) -> bool:
        self._other.wait(timeout_s)
        return False


def test_of_two_lines_the_one_that_carries_is_written_to_and_the_end_is_heard_on_it() -> None:
    cockpit = Cockpit(links=("vehicle", "vehicle2"))
    line, stop = Line(cockpit), threading.Event()
    line.on_wait = lambda: stop.set() if cockpit.t_ns > 6_000_000_000 else None
    line.on_write = lambda: cockpit.autopilot.receive(bytes(line.written), 0) or line.written.clear()
    clock: Any = line
    preferred = Unplugged(line)
    links: Any = {"vehicle": preferred, "vehicle2": line}
    cockpit.lost = set()
    Loop(cockpit.daemon, Camera(), links, Inbox(clock), clock, Patience(10.0, "test")).run(stop)
    state = cockpit.vehicle.state
    assert state.connected and state.problems == ()
    assert [(one.name, one.believed) for one in state.lines] == [("vehicle", False), ("vehicle2", True)]
    sent = mavlink.MAVLink(None).parse_buffer(bytes(preferred.written)) or []
    assert {message.get_type() for message in sent} == {"HEARTBEAT"}, "on the other line we are only known"
