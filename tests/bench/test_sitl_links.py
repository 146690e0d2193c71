"""The relay between daemon and autopilot changes nothing and misses nothing; the pilot knows the truth he is told."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import offset
from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.autopilot.server import AutopilotServer
from tests.bench.sitl_links import Pilot, Wires

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
        lines = Wires(*("tcp:{}:{}".format(*address) for address in server.addresses))
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
        assert wait_for(lambda: b"".join(data for way, data, _ in wires.passed if way == "sent") == said)
        passed = b"".join(data for way, data, _ in list(wires.passed) if way == "heard")
    assert passed.startswith(heard)


def test_the_pilot_has_a_line_of_his_own(wires: Wires) -> None:
    assert wait_for(lambda: wires.pilot.mode is not None)
    wires.pilot.set_parameter("WPNAV_SPEED", 750.0)
    assert wait_for(lambda: wires.pilot.parameters.get("WPNAV_SPEED") == 750.0)
    assert not wires.passed  # nothing of it on the daemon's line: no daemon is there


def test_what_the_autopilot_believes_is_held_against_the_truth() -> None:
    pilot, vehicle = Pilot(), mavlink.MAVLink(None, srcSystem=1, srcComponent=1)

    def believes(place: GeoPoint) -> bytes:
        degrees = round(place.latitude_deg * 1e7), round(place.longitude_deg * 1e7)
        said = mavlink.MAVLink_global_position_int_message(0, *degrees, 624_000, 40_000, 0, 0, 0, 0)
        return bytes(said.pack(vehicle))

    pilot.receive(believes(HOME))
    assert pilot.beliefs == [], "nothing says yet where it really is"
    degrees = HOME.latitude_deg, HOME.longitude_deg
    numbers = [1.0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0, 0, 0, *degrees, 584.0, 0, 0, 0.0, 0, 0]
    state = mavlink.MAVLink_sim_state_message(*numbers, *(round(degree * 1e7) for degree in degrees))
    pilot.receive(bytes(state.pack(vehicle)) + believes(offset(HOME, 3.0, -4.0)))
    (belief,) = pilot.beliefs
    assert (belief.north_m, belief.east_m) == pytest.approx((3.0, -4.0), abs=0.02)
    assert belief.error_m == pytest.approx(5.0, abs=0.02)


def test_the_pilot_can_take_gps_away(wires: Wires) -> None:
    assert wait_for(lambda: wires.pilot.mode is not None)
    wires.pilot.lose_gps(True)
    assert wait_for(lambda: wires.pilot.parameters.get("SIM_GPS1_ENABLE") == 0.0)
    wires.pilot.lose_gps(False)
    assert wait_for(lambda: wires.pilot.parameters.get("SIM_GPS1_ENABLE") == 1.0)


def test_the_truth_is_carried_on_from_what_the_simulator_said() -> None:
    pilot, vehicle = Pilot(), mavlink.MAVLink(None, srcSystem=1, srcComponent=1)

    def state(place: GeoPoint, amsl_m: float, north_m_s: float) -> bytes:
        degrees = place.latitude_deg, place.longitude_deg
        numbers = [1.0, 0, 0, 0, 0, 0, math.pi / 2, 0, 0, 0, 0, 0, 0, *degrees, amsl_m, 0, 0, north_m_s, 0, 0]
        message = mavlink.MAVLink_sim_state_message(*numbers, *(round(degree * 1e7) for degree in degrees))
        return bytes(message.pack(vehicle))

    pilot.receive(state(HOME, 584.0, 0.0))
    pilot.receive(state(offset(HOME, 30.0, 40.0), 684.0, 8.0))
    first, second = pilot.truth, pilot.truth
    assert first.position_ned_m[1:] == pytest.approx((40.0, -100.0), abs=0.02)
    assert first.ned_from_body == pytest.approx((math.sqrt(0.5), 0, 0, math.sqrt(0.5)))
    dt_s = (second.t_ns - first.t_ns) * 1e-9
    assert dt_s > 0
    assert first.position_ned_m[0] >= 29.98  # the message rounds to a centimetre
    assert second.position_ned_m[0] - first.position_ned_m[0] == pytest.approx(8.0 * dt_s)
