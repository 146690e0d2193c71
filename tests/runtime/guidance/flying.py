"""A vehicle for which everything is in order, and the steps that lead guidance into each of its states."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from runtime.geodesy import offset
from runtime.guidance.authority import Authority
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.guidance import Guidance, GuidanceDecision
from runtime.guidance.limits import Area, Limits
from runtime.guidance.reasons import Reason, State
from runtime.guidance.situation import Situation
from runtime.values import Coverage, Estimate, GeoPoint, PositionSource, Setpoint, TrackingState, circular

HOME = GeoPoint(60.45, 22.25)
TARGET = offset(HOME, 200.0, 100.0)
START = offset(HOME, -150.0, 0.0)
TICK_NS = 50_000_000
AMSL_OF_TAKEOFF_M = 37.0


@cache
def square(side_m: float = 1000.0) -> tuple[GeoPoint, ...]:
    half = side_m / 2
    corners = [(-half, -half), (-half, half), (half, half), (half, -half)]
    return tuple(offset(HOME, north, east) for north, east in corners)


def limits(**changes: Any) -> Limits:
    plain = Limits(
        area=Area(square()),
        floor_height_takeoff_m=30.0,
        ceiling_height_takeoff_m=90.0,
        max_distance_m=450.0,
        battery_reserve_percent=30.0,
    )
    return replace(plain, **changes)


GOOD = Situation(
    connected=True,
    heartbeat_age_s=0.5,
    time_synced=True,
    streams_ok=True,
    mode="LOITER",
    guided=False,
    armed=True,
    in_air=True,
    single_autopilot=True,
    single_companion=True,
    failsafe=False,
    fence_breached=False,
    sticks_moved=False,
    ekf_ok=True,
    battery_percent=80.0,
    altitude_amsl_m=AMSL_OF_TAKEOFF_M + 60.0,
    height_takeoff_m=60.0,
    ground_speed_m_s=0.0,
    home=HOME,
)


class AuthorityWithoutLatch(Authority):
    """The mutant that the properties must catch."""

    def latch(self, cause: object) -> None:
        """Ignored."""


class Pilot:
    """Drives one `Guidance` through time; what is not said stays in order."""

    def __init__(
        self,
        authority: Authority | None = None,
        operator_limits: Limits | None = None,
        settings: GuidanceSettings | None = None,
        disabled: bool = False,
    ) -> None:
        self.limits = None if disabled else operator_limits or limits()
        self.guidance = Guidance(self.limits, settings, authority)
        self.t_ns = 1_000_000_000
        self.vehicle = GOOD
        self.here = START
        self.estimate_age_ns = 0
        self.estimate_changes: dict[str, Any] = {}
        self.source = PositionSource.AUTOPILOT
        self.coverage: Coverage | None = None
        self.goal: GeoPoint | None = None  # where the vehicle flies to; position targets do not time out

    @property
    def estimate(self) -> Estimate:
        measured_t_ns, by_sight = self.t_ns - self.estimate_age_ns, self.source is PositionSource.VISION
        good = Estimate(measured_t_ns, TrackingState.TRACKING, self.here, circular(1.0), self.source, "")
        if by_sight:
            speed_m_s = self.vehicle.ground_speed_m_s or 0.0
            good = replace(good, velocity_ned_m_s=(speed_m_s, 0.0, 0.0), coast_left_s=20.0)
        return replace(good, **self.estimate_changes)

    @property
    def situation(self) -> Situation:
        """The vehicle, which takes itself to be where it is unless the story says otherwise."""
        return replace(self.vehicle, position=self.vehicle.position or self.here)

    def mode(self, name: str, first: bool = False) -> None:
        guided = name == "GUIDED"
        self.vehicle = replace(self.vehicle, mode=name, guided=guided)
        self.guidance.mode_seen(self.t_ns, guided, first)

    def confirm(self, target: GeoPoint) -> None:
        self.guidance.confirm(target, self.coverage)

    def engage(self) -> None:
        self.guidance.engage(self.t_ns)

    def tick(self) -> GuidanceDecision:
        self.t_ns += TICK_NS
        return self.guidance.decide(self.t_ns, self.situation, self.estimate)

    def release(self, cause: Reason) -> Setpoint | None:
        return self.guidance.release(self.t_ns, self.situation, self.estimate, cause)

    def ticks(self, count: int) -> list[GuidanceDecision]:
        return [self.tick() for _ in range(count)]

    def to(self, state: State) -> GuidanceDecision:
        """From the start into ``state``, the usual way."""
        self.mode("LOITER", first=True)
        decision = self.tick()
        if state in (State.DISABLED, State.MONITOR):
            return decision
        self.guidance.propose()
        self.confirm(TARGET)
        self.engage()
        decision = self.tick()
        if state is State.READY:
            return decision
        self.mode("GUIDED")
        decision = self.tick()
        if state is State.ENGAGED:
            return decision
        self.mode("LOITER")
        return self.tick()
