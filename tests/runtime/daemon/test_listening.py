"""While the daemon loads, the vehicle is asked for its streams and nothing else, and all that it says is kept."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from runtime.camera.reader import CameraReader
from runtime.daemon.inbox import Inbox
from runtime.daemon.listening import Exchanged, Listening
from runtime.daemon.run import Loop, Patience
from runtime.events import VEHICLE_LINK
from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import PacketReader
from runtime.values import Frame
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.daemon.cockpit import Cockpit
from tests.runtime.vehicle.peer import MS, SECOND, Peer

PATIENCE_S = 30.0  # only ever used up by a failure
STEP_NS = 20 * MS


class Line:
    """A link to a `Peer`, and the clock as well: each sleep on it passes 20 ms."""

    def __init__(self) -> None:
        self.t_ns, self.peer = 100 * SECOND, Peer()
        self._answers = b""

    def now_ns(self) -> int:
        return self.t_ns

    def counts(self) -> dict[str, int]:
        return {}

    def read(self) -> list[tuple[bytes, int]]:
        said, self._answers = self._answers + self.peer.step(self.t_ns), b""
        return [(said, self.t_ns)] if said else []

    def wait(self, timeout_s: float) -> bool:
        self.t_ns += STEP_NS
        return True

    def wake(self) -> None:
        """Nobody sleeps here for long."""

    def write(self, data: bytes) -> None:
        self._answers += self.peer.hear(data, self.t_ns)

    def close(self) -> None:
        """Nothing to close."""


class Torn(Line):
    """One that nobody expects to fail, and does."""

    def write(self, data: bytes) -> None:
        raise RuntimeError("nobody expects it")


def listened(line: Line, seconds: float) -> tuple[Exchanged, ...]:
    listening = Listening({VEHICLE_LINK: line}, VehicleConfig(), line)
    eventually(lambda: line.t_ns >= 100 * SECOND + round(seconds * 1e9) or not is_listening())
    return tuple(listening.end())


def is_listening() -> bool:
    return any(thread.name == "first requests" for thread in threading.enumerate())


def eventually(what: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end_s, "it never came true"
        time.sleep(0.001)


def missing(vehicle: Vehicle, t_ns: int) -> tuple[str, ...]:
    vehicle.tick(t_ns)
    assert vehicle.state.connected
    return vehicle.state.streams_missing


def test_the_streams_flow_before_the_vehicle_room_begins() -> None:
    line = Line()
    exchanged = listened(line, 1.5)
    assert {one.direction for one in exchanged} == {"in", "out"}
    assert [one.t_ns for one in exchanged] == sorted(one.t_ns for one in exchanged)
    sent = [packet for one in exchanged if one.direction == "out" for packet in PacketReader().feed(one.data)]
    assert [packet.raw for packet in sent] == [packet.raw for packet in line.peer.heard]
    assert {packet.name for packet in sent} == {"COMMAND_LONG"}
    assert {packet.message.command for packet in sent} == {mavlink.MAV_CMD_SET_MESSAGE_INTERVAL}
    vehicle = Vehicle()
    for one in exchanged:
        if one.direction == "in":
            vehicle.receive(one.data, one.t_ns)
    assert missing(vehicle, line.t_ns) == ("POSITION_TARGET_GLOBAL_INT",)  # silent without a target: an answer says so
    vehicle.receive(line.peer.hear(vehicle.outgoing(), line.t_ns), line.t_ns)
    assert missing(vehicle, line.t_ns) == ()


def test_a_vehicle_room_that_heard_no_first_requests_misses_its_streams() -> None:
    vehicle = Vehicle()
    vehicle.receive(Peer().heartbeat(), 100 * SECOND)
    assert missing(vehicle, 101 * SECOND) != ()


def test_what_comes_after_ten_seconds_waits_in_the_link() -> None:
    line = Line()
    listened(line, 3600.0)
    assert line.t_ns - 100 * SECOND == pytest.approx(10 * SECOND, abs=2 * STEP_NS)


def test_what_was_heard_is_kept_where_the_requests_fail(caplog: pytest.LogCaptureFixture) -> None:
    line = Torn()
    with caplog.at_level(logging.ERROR):
        exchanged = listened(line, 3600.0)
    assert "nobody expects it" in caplog.text
    assert [packet.name for one in exchanged for packet in PacketReader().feed(one.data)] == ["HEARTBEAT"]


class Dark:
    """A camera that gives nothing."""

    def read(self) -> Frame | None:
        time.sleep(0.01)
        return None

    def interrupt(self) -> None:
        """It never waits for long."""

    def close(self) -> None:
        """Nothing is held open."""


def test_the_loop_hears_it_all_first_and_logs_what_was_said() -> None:
    line, cockpit, stop = Line(), Cockpit(), threading.Event()
    exchanged = listened(line, 1.5)
    stop.set()
    reader = CameraReader(Dark())
    try:
        inbox = Inbox(line)
        Loop(
            cockpit.daemon, reader, {VEHICLE_LINK: line}, inbox, line, Patience(1e9, "test"), before=exchanged
        ).run(stop)
    finally:
        reader.close()
    assert cockpit.journal.raw[: len(exchanged)] == [(one.direction, one.data) for one in exchanged]
    assert cockpit.daemon.rooms.vehicle.state.connected
