"""The relay between daemon and autopilot changes nothing and misses nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.autopilot.server import AutopilotServer
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.pilot import Pilot
from sim.sitl.wires import Wires

HOME = GeoPoint(-35.3632621, 149.1652374)


def wait_for(condition: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + 30.0
    while not condition() and time.monotonic() < end_s:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def wires() -> Iterator[Wires]:
    autopilot = Autopilot(AutopilotConfig(home=HOME))
    with AutopilotServer(autopilot, ["tcpin:127.0.0.1:0", "tcpin:127.0.0.1:0"]) as server:
        first, second = ("tcp:{}:{}".format(*address) for address in server.addresses)
        lines = Wires(first, second, Pilot(ArduCopter()))
        yield lines
        lines.close()


def test_every_byte_passes_once_and_is_kept(wires: Wires) -> None:
    host, port = wires.companion_uri.removeprefix("tcp:").split(":")
    daemon = mavlink.MAVLink(None, srcSystem=1, srcComponent=191)
    said = mavlink.MAVLink_timesync_message(0, 123_456).pack(daemon)
    heard = b""
    with socket.create_connection((host, int(port)), timeout=30.0) as line:
        line.sendall(said)
        while not any(m.get_type() == "TIMESYNC" and m.tc1 for m in mavlink.MAVLink(None).parse_buffer(heard) or []):
            heard += line.recv(4096)
        assert wait_for(lambda: b"".join(data for way, data, _ in list(wires.passed) if way == "sent") == said)
        # what is handed over is stamped after that: a reader may be quicker than the note of it
        assert wait_for(lambda: b"".join(d for way, d, _ in list(wires.passed) if way == "heard").startswith(heard))


def test_the_pilot_has_a_line_of_his_own(wires: Wires) -> None:
    assert wait_for(lambda: wires.pilot.mode is not None)
    wires.pilot.set_parameters({"WPNAV_SPEED": 750.0})
    assert wait_for(lambda: wires.pilot.parameters.get("WPNAV_SPEED") == 750.0)
    assert not wires.passed  # nothing of it on the daemon's line: no daemon is there


def test_the_pilot_can_take_gps_away(wires: Wires) -> None:
    assert wait_for(lambda: wires.pilot.mode is not None)
    wires.pilot.lose_gps(True)
    assert wait_for(lambda: wires.pilot.parameters.get("SIM_GPS1_ENABLE") == 0.0)
    wires.pilot.lose_gps(False)
    assert wait_for(lambda: wires.pilot.parameters.get("SIM_GPS1_ENABLE") == 1.0)


class BusyPilot(Pilot):
    """His thread, which is the relay's too, is kept from its work for a while."""

    def receive(self, data: bytes) -> None:
        time.sleep(0.6)
        super().receive(data)


def test_a_relay_that_was_kept_from_its_work_accuses_nobody_of_speaking_late() -> None:
    """What is sent is stamped no later than it was said, what is heard no earlier than it was handed over."""
    autopilot, said_ns = Autopilot(AutopilotConfig(home=HOME)), list[int]()
    with AutopilotServer(autopilot, ["tcpin:127.0.0.1:0", "tcpin:127.0.0.1:0"]) as server:
        first, second = ("tcp:{}:{}".format(*address) for address in server.addresses)
        wires = Wires(first, second, BusyPilot(ArduCopter()))
        host, port = wires.companion_uri.removeprefix("tcp:").split(":")
        try:
            with socket.create_connection((host, int(port)), timeout=30.0) as line:
                for _ in range(10):
                    line.sendall(b"x")
                    said_ns.append(time.monotonic_ns())
                    time.sleep(0.2)
                assert wait_for(lambda: sum(len(data) for way, data, _ in list(wires.passed) if way == "sent") == 10)
                stamps = list(wires.passed)
        finally:
            wires.close()
    sent = [t_ns for way, data, t_ns in stamps if way == "sent" for _ in data]
    assert all(stamp <= said for stamp, said in zip(sent, said_ns, strict=True))
    assert all(said - stamp < 2_000_000_000 for stamp, said in zip(sent, said_ns, strict=True))
