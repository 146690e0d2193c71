"""A vehicle for which everything is in order, and the people about it: drives one `Guidance`, and writes the story."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from runtime.errors import CommandingError
from runtime.geodesy import offset
from runtime.guidance.authority import Authority
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.guidance import Guidance, GuidanceDecision
from runtime.guidance.limits import Area, Limits
from runtime.guidance.reasons import Reason, State
from runtime.guidance.situation import Situation
from runtime.values import (
    Coverage,
    Decision,
    Estimate,
    Fix,
    GeoPoint,
    PositionSource,
    Setpoint,
    TrackingState,
    circular,
)

HOME = GeoPoint(60.45, 22.25)
TARGET = offset(HOME, 200.0, 100.0)
START = offset(HOME, -150.0, 0.0)
TICK_NS = 50_000_000
AMSL_OF_TAKEOFF_M = 37.0
LOITER_RADIUS_M = 80.0


@cache
def square(side_m: float = 1000.0) -> tuple[GeoPoint, ...]:
    """The corners of a square about home."""
    half = side_m / 2
    corners = [(-half, -half), (-half, half), (half, half), (half, -half)]
    return tuple(offset(HOME, north, east) for north, east in corners)


@cache
def _area() -> Area:
    return Area(square())


def limits(**changes: Any) -> Limits:
    """An operator's limits about home."""
    plain = Limits(
        area=_area(),
        floor_height_takeoff_m=30.0,
        ceiling_height_takeoff_m=90.0,
        max_distance_m=450.0,
        battery_reserve_percent=30.0,
    )
    return replace(plain, **changes)


GOOD = Situation(
    connected=True,
    hovers=True,
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


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story. ``what``: "mode", "first mode", "confirm", "engage", "disengage", "latch" or "tick".

    ``guided`` of a mode; ``target`` of a confirmation; ``cause`` of a latch; the rest as guidance was told, and what
    it then said. ``accepted``: of what the operator asked.
    """

    t_ns: int
    what: str
    guided: bool = False
    target: GeoPoint | None = None
    cause: str = ""
    accepted: bool = True
    vehicle: Situation | None = None
    estimate: Estimate | None = None
    setpoint: Setpoint | None = None
    state: State | None = None
    reasons: tuple[Reason, ...] = ()
    idle: Setpoint | None = None


class Pilot:
    """Drives one `Guidance` through time; what is not said stays in order."""

    def __init__(
        self,
        authority: Authority | None = None,
        operator_limits: Limits | None = None,
        settings: GuidanceSettings | None = None,
        disabled: bool = False,
        guidance: type[Guidance] = Guidance,
        streamed: bool = False,
        circling: bool = False,
    ) -> None:
        """``streamed``: an autopilot that wants a stream of targets, as PX4 does; ``circling``: a plane."""
        self.limits = None if disabled else operator_limits or limits()
        self.guidance = guidance(self.limits, settings, authority)
        self.t_ns = 1_000_000_000
        self.tick_ns = TICK_NS
        self.well = replace(GOOD, wants_stream=streamed)
        if circling:
            self.well = replace(GOOD, hovers=False, loiter_radius_m=LOITER_RADIUS_M, ground_speed_m_s=22.0)
        self.vehicle = self.well
        self.taken = False  # the autopilot reports our last target
        self.here = START
        self.estimate_age_ns = 0
        self.estimate_changes: dict[str, Any] = {}
        self.source = PositionSource.AUTOPILOT
        self.coverage: Coverage | None = None
        self.goal: GeoPoint | None = None  # where the vehicle flies to; position targets do not time out
        self.story: list[Line] = []

    @property
    def estimate(self) -> Estimate:
        """Of where the vehicle is, good to a metre unless the story says otherwise."""
        measured_t_ns, by_sight = self.t_ns - self.estimate_age_ns, self.source is PositionSource.VISION
        good = Estimate(measured_t_ns, TrackingState.TRACKING, self.here, circular(1.0), self.source, "")
        if by_sight:
            speed_m_s = self.vehicle.ground_speed_m_s or 0.0
            good = replace(good, velocity_ned_m_s=(speed_m_s, 0.0, 0.0), coast_left_s=20.0)
        return replace(good, **self.estimate_changes)

    @property
    def situation(self) -> Situation:
        """The vehicle, which takes itself to be where it is unless the story says otherwise."""
        return replace(self.vehicle, position=self.vehicle.position or self.here, target_taken=self.taken)

    def mode(self, name: str, first: bool = False) -> None:
        """The autopilot reports a mode; ``first``: it had none before."""
        guided = name == "GUIDED"
        self.taken = False
        self.vehicle = replace(self.vehicle, mode=name, guided=guided)
        self.guidance.mode_seen(self.t_ns, guided, first)
        self.story.append(Line(self.t_ns, "first mode" if first else "mode", guided))

    def confirm(self, target: GeoPoint) -> None:
        """The operator confirms a target; raises CommandingError where it is refused."""
        self._ask("confirm", target)

    def engage(self) -> None:
        """The operator engages; raises CommandingError where it is refused."""
        self._ask("engage")

    def asks(self, what: str, target: GeoPoint | None = None) -> bool:
        """The operator asks for a confirmation or an engagement; whether it was accepted."""
        try:
            self._ask(what, target)
        except CommandingError:
            return False
        return True

    def _ask(self, what: str, target: GeoPoint | None = None) -> None:
        accepted = False
        try:
            if target is not None:
                self.guidance.confirm(target, self.coverage)
            else:
                self.guidance.engage(self.t_ns)
            accepted = True
        finally:
            self.story.append(Line(self.t_ns, what, target=target, accepted=accepted))

    def latch(self, cause: Reason) -> None:
        """The vehicle room hears of something that ends authority."""
        self.guidance.latch(cause)
        self.story.append(Line(self.t_ns, "latch", cause=cause.value))

    def tick(self) -> GuidanceDecision:
        """The next decision."""
        self.t_ns += self.tick_ns
        vehicle, estimate = self.situation, self.estimate
        decision = self.guidance.decide(self.t_ns, vehicle, estimate)
        self.taken = self.taken or decision.setpoint is not None
        said = decision.setpoint, decision.state, decision.reasons, decision.idle
        self.story.append(Line(self.t_ns, "tick", False, None, "", True, vehicle, estimate, *said))
        return decision

    def release(self, cause: Reason) -> Setpoint | None:
        """The operator disengages, or the daemon ends: the hold, if there is one."""
        vehicle, estimate = self.situation, self.estimate
        hold = self.guidance.release(self.t_ns, vehicle, estimate, cause)
        self.story.append(Line(self.t_ns, "disengage", vehicle=vehicle, estimate=estimate, setpoint=hold))
        return hold

    def ticks(self, count: int) -> list[GuidanceDecision]:
        """As many decisions."""
        return [self.tick() for _ in range(count)]

    def seconds(self, seconds: float) -> list[GuidanceDecision]:
        """The decisions of as long a time."""
        return self.ticks(round(seconds * 1e9 / self.tick_ns))

    def sees(self, aircraft: GeoPoint) -> None:
        """The live view is fixed there."""
        self.guidance.saw(Fix(self.t_ns, Decision.FIX, aircraft, aircraft, circular(2.0), 7, 40, 1, ""))

    def to(self, state: State) -> GuidanceDecision:
        """From the start into ``state``, the usual way; MONITOR before anything was said."""
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
