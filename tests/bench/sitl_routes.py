"""Each route of the injection against a real autopilot that stands on the ground: does its estimator take it?

``python -m tests.bench.sitl_routes --connect tcp:127.0.0.1:5760 --route odometry``: says 10 times a second that the
vehicle stands 30 m north and 20 m west of where its local frame begins, with an error and a sigma of 1 m; then that it
jumped by 15 m; then that nothing is measured. The autopilot's parameters are set before, by `homing doctor --vehicle
--apply`, and it has no other position (ArduPilot: GPS1_TYPE 0 and the source set 1; PX4: EKF2_GPS_CTRL 0).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.clock import MonotonicClock
from runtime.geodesy import north_east_m, offset
from runtime.values import (
    Aiding,
    AidingRoute,
    FailedOdometry,
    GeoPoint,
    GlobalPosition,
    LocalOdometry,
    LocalOrigin,
    Measured,
    PositionEstimate,
    ReceiverFix,
    circular,
)
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import CommandDone
from runtime.vehicle.link.link import MavlinkLink
from runtime.vehicle.vehicle import Vehicle

STANDS_M = (30.0, -20.0)  # north, east of the origin
JUMP_M = 15.0
SIGMA_M = 1.0
PERIOD_S = 0.1
DELAY_NS = 80_000_000


@dataclass
class Companion:
    """A vehicle room on a link; `run` lets time pass and feeds."""

    vehicle: Vehicle
    link: MavlinkLink
    base: GeoPoint  # of what is said and of what is believed; the autopilot's origin once it has one
    altitude_m: float
    clock: MonotonicClock = field(default_factory=MonotonicClock)
    refusals: set[str] = field(default_factory=set)
    answers: dict[str, int] = field(default_factory=dict)
    sent: int = 0

    def turn(self) -> None:
        self.link.wait(0.02)
        events = []
        for data, arrived_ns in self.link.read():
            events += self.vehicle.receive(data, arrived_ns)
        now_ns = self.clock.now_ns()
        self.vehicle.feed_heartbeat(now_ns)
        events += self.vehicle.tick(now_ns)
        self.link.write(self.vehicle.outgoing())
        for event in events:
            if isinstance(event, CommandDone) and event.command == 43003:
                self.answers[event.result] = self.answers.get(event.result, 0) + 1

    def send(self, message: Aiding) -> None:
        refusal = self.vehicle.send_injection(message, self.clock.now_ns())
        self.sent += refusal is None
        if refusal is not None:
            self.refusals.add(refusal)

    def run(
        self, seconds: float, said: Callable[[int], Aiding | None] = lambda t_ns: None
    ) -> list[tuple[float, float]]:
        """The autopilot's positions meanwhile, north and east of the base."""
        until, due, positions = time.monotonic() + seconds, time.monotonic(), []
        while time.monotonic() < until:
            self.turn()
            if time.monotonic() >= due:
                due += PERIOD_S
                message = said(self.clock.now_ns() - DELAY_NS)
                if message is not None:
                    self.send(message)
                positions.append(self.believes())
        return [place for place in positions if place is not None]

    def believes(self) -> tuple[float, float] | None:
        position = self.vehicle.state.telemetry.position
        return None if position is None else north_east_m(self.base, position)


def fed(route: AidingRoute, companion: Companion, north_m: float, counter: int, t_ns: int) -> Aiding:
    altitude = companion.altitude_m
    error_m = 0.005 * SIGMA_M if route is AidingRoute.GPS_INPUT else SIGMA_M  # a receiver that drifts is not begun with
    north, east = random.gauss(north_m, error_m), random.gauss(STANDS_M[1], error_m)
    place = offset(companion.base, north, east)
    if route is AidingRoute.GLOBAL_POSITION:
        return GlobalPosition(t_ns, 1, place, circular(SIGMA_M))
    if route is AidingRoute.POSITION_ESTIMATE:
        return PositionEstimate(t_ns, place, circular(SIGMA_M))
    if route is AidingRoute.GPS_INPUT:
        return ReceiverFix(
            t_ns, 0, place, circular(SIGMA_M), Measured(altitude, 1.0, "bench"), (0.0, 0.0, 0.0), 0.3
        )  # fmt: skip
    nav = companion.vehicle.poses.latest()
    attitude = (nav.pose.ned_from_body if nav is not None else None) or (1.0, 0.0, 0.0, 0.0)
    return LocalOdometry(
        t_ns, place, circular(SIGMA_M), altitude, 1.0, (0.0, 0.0, 0.0), 0.3, attitude, counter, 80, route
    )  # fmt: skip


