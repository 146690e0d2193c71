"""PX4 as people and its simulator speak it: what was observed on PX4 1.18, in messages."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.config.sections import VehicleSection
from runtime.rotations import ned_from_euler
from runtime.values import GeoPoint
from runtime.vehicle.px4.hold import Px4Hold
from runtime.vehicle.px4.modes import is_guided, mode_name
from sim.scenario.conditions import Conditions
from sim.scenario.px4 import PX4, PX4_IN_HOLD
from sim.scenario.station import GroundStation
from sim.sitl.firmware import Stand, Sticks
from sim.sitl.px4 import Px4, Px4InHold

HOME = GeoPoint(47.3977420, 8.5455940)
AMSL_M = 489.4
ROOT = Path(__file__).parents[3]


class Vehicle:
    """A ground station, and what a PX4 would have heard of it."""

    def __init__(self) -> None:
        self.station = GroundStation(PX4)
        self._packer = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
        self._parser = mavlink.MAVLink(None)

    def says(self, message: Any) -> None:
        self.station.receive(message.pack(self._packer))

    def stands(self, height_m: float) -> None:
        degrees = round(HOME.latitude_deg * 1e7), round(HOME.longitude_deg * 1e7)
        heights = round((AMSL_M + height_m) * 1e3), round(height_m * 1e3)
        self.says(mavlink.MAVLink_global_position_int_message(0, *degrees, *heights, 0, 0, 0, 0))

    def knows_where(self) -> None:
        self.says(mavlink.MAVLink_estimator_status_message(0, 895, *[0.1] * 8))

    def is_in(self, mode: str, armed: bool = True) -> None:
        self.says(mavlink.MAVLink_heartbeat_message(2, 12, 128 if armed else 0, PX4.modes[mode], 4, 3))

    def heard(self) -> list[Any]:
        found = self._parser.parse_buffer(self.station.outgoing(10**12)) or []
        return [one for one in found if one.get_type() != "HEARTBEAT"]


def test_modes_go_by_the_names_of_the_scenarios_and_by_px4s_numbers() -> None:
    named = {name: mode_name(2, number) for name, number in PX4.modes.items()}
    assert named == {"GUIDED": "OFFBOARD", "LOITER": "LOITER", "ALT_HOLD": "ALTCTL", "AUTO": "MISSION",
                     "RTL": "RTL", "LAND": "LAND"}  # fmt: skip
    assert [name for name, number in PX4.modes.items() if PX4.companions(number)] == ["GUIDED"]
    assert is_guided(2, PX4.modes["GUIDED"]) and mode_name(2, 4 << 16 | 20 << 24) == "DESCEND"
    assert PX4.set_mode("LOITER") == (1.0, 4.0, 3.0)


def test_guided_in_hold_the_pilot_waits_in_a_mode_that_is_flown_by_hand() -> None:
    named = {name: mode_name(2, number) for name, number in PX4_IN_HOLD.modes.items()}
    assert (named["GUIDED"], named["LOITER"], named["ALT_HOLD"]) == ("LOITER", "POSCTL", "ALTCTL")
    assert [name for name, number in PX4_IN_HOLD.modes.items() if PX4_IN_HOLD.companions(number)] == ["GUIDED"]
    stack = Px4Hold()
    assert stack.is_guided(2, PX4_IN_HOLD.modes["GUIDED"]) and stack.is_pilots_switch(named["LOITER"])
    assert not PX4_IN_HOLD.idles and VehicleSection(uri=("x",), **Px4InHold().guided_by).px4_guided_mode == "hold"


def test_take_off_is_commanded_above_the_sea_and_begins_with_arming() -> None:
    vehicle = Vehicle()
    script = PX4.take_off(vehicle.station, 60.0)
    next(script)
    assert vehicle.heard() == [], "the height of the ground is not known yet"
    vehicle.stands(0.0)
    next(script)
    take_off, arm = vehicle.heard()
    assert take_off.command == mavlink.MAV_CMD_NAV_TAKEOFF and take_off.param7 == pytest.approx(AMSL_M + 60.0)
    assert math.isnan(take_off.param5) and math.isnan(take_off.param6)
    assert arm.command == mavlink.MAV_CMD_COMPONENT_ARM_DISARM and arm.param1 == 1.0
    vehicle.is_in("AUTO")
    next(script)
    vehicle.stands(59.5)
    next(script)
    vehicle.is_in("LOITER")
    assert list(script) == []


def test_a_place_is_given_in_hold_above_the_sea() -> None:
    vehicle = Vehicle()
    vehicle.stands(40.0)
    vehicle.knows_where()
    script = PX4.fly_to(vehicle.station, HOME, 60.0)
    next(script)
    (order,) = vehicle.heard()
    assert (order.get_type(), order.command) == ("COMMAND_INT", mavlink.MAV_CMD_DO_REPOSITION)
    assert (order.param1, order.param2) == (-1.0, 1.0) and math.isnan(order.param4)
    assert (order.x, order.y, order.z) == (473977420, 85455940, pytest.approx(AMSL_M + 60.0, abs=0.01))


def test_without_a_position_the_height_is_held_by_hand_until_a_place_can_be_given() -> None:
    """PX4 1.18, dragged by 5 m/s and then told the truth, had no position six seconds later: it refused Hold, and put
    itself down blindly."""
    vehicle = Vehicle()
    vehicle.stands(60.0)
    vehicle.is_in("LOITER")
    vehicle.heard()  # and with it what time it is
    script = PX4.fly_to(vehicle.station, HOME, 60.0)
    next(script)
    (order,) = vehicle.heard()
    assert (order.command, order.param2) == (mavlink.MAV_CMD_DO_SET_MODE, 2.0), "ALTCTL"
    next(script)
    assert vehicle.heard() == [], "not again at once"
    vehicle.is_in("ALT_HOLD")
    vehicle.knows_where()
    vehicle.station.t_ns += 3 * 10**9
    next(script)
    (order,) = vehicle.heard()
    assert order.command == mavlink.MAV_CMD_DO_REPOSITION
    next(script)
    vehicle.is_in("LOITER")
    assert list(script) == []


@pytest.mark.parametrize(("flags", "has"), [(895, True), (383, True), (101, False), (0, False)])
def test_flags_as_observed_tell_of_a_position(flags: int, has: bool) -> None:
    """895: with GPS; 383: with external vision; 101: five seconds after the last of it."""
    report = mavlink.MAVLink_estimator_status_message(0, flags, *[0.1] * 8)
    vehicle = Vehicle()
    vehicle.says(report)
    assert vehicle.station.has_position is has


def heard_back(px4: Px4, name: str, value: float) -> float:
    """What PX4 makes of a parameter that is set, and what is read of its answer: bytes both times."""
    packer, parser = mavlink.MAVLink(None, srcSystem=255), mavlink.MAVLink(None)
    packet = bytes(px4.parameter_set(name, value).pack(packer))
    payload = packet[10 : 10 + packet[1]].ljust(23, b"\0")
    kept, kind = payload[:4], payload[22]
    answer = bytes(mavlink.MAVLink_param_value_message(name.encode(), 0.0, kind, 1, 0).pack(packer))
    body = kept + answer[14 : 10 + answer[1]]
    raw = answer[:10] + body + answer[10 + answer[1] :]
    crc = mavlink.x25crc(raw[1 : 10 + answer[1]] + bytes([mavlink.MAVLink_param_value_message.crc_extra])).crc
    (message,) = parser.parse_buffer(raw[: 10 + answer[1]] + struct.pack("<H", crc))
    return px4.parameter_value(message)


def test_whole_numbers_travel_as_the_bits_of_an_int32() -> None:
    px4 = Px4()
    asked = px4.parameter_set("EKF2_EV_CTRL", 5)
    assert asked.param_value == struct.pack("<i", 5) and asked.param_type == mavlink.MAV_PARAM_TYPE_INT32
    for value in (0, 5, 10, -1, 2**31 - 1):
        assert heard_back(px4, "SIM_GPS_USED", value) == value
    assert heard_back(px4, "MPC_XY_VEL_MAX", 8.25) == 8.25


_DENORMALS_ARE_ZEROS = """
import struct, sys
import onnxruntime
from sim.sitl.px4 import Px4
from tests.sim.sitl.test_px4 import heard_back

