"""PX4 guided in Hold: what is sent there, and which change to Hold can only be the pilot's."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from runtime.guidance.reasons import State
from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import ModeChanged
from runtime.vehicle.vehicle import Vehicle
from sim.authority.pilot import Pilot
from tests.runtime.vehicle.peer import SECOND, Peer, Wire

AUTO = 4 << 16
TAKEOFF, HOLD, MISSION, RTL = (AUTO | sub << 24 for sub in (2, 3, 4, 5))
OFFBOARD = 6 << 16
POSCTL, ALTCTL = 3 << 16, 2 << 16
POINT = GeoPoint(60.1234567, -22.7654321)


def flying(mode: int) -> Wire:
    vehicle = Vehicle(VehicleConfig(px4_hold=True))
    wire = Wire(vehicle=vehicle, peer=Peer(mode=mode, autopilot=mavlink.MAV_AUTOPILOT_PX4, system_id=4))
    wire.run(3.0)
    return wire


def sent(wire: Wire) -> list[Any]:
    """What was sent that moves a vehicle."""
    names = ("SET_POSITION_TARGET_GLOBAL_INT", "COMMAND_INT")
    return [packet.message for name in names for _, packet in wire.sent_of(name)]


def test_in_hold_a_target_is_a_reposition_without_flags_above_the_sea() -> None:
    wire = flying(HOLD)
    setpoint = Setpoint(wire.t_ns, POINT, 528.25, wire.t_ns + 5 * SECOND, "test")
    assert wire.vehicle.send_setpoint(setpoint, wire.t_ns) is None
    wire.run(3.0)
    (m,) = sent(wire)
    assert (m.get_type(), m.command) == ("COMMAND_INT", mavlink.MAV_CMD_DO_REPOSITION), "once: Hold keeps its place"
    assert (m.target_system, m.target_component, m.frame) == (4, 1, mavlink.MAV_FRAME_GLOBAL_INT)
    assert (m.x, m.y, m.z) == (601234567, -227654321, 528.25)
    assert (m.param1, m.param2) == (-1.0, 0.0) and math.isnan(m.param4), "a flag would change the mode"


@pytest.mark.parametrize("mode", [OFFBOARD, POSCTL, MISSION])
def test_outside_hold_nothing_goes_out_and_nothing_idles(mode: int) -> None:
    wire = flying(mode)
    setpoint = Setpoint(wire.t_ns, POINT, 528.25, wire.t_ns + 5 * SECOND, "test")
    assert wire.vehicle.send_setpoint(setpoint, wire.t_ns) == "not_guided"
    assert wire.vehicle.send_idle(setpoint, wire.t_ns) == "no_stream_wanted"
    wire.run(1.0)
    assert sent(wire) == []


def change(before: int, after: int, status: int = mavlink.MAV_STATE_ACTIVE) -> ModeChanged:
    wire = flying(before)
    wire.peer.mode, wire.peer.status = after, status
    wire.run(1.5)
    return [event for event in wire.events if isinstance(event, ModeChanged)][-1]


@pytest.mark.parametrize("before", [POSCTL, ALTCTL])
def test_a_change_to_hold_from_a_mode_flown_by_hand_is_the_pilots(before: int) -> None:
    assert change(before, HOLD).guided and change(before, HOLD).by_pilot


@pytest.mark.parametrize("before", [TAKEOFF, MISSION, RTL, OFFBOARD])
def test_from_any_other_px4_may_have_changed_by_itself(before: int) -> None:
    assert change(before, HOLD).guided and not change(before, HOLD).by_pilot


def test_a_failsafe_that_ends_in_hold_is_nobodys_switch() -> None:
    assert not change(POSCTL, HOLD, mavlink.MAV_STATE_CRITICAL).by_pilot


def test_a_change_that_may_be_the_autopilots_own_grants_nothing() -> None:
    for by_pilot, state in ((True, State.ENGAGED), (False, State.MONITOR)):
        pilot = Pilot()
        pilot.to(State.READY)
        pilot.vehicle = replace(pilot.vehicle, guided=True)
        pilot.guidance.mode_seen(pilot.t_ns, True, by_pilot=by_pilot)
        assert pilot.tick().state is state

