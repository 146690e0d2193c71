"""A flight for the injection to decide on: the aircraft by sight, the autopilot's own belief, and a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from runtime.geodesy import north_east_m, offset
from runtime.injection.injection import Injection
from runtime.injection.settings import InjectionSettings, Route
from runtime.injection.values import AidingSituation, InjectionDecision, Support
from runtime.values import (
    Attitude,
    Estimate,
    GeoPoint,
    LocalOdometry,
    Measured,
    NavState,
    Pose,
    Position,
    PositionSource,
    TrackingState,
    circular,
)

SECOND = 1_000_000_000
PERIOD_NS = SECOND // 25
ORIGIN = GeoPoint(60.0, 22.0)
ORIGIN_M = 12.0


def placed(fed: LocalOdometry) -> tuple[float, float]:
    """North and east of what was fed, from the origin."""
    return north_east_m(ORIGIN, fed.position)


@dataclass
class Flight:
    """``vision_ne`` and ``belief_ne``: where sight and the autopilot put the aircraft, metres from the origin."""

    injection: Injection = field(default_factory=lambda: Injection(InjectionSettings(route=Route.ODOMETRY)))
    t_ns: int = 100 * SECOND
    vision_ne: tuple[float, float] = (100.0, 50.0)
    belief_ne: tuple[float, float] | None = (100.0, 50.0)
    sigma_m: float = 1.5
    belief_sigma_m: float = 1.0
    trusted: bool = True
    has_source_sets: bool = True
    routes: tuple[Route, ...] = tuple(route for route in Route if route not in (Route.OFF, Route.AUTO))
    follows: bool = False  # the autopilot's belief becomes what it is fed
    support: dict[str, Any] = field(default_factory=dict)
    situation: dict[str, Any] = field(default_factory=dict)
    decisions: list[InjectionDecision] = field(default_factory=list)
    switches: list[int] = field(default_factory=list)

    def vision(self) -> Estimate:
        if not self.trusted:
            return Estimate.lost(self.t_ns, PositionSource.VISION, "test")
        return Estimate(
            self.t_ns, TrackingState.TRACKING, offset(ORIGIN, *self.vision_ne), circular(self.sigma_m),
            PositionSource.VISION, "", (6.0, -2.0, 0.0), None, 0.3,
        )  # fmt: skip

    def vehicle(self) -> AidingSituation:
        altitude = Measured(ORIGIN_M + 40.0, 2.0, "vehicle")
        position = None
        if self.belief_ne is not None:
            point = offset(ORIGIN, *self.belief_ne)
            position = Position.circular(point, self.belief_sigma_m, PositionSource.AUTOPILOT, (6.0, -2.0, -1.5))
        attitude = Attitude((math.cos(0.2), 0.0, 0.0, math.sin(0.2)), 0.05, "vehicle")
        pose = Pose(self.t_ns, altitude, Measured(40.0, 1.0, "vehicle"), None, attitude)
        told: dict[str, Any] = {
            "reachable": True, "on_ground": False, "has_source_sets": self.has_source_sets, "has_origin": True,
            "nav": NavState(pose, position), "gps_lost_s": 0.0, "routes": self.routes,
            "estimator_ok": True, "position_ratio": 0.1,
        }  # fmt: skip
        return AidingSituation(**{**told, **self.situation})

    def step(self) -> InjectionDecision:
        """One frame."""
        self.t_ns += PERIOD_NS
        told: dict[str, Any] = {"odometry_t_ns": self.t_ns, "fix_t_ns": self.t_ns, **self.support}
        if self.situation.get("gps_lost_s", 0.0) > 0.0:
            self.situation["gps_lost_s"] += PERIOD_NS * 1e-9
        decision = self.injection.step(self.t_ns, self.vision(), Support(**told), self.vehicle())
        self.decisions.append(decision)
        if decision.switch_to is not None:
            self.switches.append(decision.switch_to)
        fed = [one for one in decision.messages if isinstance(one, LocalOdometry)]
        if self.follows and fed:
            self.belief_ne = placed(fed[0])
        return decision

    def run(self, seconds: float) -> InjectionDecision:
        for _ in range(round(seconds * SECOND / PERIOD_NS)):
            self.step()
        return self.decisions[-1]

    def lose_gps(self) -> None:
        self.situation["gps_lost_s"] = 1e-6

    def fed(self) -> list[LocalOdometry]:
        """Every pose that was fed so far."""
        return [one for d in self.decisions for one in d.messages if isinstance(one, LocalOdometry)]

    def fly_on_it(self) -> None:
        """GPS lost, switched, acknowledged, and the autopilot follows."""
        self.run(2.0)
        self.lose_gps()
        self.run(2.0)
        self.injection.switched(accepted=True)
        self.follows = True
        self.run(1.0)
