"""A plane of ArduPilot: what is sent to it, and whose target it reports."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runtime.daemon.revocations import revocation
from runtime.daemon.situation_of import situation_of
from runtime.geodesy import offset
from runtime.guidance.reasons import Reason
from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import ForeignTarget, TargetRefused, TargetTaken
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.vehicle.peer import HERE, SECOND, Peer, Wire

GUIDED, LOITER, QLOITER = 15, 12, 19
PLACE = offset(HERE, 900.0, 300.0)
AMSL_M = 528.0


def flying(mode: int = LOITER, kind: int = mavlink.MAV_TYPE_FIXED_WING, **peer: Any) -> Wire:
    wire = Wire(vehicle=Vehicle(VehicleConfig(loiter_radius_m=110.0)), peer=Peer(mode=mode, kind=kind, **peer))
    wire.peer.target = (HERE.latitude_deg, HERE.longitude_deg, AMSL_M)  # it always reports one
    wire.run(3.0)
    return wire


def enters_guided(wire: Wire) -> GeoPoint:
    """It takes for its target the place where it is, a little behind."""
    here = wire.vehicle.state.telemetry.position
    assert here is not None
    wire.peer.mode = GUIDED
    entered = offset(here, -10.0, 0.0)
    reported(wire, entered)
    wire.inject(wire.peer.heartbeat())
    return entered


def reported(wire: Wire, point: GeoPoint, altitude_amsl_m: float = AMSL_M) -> None:
    wire.peer.target = (point.latitude_deg, point.longitude_deg, altitude_amsl_m)


def sends(wire: Wire, point: GeoPoint = PLACE) -> str | None:
    setpoint = Setpoint(wire.t_ns, point, AMSL_M, wire.t_ns + SECOND, "test")
    return wire.vehicle.send_setpoint(setpoint, wire.t_ns)


@pytest.mark.parametrize("kind", [mavlink.MAV_TYPE_FIXED_WING, 19, 22, 25])
def test_a_target_is_a_reposition_without_flags_with_the_radius_of_its_circle(kind: int) -> None:
    wire = flying(kind=kind)
    enters_guided(wire)
    assert wire.vehicle.state.telemetry.mode == "GUIDED" and sends(wire) is None
    wire.run(3.0)
    ((_, packet),) = wire.sent_of("COMMAND_INT")
    m = packet.message
    assert (m.command, m.target_system, m.target_component, m.frame) == (mavlink.MAV_CMD_DO_REPOSITION, 1, 1, 5)
    assert (m.param1, m.param2, m.param3) == (-1.0, 0.0, 110.0) and math.isnan(m.param4), "clockwise"
    assert (m.x, m.y, m.z) == (round(PLACE.latitude_deg * 1e7), round(PLACE.longitude_deg * 1e7), AMSL_M)
    assert wire.sent_of("SET_POSITION_TARGET_GLOBAL_INT") == [], "it would change the height alone"


@pytest.mark.parametrize("mode", [LOITER, QLOITER, 4, 21])
def test_in_any_other_mode_nothing_goes_out(mode: int) -> None:
    wire = flying(mode)
    assert sends(wire) == "not_guided" and wire.sent_of("COMMAND_INT") == []


def test_guidance_is_told_that_it_circles_and_a_plane_of_px4_is_none_of_ours() -> None:
    seen = {}
    for autopilot in (mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, mavlink.MAV_AUTOPILOT_PX4):
        for kind in (mavlink.MAV_TYPE_FIXED_WING, mavlink.MAV_TYPE_QUADROTOR, mavlink.MAV_TYPE_GROUND_ROVER):
            wire = flying(kind=kind, autopilot=autopilot)
            now = situation_of(wire.vehicle.state, wire.t_ns)
            seen[autopilot, kind] = now.hovers, now.loiter_radius_m
    other = False, None
    assert list(seen.values()) == [(False, 110.0), (True, None), other, other, (True, None), other]


def test_the_place_where_guided_was_entered_is_nobodys_target() -> None:
    wire = flying()
    enters_guided(wire)
    assert not situation_of(wire.vehicle.state, wire.t_ns).entered_here, "it has not said so yet"
    wire.run(5.0)
    assert wire.of(ForeignTarget) == [] and situation_of(wire.vehicle.state, wire.t_ns).entered_here
    sends(wire)
    reported(wire, PLACE, AMSL_M + 0.01)
    wire.run(1.0)
    assert len(wire.of(TargetTaken)) == 1 and wire.vehicle.state.target_taken
    assert situation_of(wire.vehicle.state, wire.t_ns).target_taken


@pytest.mark.parametrize(("north_m", "up_m"), [(150.0, 0.0), (30.0, 0.0), (0.0, 12.0)])
def test_any_other_is_a_strangers(north_m: float, up_m: float) -> None:
    """Sent over another radio; a change of the height alone is one too, which SET_POSITION_TARGET does there."""
    wire = flying()
    entered = enters_guided(wire)
    wire.run(2.0)
    reported(wire, offset(entered, north_m, 0.0), AMSL_M + up_m)
    wire.run(1.0)
    (foreign,) = wire.of(ForeignTarget)
    assert foreign.source == "autopilot" and revocation(foreign) is Reason.FOREIGN_TARGET


def test_where_a_fence_leads_it_as_guided_begins_is_no_place_of_entry() -> None:
    wire = flying()
    here = wire.vehicle.state.telemetry.position
    assert here is not None
    wire.peer.mode = GUIDED
    reported(wire, offset(here, 70.0, 0.0))
    wire.inject(wire.peer.heartbeat())
    wire.run(2.0)
    assert not situation_of(wire.vehicle.state, wire.t_ns).entered_here and len(wire.of(ForeignTarget)) == 1
    assert situation_of(Wire().vehicle.state, 0).entered_here, "of others nothing like it is known"


def test_nor_is_one_forgiven_that_comes_beside_ours_as_guided_is_entered() -> None:
    wire = flying()
    here = wire.vehicle.state.telemetry.position
    assert here is not None
    wire.peer.target, wire.peer.mode = None, GUIDED
    wire.inject(wire.peer.heartbeat())
    sends(wire)
    reported(wire, offset(here, 20.0, 0.0))
    wire.run(3.0)
    assert len(wire.of(ForeignTarget)) == 1


def test_one_that_is_met_in_guided_with_a_target_elsewhere_flies_for_somebody_else() -> None:
    wire = Wire(peer=Peer(mode=GUIDED, kind=mavlink.MAV_TYPE_FIXED_WING))
    reported(wire, PLACE)
    wire.run(4.0)
    assert len(wire.of(ForeignTarget)) == 1


@pytest.mark.parametrize("result", [mavlink.MAV_RESULT_DENIED, mavlink.MAV_RESULT_FAILED])
def test_a_target_that_is_refused_ends_the_flight(result: int) -> None:
    wire = flying()
    enters_guided(wire)
    sends(wire)
    wire.inject(wire.peer.ack(mavlink.MAV_CMD_DO_REPOSITION, mavlink.MAV_RESULT_ACCEPTED))
    wire.inject(wire.peer.ack(mavlink.MAV_CMD_DO_REPOSITION, result, to=(255, 190)))
    assert wire.of(TargetRefused) == []
    wire.inject(wire.peer.ack(mavlink.MAV_CMD_DO_REPOSITION, result))
    (refused,) = wire.of(TargetRefused)
    assert revocation(refused) is Reason.TARGET_REFUSED


def test_no_stream_is_asked_for_that_a_plane_of_50_loops_a_second_denies() -> None:
    """ArduPlane's own default; it answers "Requested rate too fast" to an interval of less than 25 ms."""
    wire = flying()
    asked = {packet.message.param1: packet.message.param2 for _, packet in wire.sent_of("COMMAND_LONG")}
    assert asked[mavlink.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT] == 50_000 and min(asked.values()) >= 25_000
