"""The vehicle and the built-in autopilot, byte for byte: connect, be taken over, fly to a point, lose GPS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from runtime.geodesy import distance_m, offset
from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.events import ForeignTarget, ModeChanged, Rebooted, TargetTaken, VehicleEvent
from runtime.vehicle.vehicle import Vehicle
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from tests.runtime.vehicle.peer import GUIDED, LOITER, MS, SECOND, Voice

HOME = GeoPoint(60.4, 22.1)
CONFIG = AutopilotConfig(home=HOME, ready_at_boot=True, clock_offset_ns=123 * SECOND, seed=100003)


@dataclass
class Flight:
    """The autopilot with us on link 0 and a ground station on link 1."""

    autopilot: Autopilot = field(default_factory=lambda: Autopilot(CONFIG))
    vehicle: Vehicle = field(default_factory=Vehicle)
    t_ns: int = 0
    events: list[VehicleEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ground = Voice(255, 190)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self.t_ns += 20 * MS
            self.autopilot.advance(self.t_ns)
            self.events += self.vehicle.receive(self.autopilot.transmit(0), self.t_ns)
            self.vehicle.feed_heartbeat(self.t_ns)
            self.events += self.vehicle.tick(self.t_ns)
            self.autopilot.receive(self.vehicle.outgoing(), 0)
            self.autopilot.transmit(1)

    def ground(self, message: Any) -> None:
        self.autopilot.receive(self._ground.say(message), 1)

    def command(self, number: int, *parameters: float) -> None:
        rest = [0.0] * (7 - len(parameters))
        self.ground(mavlink.MAVLink_command_long_message(1, 1, number, 0, *parameters, *rest))

    def mode(self, number: int) -> None:
        self.command(mavlink.MAV_CMD_DO_SET_MODE, 1, number)

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    def go(self, point: GeoPoint) -> str | None:
        height = self.vehicle.state.telemetry.altitude_amsl_m
        assert height is not None
        return self.vehicle.send_setpoint(
            Setpoint(self.t_ns, point, height.value, self.t_ns + 5 * SECOND, "test"), self.t_ns
        )


def airborne() -> Flight:
    """In GUIDED at 40 m, granted by the pilot from LOITER."""
    flight = Flight()
    flight.run(6.0)
    flight.mode(GUIDED)
    flight.run(0.5)
    flight.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1)
    flight.run(1.0)
    flight.command(mavlink.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, 40)
    flight.run(25.0)
    flight.mode(LOITER)
    flight.run(2.0)
    flight.mode(GUIDED)
    flight.run(2.0)
    flight.events.clear()
    return flight


def test_it_connects_with_every_required_stream_and_a_clock() -> None:
    flight = Flight()
    flight.run(6.0)
    state = flight.vehicle.state
    assert state.problems == () and state.ready
    assert state.timesync_offset_ns is not None
    nav = flight.vehicle.poses.at(flight.t_ns - 100 * MS)
    assert nav is not None and nav.position is not None and distance_m(nav.position.point, HOME) < 10.0


def test_it_flies_to_our_target_and_says_that_it_took_it() -> None:
    flight = airborne()
    assert flight.vehicle.state.telemetry.landed == "in_air"
    target = offset(HOME, 60.0, 40.0)
    assert flight.go(target) is None
    flight.run(20.0)
    assert [e.target for e in flight.of(TargetTaken)] == [target]
    assert flight.of(ForeignTarget) == []
    where = flight.vehicle.state.telemetry
    assert where.position is not None and distance_m(where.position, target) < 1.0
    assert where.altitude_amsl_m is not None and where.altitude_amsl_m.value == pytest.approx(528.1, abs=0.5)


def test_a_go_to_of_the_ground_station_over_its_own_radio_is_foreign() -> None:
    flight = airborne()
    flight.go(offset(HOME, 60.0, 0.0))
    flight.run(2.0)
    there = offset(HOME, -80.0, 0.0)
    flight.ground(
        mavlink.MAVLink_set_position_target_global_int_message(
            0, 1, 1, 6, 3576, round(there.latitude_deg * 1e7), round(there.longitude_deg * 1e7), 40.0, *[0.0] * 8
        )
    )
    flight.run(1.0)
    (foreign,) = flight.of(ForeignTarget)
    assert foreign.source == "autopilot" and distance_m(foreign.target, there) < 0.5


def test_a_take_over_is_seen_at_once_and_nothing_goes_out_after_it() -> None:
    flight = airborne()
    flight.go(offset(HOME, 60.0, 0.0))
    flight.run(1.0)
    asked_ns = flight.t_ns
    flight.mode(LOITER)
    flight.run(1.0)
    (changed,) = flight.of(ModeChanged)
    assert (changed.mode, changed.previous) == ("LOITER", "GUIDED") and changed.t_ns - asked_ns <= 100 * MS
    assert flight.go(offset(HOME, 60.0, 0.0)) == "not_guided"


def test_a_reboot_on_the_ground_is_seen_and_survived() -> None:
    flight = Flight()
    flight.run(6.0)
    flight.command(mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 1)
    flight.run(8.0)
    assert len(flight.of(Rebooted)) == 1
    assert flight.vehicle.state.streams_missing == ()
