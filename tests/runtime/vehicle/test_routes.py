"""The messages of each route, byte for byte, and what each autopilot makes of their numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runtime.mavlink.dialect import mavlink
from runtime.values import (
    AidingRoute,
    FailedOdometry,
    GeoPoint,
    GlobalPosition,
    LocalOdometry,
    PositionEstimate,
    circular,
)
from runtime.vehicle.ardupilot.stack import ArduPilot
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import CommandDone
from runtime.vehicle.global_position import external_position_estimate, global_position_sensor
from runtime.vehicle.px4.stack import Px4
from runtime.vehicle.stack import OtherStack
from runtime.vehicle.vehicle import Vehicle
from runtime.vehicle.vision import failed_vision, vision
from tests.runtime.vehicle.peer import MS, SECOND, Peer, Wire
from tests.runtime.vehicle.test_injection import ARDUPILOT, PX4, at, decoded, flying, payload

# Each field by hand: little endian, largest first, trailing zeros dropped.
VISION_POSITION = (
    "a0bb0d0000000000" "00002041" "0000a0c0" "000020c2" "00000000" "00000000" "db0fc93f"  # 0.9 s; 10, -5, -40; yaw 90
    "00008040" "0000803f" + "00000000" * 4 + "00001041" + "00000000" * 4 + "0000803e" + "00000000" * 3  # 4, 1; 9; 0.25
)
VISION_SPEED = (
    "a0bb0d0000000000" "00004040" "000000c0" "0000003f"  # 3, -2, 0.5 m/s
    "0000803e" + "00000000" * 3 + "0000803e" + "00000000" * 3 + "0000803e" + "03"
)  # fmt: skip
GLOBAL_POSITION = (
    "40420f0000000000" "a0860100" "e83d401c" "60f61705"  # sent at 1 s, 0.1 s after exposure; 47.3972200, 8.5456480
    "0000c07f" "0000c07f" "00000040" "0000c07f" "01" "01" "07" "02"
)
EXTERNAL_POSITION = (
    "0000803f" "cdcccc3d" "00000040" "00000000" "e83d401c" "60f61705" "0000c07f" "fba7" "01" "01"
)
HERE = GeoPoint(47.3972200, 8.5456480)


def pose(**values: Any) -> LocalOdometry:
    told: dict[str, Any] = {
        "t_ns": 900 * MS, "position": HERE, "covariance_m2": ((4.0, 1.0), (1.0, 9.0)), "altitude_amsl_m": 528.0,
        "height_sigma_m": 0.5, "velocity_ned_m_s": (3.0, -2.0, 0.5), "velocity_sigma_m_s": 0.5,
        "ned_from_body": (math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)), "reset_counter": 259, "quality": 40,
        "route": AidingRoute.VISION,
    }  # fmt: skip
    return LocalOdometry(**{**told, **values})


def test_golden_bytes_of_vision() -> None:
    sent, speed = vision(pose(), (10.0, -5.0, -40.0), ArduPilot(), 0)
    read = decoded(sent)
    assert payload(sent)[:64] == VISION_POSITION[:64] and payload(speed) == VISION_SPEED
    assert (read.usec, read.reset_counter) == (900_000, 3)
    (told,) = vision(pose(), (10.0, -5.0, -40.0), Px4(), 77_777 * MS)
    assert payload(told)[:152] == VISION_POSITION[:152], "as measured, in our clock; PX4 reads no VISION_SPEED_ESTIMATE"
    assert decoded(told).covariance[15] == pytest.approx(math.pi**2), "any attitude at all"


def test_golden_bytes_of_a_global_position() -> None:
    sent = global_position_sensor(GlobalPosition(900 * MS, 7, HERE, circular(2.0)), (1, 1), SECOND, 0)
    assert payload(sent) == GLOBAL_POSITION
    none = decoded(global_position_sensor(GlobalPosition(900 * MS, 7, None, circular(2.0)), (1, 1), SECOND, 0))
    assert none.flags == mavlink.GLOBAL_POSITION_UNHEALTHY and (none.lat, none.lon) == (2**31 - 1, 2**31 - 1)
    assert math.isnan(none.eph)


def test_golden_bytes_of_an_external_position_estimate() -> None:
    sent = external_position_estimate(PositionEstimate(900 * MS, HERE, circular(2.0)), (1, 1), SECOND, 0)
    assert payload(sent) == EXTERNAL_POSITION
    assert decoded(sent).frame == mavlink.MAV_FRAME_GLOBAL


@pytest.mark.parametrize("sigma_m", [0.3, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("route", [AidingRoute.ODOMETRY, AidingRoute.VISION])
def test_ardupilot_makes_the_sigma_that_is_meant_of_the_covariance(sigma_m: float, route: AidingRoute) -> None:
    measured = pose(covariance_m2=circular(sigma_m), route=route)
    if route is AidingRoute.ODOMETRY:
        covariance = decoded(ArduPilot().odometry(measured, (0.0, 0.0, 0.0), 0)).pose_covariance
    else:
        covariance = decoded(vision(measured, (0.0, 0.0, 0.0), ArduPilot(), 0)[0]).covariance
    read_m = (covariance[0] ** 2 + covariance[6] ** 2 + covariance[11] ** 2) ** (1 / 3)  # handle_odometry's
    assert read_m == pytest.approx(sigma_m, rel=1e-5)


def test_px4_and_others_get_the_covariance_as_measured() -> None:
    for stack in (Px4(), OtherStack()):
        covariance = decoded(stack.odometry(pose(), (0.0, 0.0, 0.0), 0)).pose_covariance
        assert [covariance[i] for i in (0, 1, 6, 11)] == [4.0, 1.0, 9.0, 0.25]


@pytest.mark.parametrize("stack", [ArduPilot(), Px4()])
def test_a_failure_of_vision_has_no_number_in_it(stack: ArduPilot | Px4) -> None:
    read = decoded(failed_vision(FailedOdometry(5 * SECOND, 3, AidingRoute.VISION), stack, 0))
    assert all(map(math.isnan, (read.x, read.y, read.z, read.roll, read.pitch, read.yaw, *read.covariance)))
    assert (read.usec, read.reset_counter) == (5_000_000, 3)


# --- through the vehicle -----------------------------------------------------------------------------------------


def test_vision_leaves_as_two_messages_in_the_autopilots_clock() -> None:
    wire = flying()
    exposed_ns = wire.t_ns - 60 * MS
    told = at(exposed_ns)
    measured = LocalOdometry(*(getattr(told, name) for name in told.__slots__[:-1]), AidingRoute.VISION)
    assert wire.vehicle.send_injection(measured, wire.t_ns) is None
    assert wire.vehicle.send_injection(FailedOdometry(wire.t_ns, 1, AidingRoute.VISION), wire.t_ns) is None
    wire.step()
    positions = [packet.message for _, packet in wire.sent_of("VISION_POSITION_ESTIMATE")]
    ((_, speed),) = wire.sent_of("VISION_SPEED_ESTIMATE")
    for message in (positions[0], speed.message):
        assert message.usec == pytest.approx((exposed_ns + wire.peer.clock_offset_ns) / 1000, abs=50)
    assert len(positions) == 2 and math.isnan(positions[1].x) and wire.sent_of("ODOMETRY") == []


class Sensing(Peer):
    """An autopilot that has GLOBAL_POSITION_SENSOR among its streams."""

    def _builders(self) -> dict[int, Any]:
        return {**super()._builders(), mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_SENSOR: lambda t: None}


def probed(peer: Peer) -> Wire:
    wire = Wire(Vehicle(VehicleConfig(probe_global_position=True)), peer)
    wire.run(3.0)
    return wire


@pytest.mark.parametrize("autopilot", [ARDUPILOT, PX4])
def test_a_global_position_goes_only_to_an_autopilot_that_said_that_it_has_it(autopilot: int) -> None:
    assert AidingRoute.GLOBAL_POSITION not in flying(autopilot).vehicle.state.aiding_routes, "nobody asked"
    assert AidingRoute.GLOBAL_POSITION not in probed(Peer(autopilot=autopilot)).vehicle.state.aiding_routes
    assert AidingRoute.GLOBAL_POSITION in probed(Sensing(autopilot=autopilot)).vehicle.state.aiding_routes


def test_a_px4_is_told_of_no_unhealthy_sensor_for_it_would_take_the_message_for_a_position() -> None:
    measured, none = (GlobalPosition(9 * SECOND, 7, place, circular(2.0)) for place in (HERE, None))
    for autopilot, refusal in ((PX4, "no_word"), (ARDUPILOT, None)):
        wire = probed(Sensing(autopilot=autopilot))
        assert wire.vehicle.send_injection(measured, wire.t_ns) is None
        assert wire.vehicle.send_injection(none, wire.t_ns) == refusal
        wire.step()
        assert len(wire.sent_of("GLOBAL_POSITION_SENSOR")) == (1 if refusal else 2)


def test_an_external_position_estimate_is_sent_once_and_its_answer_is_told() -> None:
    wire = flying()
    assert wire.vehicle.send_injection(PositionEstimate(wire.t_ns - 400 * MS, HERE, circular(2.0)), wire.t_ns) is None
    sent_ns = wire.t_ns
    wire.peer.answers = False
    wire.run(3.0)
    ((_, packet),) = [(t, p) for t, p in wire.sent_of("COMMAND_INT")]
    assert packet.message.param1 == pytest.approx((sent_ns + wire.peer.clock_offset_ns) * 1e-9, abs=1e-3)
    assert packet.message.param2 == pytest.approx(0.4, abs=1e-3) and math.isnan(packet.message.z)
    wire.inject(wire.peer.ack(mavlink.MAV_CMD_EXTERNAL_POSITION_ESTIMATE, mavlink.MAV_RESULT_FAILED))
    (done,) = wire.of(CommandDone)[-1:]
    assert (done.command, done.result, done.accepted) == (43003, "FAILED", False)


def test_what_the_autopilots_take_best() -> None:
    assert ArduPilot().aiding_routes[0] is AidingRoute.ODOMETRY and Px4().aiding_routes[0] is AidingRoute.ODOMETRY
    assert AidingRoute.GPS_INPUT not in Px4().aiding_routes
    assert OtherStack().aiding_routes == ()
