"""Whose target: ours, or somebody else's, by what is commanded on the link and by what the autopilot reports."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.geodesy import offset
from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.events import ForeignTarget, TargetTaken
from runtime.vehicle.px4.stack import Px4
from runtime.vehicle.targets import TargetWatch
from runtime.vehicle.telemetry.state import GeoHeight
from tests.runtime.vehicle.peer import GUIDED, HERE, LAND, SECOND, Peer, Voice, Wire

GROUND_STATION = Voice(255, 190)
AMSL_M = 528.0


def guided(seconds: float = 3.0) -> Wire:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(seconds)
    return wire


def ours(wire: Wire, point: GeoPoint = HERE) -> Setpoint:
    setpoint = Setpoint(wire.t_ns, point, AMSL_M, wire.t_ns + 5 * SECOND, "test")
    assert wire.vehicle.send_setpoint(setpoint, wire.t_ns) is None
    return setpoint


def reported(wire: Wire, point: GeoPoint, altitude_amsl_m: float = AMSL_M) -> None:
    wire.peer.target = (point.latitude_deg, point.longitude_deg, altitude_amsl_m)


def test_the_echo_of_our_target_is_ours() -> None:
    wire = guided()
    ours(wire)
    reported(wire, HERE, AMSL_M + 0.08)
    wire.run(2.0)
    assert wire.of(ForeignTarget) == []
    (taken,) = wire.of(TargetTaken)
    assert taken.target == HERE and 0 <= taken.latency_s < 0.5
    assert wire.vehicle.state.target_taken and wire.vehicle.state.target is not None
    assert wire.vehicle.state.target.ours


def test_a_target_that_we_never_sent_is_foreign_and_told_once() -> None:
    wire = guided()
    reported(wire, offset(HERE, 50.0, 0.0))
    wire.run(3.0)
    (foreign,) = wire.of(ForeignTarget)
    assert foreign.source == "autopilot" and foreign.target is not None
    assert foreign.target.latitude_deg == pytest.approx(offset(HERE, 50.0, 0.0).latitude_deg, abs=1e-6)
    reported(wire, offset(HERE, 90.0, 0.0))
    wire.run(1.0)
    assert len(wire.of(ForeignTarget)) == 2, "another one is news"


@pytest.mark.parametrize("north_m, up_m, foreign", [(0.5, 0.0, 0), (2.0, 0.0, 1), (0.0, 1.0, 0), (0.0, 3.0, 1)])
def test_rounding_is_forgiven_and_metres_are_not(north_m: float, up_m: float, foreign: int) -> None:
    wire = guided()
    ours(wire)
    reported(wire, offset(HERE, north_m, 0.0), AMSL_M + up_m)
    wire.run(2.0)
    assert len(wire.of(ForeignTarget)) == foreign


def test_an_older_target_of_ours_is_still_ours_but_not_taken() -> None:
    """Targets have no acknowledgement: the one on the way, or a lost one, leaves the one before in force."""
    wire = guided()
    ours(wire)
    reported(wire, HERE)
    wire.run(2.0)
    ours(wire, offset(HERE, 40.0, 0.0))
    wire.run(2.0)
    assert wire.of(ForeignTarget) == [] and wire.vehicle.state.target_taken is False


def test_what_we_sent_before_a_mode_change_counts_no_more() -> None:
    wire = guided()
    ours(wire)
    reported(wire, HERE)
    wire.run(2.0)
    wire.peer.mode = LAND
    wire.run(2.0)
    wire.peer.mode = GUIDED
    wire.run(4.0)
    assert [e.source for e in wire.of(ForeignTarget)] == ["autopilot"]
    assert wire.vehicle.state.target_taken is None


def test_targets_of_other_modes_are_nobodys_business() -> None:
    wire = guided()
    wire.peer.mode = LAND
    wire.run(1.5)
    reported(wire, offset(HERE, 50.0, 0.0))
    wire.run(5.0)
    assert wire.of(ForeignTarget) == []


def test_a_report_that_was_under_way_at_the_mode_change_is_forgiven() -> None:
    wire = Wire(peer=Peer(mode=3))  # AUTO, with a mission target
    reported(wire, offset(HERE, 50.0, 0.0))
    wire.run(3.1)
    wire.peer.mode = GUIDED
    wire.inject(wire.peer.heartbeat())
    wire.run(0.3)
    wire.peer.target = None
    wire.run(3.0)
    assert wire.of(ForeignTarget) == []


def local(mask: int, *velocity: float) -> Any:
    return mavlink.MAVLink_position_target_local_ned_message(5_000, 1, mask, 0, 0, 0, *velocity, 0, 0, 0, 0, 0)


def test_a_velocity_that_replaces_our_position_is_foreign() -> None:
    wire = guided()
    ignore_position = 0xDC7
    assert wire.inject(wire.peer.voice.say(local(ignore_position, 0.0, 0.0, 0.0))) == [], "as GUIDED is entered"
    ours(wire)
    reported(wire, HERE)
    wire.run(2.0)
    (foreign,) = wire.inject(wire.peer.voice.say(local(ignore_position, 0.0, 0.0, 0.0)))
    assert isinstance(foreign, ForeignTarget) and "velocity" in foreign.detail


def test_a_velocity_without_any_target_of_ours_is_foreign() -> None:
    wire = guided()
    (foreign,) = wire.inject(wire.peer.voice.say(local(0xDC7, 3.0, 0.0, 0.0)))
    assert isinstance(foreign, ForeignTarget) and "3.0 m/s" in foreign.detail


def point_message(x: int, y: int) -> Any:
    return mavlink.MAVLink_set_position_target_global_int_message(0, 1, 1, 6, 3576, x, y, 40.0, *[0.0] * 8)


FOREIGN = [
    ("SET_POSITION_TARGET_GLOBAL_INT", point_message(600000000, 220000000)),
    (
        "SET_POSITION_TARGET_LOCAL_NED",
        mavlink.MAVLink_set_position_target_local_ned_message(0, 1, 1, 1, 3576, *[0.0] * 11),
    ),
    ("SET_ATTITUDE_TARGET", mavlink.MAVLink_set_attitude_target_message(0, 1, 1, 0, [1, 0, 0, 0], 0, 0, 0, 0.5)),
    ("MISSION_SET_CURRENT", mavlink.MAVLink_mission_set_current_message(1, 1, 3)),
    (
        "MAV_CMD_DO_REPOSITION",
        mavlink.MAVLink_command_int_message(1, 1, 0, 192, 0, 0, -1, 1, 0, 0, 600000000, 220000000, 40),
    ),
    ("MAV_CMD_MISSION_START", mavlink.MAVLink_command_long_message(1, 1, 300, 0, *[0.0] * 7)),
    ("MAV_CMD_NAV_TAKEOFF", mavlink.MAVLink_command_long_message(0, 0, 22, 0, *[0.0] * 7)),
    *[
        (name, mavlink.MAVLink_command_long_message(1, 1, getattr(mavlink, name), 0, *[0.0] * 7))
        for name in ("MAV_CMD_DO_PAUSE_CONTINUE", "MAV_CMD_NAV_LOITER_TIME", "MAV_CMD_NAV_LOITER_TURNS",
                     "MAV_CMD_DO_FOLLOW", "MAV_CMD_DO_LAND_START", "MAV_CMD_DO_GO_AROUND", "MAV_CMD_NAV_VTOL_LAND",
                     "MAV_CMD_DO_VTOL_TRANSITION", "MAV_CMD_DO_PARACHUTE", "MAV_CMD_GUIDED_CHANGE_HEADING",
                     "MAV_CMD_GUIDED_CHANGE_SPEED", "MAV_CMD_NAV_VTOL_TAKEOFF")
    ],
    ("MISSION_ITEM (guided)", mavlink.MAVLink_mission_item_message(1, 1, 0, 3, 16, 3, 1, 0, 0, 0, 0, 0, 0, 40)),
    (
        "MISSION_ITEM_INT (guided)",
        mavlink.MAVLink_mission_item_int_message(1, 1, 0, 6, 16, 2, 1, 0, 0, 0, 0, 600000000, 220000000, 40),
    ),
]  # fmt: skip


@pytest.mark.parametrize("name, message", FOREIGN, ids=[name for name, _ in FOREIGN])
def test_targets_of_others_on_the_link_are_foreign_in_any_mode(name: str, message: Any) -> None:
    wire = Wire()
    wire.run(2.0)
    (foreign,) = wire.inject(GROUND_STATION.say(message))
    assert isinstance(foreign, ForeignTarget) and (foreign.source, foreign.detail) == ("255/190", name)
    if "_INT" in name or name == "MAV_CMD_DO_REPOSITION":
        assert foreign.target == GeoPoint(pytest.approx(60.0), pytest.approx(22.0))


def test_a_second_companion_with_our_own_ids_is_foreign_too() -> None:
    wire = guided()
    (foreign,) = wire.inject(Voice(1, 191).say(point_message(600000000, 220000000)))
    assert isinstance(foreign, ForeignTarget) and foreign.source == "1/191"


HARMLESS = [
    mavlink.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3),
    mavlink.MAVLink_command_long_message(1, 1, 511, 0, *[0.0] * 7),
    mavlink.MAVLink_param_request_list_message(1, 1),
    mavlink.MAVLink_set_position_target_global_int_message(0, 2, 1, 6, 3576, 0, 0, 0, *[0.0] * 8),
    mavlink.MAVLink_mission_item_int_message(1, 1, 0, 6, 16, 0, 1, 0, 0, 0, 0, 0, 0, 40),
]


@pytest.mark.parametrize("message", HARMLESS, ids=lambda message: message.get_type())
def test_what_a_ground_station_does_all_day_is_not(message: Any) -> None:
    wire = guided()
    assert wire.inject(GROUND_STATION.say(message)) == []


class OffboardEcho:
    """A watch on PX4 in OFFBOARD, which reports the target that it follows in metres about the origin at 10 Hz."""

    def __init__(self) -> None:
        self.watch = TargetWatch()
        self.origin = GeoHeight(HERE, 500.0)
        self.watch.mode_changed(True, 0)
        self.t_ns = 2 * SECOND
        self.watch.sent(HERE, AMSL_M, self.t_ns)
        self.report()

    def report(self, north_m: float = 0.0, up_m: float = 0.0, seconds: float = 0.1) -> list[ForeignTarget]:
        """What the watch says of reports that are so far off our target for that long."""
        said = []
        for _ in range(round(seconds * 10)):
            self.t_ns += SECOND // 10
            down_m = 500.0 - AMSL_M - up_m
            message = mavlink.MAVLink_position_target_local_ned_message(0, 1, 0, north_m, 0.0, down_m, *[0.0] * 8)
            said += self.watch.local_report(message, self.origin, Px4().point_at, self.t_ns)
        return [event for event in said if isinstance(event, ForeignTarget)]


@pytest.mark.parametrize("north_m, up_m", [(1.1, 0.0), (4.0, 0.0), (0.0, 3.0)])
def test_a_target_that_px4s_estimator_moved_until_the_next_of_ours_is_not_foreign(north_m: float, up_m: float) -> None:
    """Its position reset by 1.1 m at a corner of a flight by sight: 0.2 s until our next target had put that right."""
    echo = OffboardEcho()
    assert echo.report(north_m, up_m, seconds=0.2) == []
    assert echo.report(seconds=3.0) == []
    assert echo.report(north_m, up_m, seconds=0.2) == [], "the next reset, long after"


@pytest.mark.parametrize("north_m, up_m, seconds", [(1.1, 0.0, 0.6), (5.5, 0.0, 0.1), (0.0, 5.5, 0.1), (3.5, 4.0, 0.6)])
def test_one_that_stays_moved_or_is_far_is_foreign(north_m: float, up_m: float, seconds: float) -> None:
    echo = OffboardEcho()
    (foreign,) = echo.report(north_m, up_m, seconds)
    assert foreign.source == "autopilot"


def test_two_senders_who_take_turns_are_seen_at_the_second_turn() -> None:
    echo = OffboardEcho()
    assert echo.report(3.0, seconds=0.2) == [] == echo.report(seconds=0.2)
    assert len(echo.report(3.0)) == 1


def test_near_a_target_of_an_earlier_stint_nothing_is_forgiven() -> None:
    echo = OffboardEcho()
    echo.watch.mode_changed(False, echo.t_ns)
    echo.watch.mode_changed(True, echo.t_ns)
    echo.report(seconds=1.0)
    assert len(echo.report(1.1)) == 1


def test_a_stack_that_is_told_once_moves_no_target_by_itself() -> None:
    wire = guided()
    ours(wire)
    reported(wire, HERE)
    wire.run(2.0)
    reported(wire, offset(HERE, 1.1, 0.0))
    wire.run(0.15)
    reported(wire, HERE)
    wire.run(1.0)
    assert len(wire.of(ForeignTarget)) == 1