def failed(route: AidingRoute, t_ns: int) -> Aiding | None:
    if route is AidingRoute.GLOBAL_POSITION:
        return GlobalPosition(t_ns, 1, None, circular(1e3))
    if route is AidingRoute.GPS_INPUT:
        return ReceiverFix(t_ns, 0, None, circular(1e3), Measured(0.0, 1e3, "bench"), (0.0, 0.0, 0.0), 1e2)
    return None if route is AidingRoute.POSITION_ESTIMATE else FailedOdometry(t_ns, 1, route)


def off_m(positions: list[tuple[float, float]], north_m: float) -> float | None:
    """The mean's distance from where it was said to stand."""
    last = positions[-20:]
    if not last:
        return None
    north, east = (sum(place[axis] for place in last) / len(last) for axis in (0, 1))
    return round(((north - north_m) ** 2 + (east - STANDS_M[1]) ** 2) ** 0.5, 2)


def seconds_until(positions: list[tuple[float, float]], north_m: float) -> float | None:
    """Until the belief is within 3 m of what is said."""
    for number, (north, east) in enumerate(positions):
        if (north - north_m) ** 2 + (east - STANDS_M[1]) ** 2 < 9.0:
            return round(number * PERIOD_S, 1)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connect", required=True)
    parser.add_argument("--route", required=True, type=AidingRoute)
    parser.add_argument("--origin", type=float, nargs=3, default=(-35.363262, 149.165237, 584.0))
    asked = parser.parse_args()
    random.seed(1)
    route, clock = asked.route, MonotonicClock()
    config = VehicleConfig(unix_time=True, probe_global_position=route is AidingRoute.GLOBAL_POSITION)
    link = MavlinkLink.open(asked.connect, clock)
    companion = Companion(Vehicle(config), link, GeoPoint(*asked.origin[:2]), asked.origin[2])
    try:
        print(json.dumps(measured(companion, route)))
    finally:
        link.close()
    return 0


def measured(companion: Companion, route: AidingRoute) -> dict[str, object]:
    companion.run(8.0)
    state = companion.vehicle.state
    told: dict[str, object] = {"stack": state.stack, "route": route.value, "taken": route in state.aiding_routes}
    had_origin = state.telemetry.origin is not None
    if not had_origin and route is not AidingRoute.GPS_INPUT:
        companion.send(LocalOrigin(companion.base, companion.altitude_m))
    companion.run(4.0, lambda t_ns: failed(route, t_ns))
    origin = companion.vehicle.state.telemetry.origin
    told |= {"had_origin": had_origin, "origin": origin is not None}
    if origin is not None:
        companion.base, companion.altitude_m = origin.position, origin.altitude_amsl_m
    every = 10 if route is AidingRoute.POSITION_ESTIMATE else 1
    count = iter(range(10**6))

    def say(north_m: float, counter: int) -> Callable[[int], Aiding | None]:
        return lambda t_ns: fed(route, companion, north_m, counter, t_ns) if next(count) % every == 0 else None

    before = companion.believes()
    positions = companion.run(35.0 if route is AidingRoute.GPS_INPUT else 15.0, say(STANDS_M[0], 0))
    told |= {"before_m": before, "follows_in_s": seconds_until(positions, STANDS_M[0])}
    told["off_m"] = off_m(positions, STANDS_M[0])
    heard = companion.vehicle.state.telemetry
    told["flags"] = None if heard.estimator is None else hex(heard.estimator.flags)
    jumped = companion.run(12.0, say(STANDS_M[0] + JUMP_M, 1))
    told["jump_in_s"] = seconds_until(jumped, STANDS_M[0] + JUMP_M)
    told["jump_off_m"] = off_m(jumped, STANDS_M[0] + JUMP_M)
    heading = heard.heading
    companion.run(4.0, lambda t_ns: failed(route, t_ns))
    after = companion.vehicle.state.telemetry
    if heading is not None and after.heading is not None:
        told["heading_moved_deg"] = round(abs(after.heading.value - heading.value) * 57.3, 2)
    told |= {"flags_failed": None if after.estimator is None else hex(after.estimator.flags), "sent": companion.sent}
    return told | {"refusals": sorted(companion.refusals), "answers": companion.answers}


if __name__ == "__main__":
    sys.exit(main())