options = onnxruntime.SessionOptions()
options.add_session_config_entry("session.set_denormal_as_zero", "1")
onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
print(struct.pack("<f", 1.4e-44).hex(), heard_back(Px4(), "SIM_GPS_USED", 10))
"""


def test_they_do_so_where_denormal_floats_are_zeros() -> None:
    """As they are in a thread that has made an engine of ONNX Runtime: there 10 became 0, and GPS was cut. In a process
    of its own, as only the first engine of one decides."""
    (model,) = (Path(onnxruntime.__file__).parent / "datasets").glob("mul_1.onnx")
    told = subprocess.run(
        [sys.executable, "-c", _DENORMALS_ARE_ZEROS, str(model)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.split() == ["00000000", "10.0"], "a float of those bits is lost there, the parameter is not"


def test_the_wind_of_its_simulator_is_where_it_comes_from() -> None:
    met = Conditions(wind_m_s=5.0)
    north, east = met.wind_ne_m_s(3)
    assert Px4().weather(met, 3) == {"SIH_WIND_N": -north, "SIH_WIND_E": -east}


def test_truth_and_sticks() -> None:
    px4, turned = Px4(), ned_from_euler(0.1, -0.2, 0.3)
    degrees = round(HOME.latitude_deg * 1e7), round(HOME.longitude_deg * 1e7)
    state = px4.true_state(
        mavlink.MAVLink_hil_state_quaternion_message(
            0, turned, 0.1, 0.2, 0.3, *degrees, 549_400, 800, -100, 50, 0, 0, 0, 0, 0
        )
    )
    assert state is not None and state.position.latitude_deg == pytest.approx(HOME.latitude_deg, abs=1e-9)
    assert (state.altitude_amsl_m, state.velocity_ned_m_s) == (pytest.approx(549.4), (8.0, -1.0, 0.5))
    assert state.ned_from_body == pytest.approx(turned) and state.body_rates_rad_s == pytest.approx((0.1, 0.2, 0.3))
    nose_down = px4.sticks(Sticks(roll=0.5, pitch=-1.0, climb=0.0), armed=True)
    assert (nose_down.x, nose_down.y, nose_down.z, nose_down.r) == (1000, 500, 500, 0)


def test_it_is_launched_where_the_world_is(tmp_path: Path) -> None:
    binary = tmp_path / "build" / "bin" / "px4"
    words, found = Px4().command(binary, tmp_path, 2, Stand(HOME, AMSL_M))
    assert "PX4_HOME_LAT=47.39774200" in words and str(tmp_path / "build" / "etc") in words
    assert found == ("udpin:127.0.0.1:14542", "udpout:127.0.0.1:18572")
