"""What feeds the estimator leaves in the very bytes that the autopilots took when they were recorded."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from runtime.mavlink.dialect import mavlink
from runtime.rotations import rotation
from runtime.values import Aiding, FailedOdometry, GeoPoint, LocalOdometry, LocalOrigin, Measured, ReceiverFix, circular
from runtime.vehicle.ardupilot.stack import ArduPilot
from runtime.vehicle.commands import Command
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import CommandDone
from runtime.vehicle.injection import gps_input, gps_time, set_origin
from runtime.vehicle.px4.stack import Px4
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.vehicle.peer import GUIDED, MS, SECOND, Peer, Voice, Wire

ARDUPILOT, PX4 = mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, mavlink.MAV_AUTOPILOT_PX4
# Payloads of frames that a companion sent to ArduCopter 4.7.0-dev and PX4 1.18, which flew on them.
ARDUCOPTER_ODOMETRY = (
    "0c790f5eda60060006e80b437fea76bcc0f51fc2a2a9773f08db4eb9cb9681beded671bb79000c414dc37e3d103a9dc0"
)
ARDUCOPTER_SWITCH = "00000040000000000000000000000000000000000000000000000000" + "17a40101"
ARDUCOPTER_ORIGIN = "a850401c80f4170540720700" + "01" + "3b84d559da6006"
ARDUCOPTER_GPS_INPUT = (
    "218cf25eda600600f27c1a02cab4401c7bf41705a4000444cdcc4c3f0000803f65fa1f4173b1593ba9392bbb9a99993e"
    "cdcc4c3f9a99993f00008e0901030e"
)
PX4_ODOMETRY = "eea82d67da600600f3f5a842879ec8bd894120c227ee79bff12519bcdc5a5d3ee692d4bb8fc295400ad7233d00000000"


def decoded(message: Any) -> Any:
    """What a receiver reads of a message of ours: out through the codec and in again."""
    (packet,) = mavlink.MAVLink(None).parse_buffer(Voice(1, 191).say(message))
    return packet


def payload(message: Any) -> str:
    """The payload as it travels, in hex: MAVLink 2 drops trailing zeros."""
    return Voice(1, 191).say(message)[10:-2].hex()


Ned = tuple[float, float, float]


def odometry_of(data: str, velocity_ned: bool) -> tuple[LocalOdometry, Ned]:
    """The value that says what a recorded ODOMETRY said, and where in the local frame."""
    time_usec, *numbers = struct.unpack("<Q10f", bytes.fromhex(data))
    attitude = (numbers[3], numbers[4], numbers[5], numbers[6])
    velocity = numbers[7:10] if velocity_ned else rotation(attitude).apply(numbers[7:10])
    north, east, down = (float(speed) for speed in velocity)
    measured = LocalOdometry(
        t_ns=time_usec * 1000,
        position=GeoPoint(0.0, 0.0),
        covariance_m2=circular(0.2),
        altitude_amsl_m=0.0,
        height_sigma_m=0.2,
        velocity_ned_m_s=(north, east, down),
        velocity_sigma_m_s=math.sqrt(0.02),
        ned_from_body=attitude,
        reset_counter=0,
        quality=100,
    )
    return measured, (numbers[0], numbers[1], numbers[2])


def test_ardupilot_gets_odometry_in_the_only_frames_that_it_takes() -> None:
    sent = ArduPilot().odometry(*odometry_of(ARDUCOPTER_ODOMETRY, velocity_ned=False), 0)
    recorded = struct.unpack("<Q10f", bytes.fromhex(ARDUCOPTER_ODOMETRY))
    assert struct.unpack("<Q10f", bytes.fromhex(payload(sent))[:48]) == pytest.approx(recorded, rel=1e-6)
    read = decoded(sent)
    assert (read.frame_id, read.child_frame_id) == (mavlink.MAV_FRAME_LOCAL_FRD, mavlink.MAV_FRAME_BODY_FRD)
    assert (read.quality, read.estimator_type, read.reset_counter) == (100, mavlink.MAV_ESTIMATOR_TYPE_VISION, 0)
    assert all(map(math.isfinite, (*read.pose_covariance, *read.velocity_covariance))), "NaN there is a fault to it"


def test_px4_gets_odometry_in_ned_stamped_by_our_clock() -> None:
    sent = Px4().odometry(*odometry_of(PX4_ODOMETRY, velocity_ned=True), 77_777 * MS)
    assert payload(sent)[:96] == PX4_ODOMETRY, "PX4 maps our clock itself: an offset would be applied twice"
    read = decoded(sent)
    assert (read.frame_id, read.child_frame_id) == (mavlink.MAV_FRAME_LOCAL_NED, mavlink.MAV_FRAME_LOCAL_NED)


def test_golden_bytes_of_the_switch_the_origin_and_a_receivers_answer() -> None:
    packed = Wire(peer=Peer(mode=GUIDED))
    packed.run(2.0)
    packed.vehicle.send_command(Command.source_set(2), packed.t_ns)
    packed.step()
    ((_, switch),) = [(t, p) for t, p in packed.sent_of("COMMAND_LONG") if p.message.command == 42007]
    assert switch.raw[10:-2].hex() == ARDUCOPTER_SWITCH
    origin = set_origin(LocalOrigin(GeoPoint(47.3977, 8.5456), 488.0), 1)
    assert payload(origin) == ARDUCOPTER_ORIGIN[:26], "all but the stamp, of which we claim nothing"
    fix = ReceiverFix(
        t_ns=1_795_340_872_354_849_000,
        receiver=1,
        position=GeoPoint(47.4002634, 8.5455995),
        covariance_m2=circular(0.8),
        altitude_amsl_m=Measured(528.010009765625, 1.2, "vehicle"),
        velocity_ned_m_s=(9.998631477355957, 0.0033217340242117643, -0.0026126897428184748),
        velocity_sigma_m_s=0.3,
    )
    said_by_us = {*range(24, 32), *range(56, 58), 62}  # no dilutions, so the flags; how many satellites
    sent, recorded = (
        [byte for place, byte in enumerate(bytes.fromhex(data)) if place not in said_by_us]
        for data in (payload(gps_input(fix, 0, 0)), ARDUCOPTER_GPS_INPUT)
    )
    assert sent == recorded


def test_gps_time_begins_a_week_at_sunday_midnight() -> None:
    assert gps_time(1_704_585_600_000_000_000 - 18_000_000_000) == (2296, 0)  # 2024-01-07 00:00 GPS


@pytest.mark.parametrize("stack", [ArduPilot(), Px4()])
def test_a_failure_is_a_quality_and_no_position(stack: ArduPilot | Px4) -> None:
    read = decoded(stack.failed_odometry(FailedOdometry(5 * SECOND, 3), 0))
    assert read.quality == -1 and read.reset_counter == 3
    assert all(map(math.isnan, (read.x, read.y, read.z, read.vx, read.vy, read.vz, read.pose_covariance[0])))


def test_a_failure_tells_px4_no_heading() -> None:
    """Without EKF2_EV_QMIN PX4 looks at no quality: a level attitude would be a nose that points north, to 0.1 rad."""
    assert all(map(math.isnan, decoded(Px4().failed_odometry(FailedOdometry(SECOND, 0), 0)).q))


def test_the_dilution_of_a_receiver_is_its_accuracy() -> None:
    """ArduPilot takes a dilution that is left out for 655, and never begins with a receiver of more than 2.5."""
    told = [ReceiverFix(SECOND, 0, GeoPoint(60, 22), circular(s), Measured(9, 1.5, ""), (0, 0, 0), 0.3) for s in (1, 8)]
    good, poor = (decoded(gps_input(fix, 0, None)) for fix in told)
    assert good.ignore_flags == 0 and good.hdop == pytest.approx(1 / 3) and good.vdop == 0.5
    assert poor.hdop > 2.5 > good.hdop


def test_a_receiver_without_a_fix_has_no_position_and_without_utc_no_time() -> None:
    fix = ReceiverFix(SECOND, 1, None, circular(1e3), Measured(0.0, 1e3, ""), (0.0, 0.0, 0.0), 1e2)
    read = decoded(gps_input(fix, 0, None))
    assert (read.fix_type, read.lat, read.lon, read.satellites_visible) == (1, 0, 0, 0)
    assert (read.time_week, read.time_week_ms) == (0, 0) and read.hdop > 600


# --- what the link allows ----------------------------------------------------------------------------------------


def flying(autopilot: int = ARDUPILOT, origin: GeoPoint | None = GeoPoint(47.3977, 8.5456), **config: bool) -> Wire:  # noqa: B008
    wire = Wire(Vehicle(VehicleConfig(**config)), Peer(mode=GUIDED, autopilot=autopilot))  # type: ignore[arg-type]
    wire.run(3.0)
    if origin is not None:
        degrees = round(origin.latitude_deg * 1e7), round(origin.longitude_deg * 1e7)
        wire.inject(wire.peer.voice.say(mavlink.MAVLink_gps_global_origin_message(*degrees, 488_100, 0)))
    return wire


def at(t_ns: int, position: GeoPoint = GeoPoint(47.4030948, 8.5455995)) -> LocalOdometry:  # noqa: B008
    return LocalOdometry(
        t_ns, position, circular(2.0), 528.1, 1.0, (3.0, 0.0, 0.0), 0.5, (1.0, 0, 0, 0), 259, 50
    )  # fmt: skip


@pytest.mark.parametrize(
    "autopilot, origin, point, north_east_m",
    [  # LOCAL_POSITION_NED and GLOBAL_POSITION_INT of one instant, as the autopilots were recorded
        (ARDUPILOT, GeoPoint(47.3977, 8.5456), GeoPoint(47.4030948, 8.5455995), (600.5499, -0.0443)),
        (ARDUPILOT, GeoPoint(47.3977, 8.5456), GeoPoint(47.3984185, 8.5464106), (79.9773, 61.0836)),
        (PX4, GeoPoint(47.3977017, 8.5455999), GeoPoint(47.3992743, 8.5456013), (174.8719, 0.1152)),
    ],
)
def test_the_local_frame_has_the_autopilots_own_metres(
    autopilot: int, origin: GeoPoint, point: GeoPoint, north_east_m: tuple[float, float]
) -> None:
    """ArduPilot counts a thousandth more than the ellipsoid has there, 0.76 m in 600 m; 0.3 % in latitude 35."""
    wire = flying(autopilot, origin)
    assert wire.vehicle.send_injection(at(wire.t_ns, point), wire.t_ns) is None
    wire.step()
    ((_, packet),) = wire.sent_of("ODOMETRY")
    assert (packet.message.x, packet.message.y) == pytest.approx(north_east_m, abs=0.03), "to 1e-7 degrees"
    assert packet.message.z == pytest.approx(-40.0, abs=1e-4)
    back = wire.vehicle._roster.stack.point_at(origin, packet.message.x, packet.message.y)
    assert (back.latitude_deg, back.longitude_deg) == pytest.approx((point.latitude_deg, point.longitude_deg), abs=1e-7)


def test_without_an_origin_there_is_no_local_frame() -> None:
    wire = flying(origin=None)
    assert wire.vehicle.send_injection(at(wire.t_ns), wire.t_ns) == "no_origin"
    assert wire.vehicle.send_injection(FailedOdometry(wire.t_ns, 0), wire.t_ns) is None


def test_a_stamp_is_the_measurements_on_the_autopilots_clock() -> None:
    wire = flying()
    exposed_ns = wire.t_ns - 60 * MS
    assert wire.vehicle.send_injection(at(exposed_ns), wire.t_ns) is None
    wire.step()
    ((_, packet),) = wire.sent_of("ODOMETRY")
    assert packet.message.time_usec == pytest.approx((exposed_ns + wire.peer.clock_offset_ns) / 1000, abs=50)
    assert packet.message.reset_counter == 259 % 256


@pytest.mark.parametrize("message", [at(SECOND), FailedOdometry(SECOND, 0), LocalOrigin(GeoPoint(60.0, 22.0), 10.0)])
def test_nothing_leaves_on_a_link_that_may_not_carry_it(message: Aiding) -> None:
    assert Vehicle().send_injection(message, SECOND) == "vehicle_silent"
    wire = flying()
    wire.inject(Voice(1, 191).say(mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3)))
    assert wire.vehicle.send_injection(message, wire.t_ns) == "second_companion"
    deaf = Wire(peer=Peer(mode=GUIDED, answers=False))
    deaf.run(2.0)
    assert deaf.vehicle.send_injection(message, deaf.t_ns) == "time_not_synced"
    for one in (wire, deaf):
        one.step()
        assert not [p for _, p in one.sent if p.name in ("ODOMETRY", "SET_GPS_GLOBAL_ORIGIN", "GPS_INPUT")]


def test_the_switch_ends_in_an_answer() -> None:
    wire = flying()
    wire.vehicle.send_command(Command.source_set(3), wire.t_ns)
    wire.run(0.2)
    (done,) = [event for event in wire.of(CommandDone) if event.command == 42007]
    assert (done.parameter, done.result, done.accepted) == (3.0, "ACCEPTED", True)


@pytest.mark.parametrize("number", [0, 4, -1])
def test_there_are_three_source_sets(number: int) -> None:
    with pytest.raises(ValueError, match="source sets 1 to 3"):
        Command.source_set(number)


def test_utc_is_asked_for_and_read_where_a_receivers_answer_needs_it() -> None:
    assert "SYSTEM_TIME" not in {stream.name for stream in flying().vehicle.state.streams}
    wire = flying(unix_time=True)
    assert "SYSTEM_TIME" in {stream.name for stream in wire.vehicle.state.streams}
    boot_ms = wire.peer.boot_ms(wire.t_ns)
    wire.inject(wire.peer.voice.say(mavlink.MAVLink_system_time_message(0, boot_ms)))
    assert wire.vehicle.state.telemetry.unix_offset_ns is None, "its clock was never set"
    wire.inject(wire.peer.voice.say(mavlink.MAVLink_system_time_message(1_795_340_872_354_849, boot_ms)))
    assert wire.vehicle.state.telemetry.unix_offset_ns == pytest.approx(
        1_795_340_872_354_849_000 - wire.t_ns, abs=2 * MS
    )
