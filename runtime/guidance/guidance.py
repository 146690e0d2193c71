"""The state machine DISABLED → MONITOR → READY → ENGAGED → YIELDED: a setpoint, or every reason why there is none.

Pure: no clock, no link. It is told of modes and of what other people do to the vehicle as that happens, and decides
once per tick on what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from runtime.errors import CommandingError
from runtime.freshness import READY
from runtime.geodesy import distance_m
from runtime.guidance.authority import Authority
from runtime.guidance.checks import (
    by_sight,
    estimate_reasons,
    ground_speed_m_s,
    mode_is_fresh,
    place_reasons,
    source_reasons,
    vehicle_reasons,
)
from runtime.guidance.clearance import Clearance
from runtime.guidance.flight import Flight, GuidanceSettings
from runtime.guidance.limits import Limits, largest_sigma_m
from runtime.guidance.manner import HOVERING, Manner, manner_of
from runtime.guidance.reasons import FINISHED, FORBIDDING, PASSING, UNHELD, WAITING_FOR_PILOT, Phase, Reason, State
from runtime.guidance.situation import Situation
from runtime.guidance.way import Way
from runtime.values import Coverage, Estimate, Fix, GeoPoint, Setpoint


@dataclass(frozen=True, slots=True)
class GuidanceDecision:
    """What guidance says at ``t_ns``: a setpoint, or at least one reason; both only where authority ends in a hold."""

    t_ns: int
    state: State
    phase: Phase
    setpoint: Setpoint | None
    reasons: tuple[Reason, ...]  # all that hold, by name
    distance_m: float | None  # to the confirmed target
    consent_left_ns: int | None = None  # see `Authority.consent_left_ns`
    waived: tuple[Reason, ...] = ()  # unknowns that hold and that the operator waived
    route: tuple[GeoPoint, ...] = ()  # the corners of the way that are still ahead, the target last
    idle: Setpoint | None = None  # READY: the present point, where the autopilot wants a stream before its guided mode


class Guidance:
    """The state machine of the module. ``limits`` None: commanding is disabled, and nothing can enable it.

    ``clearance`` keeps the floor over hills.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        settings: GuidanceSettings | None = None,
        authority: Authority | None = None,
        clearance: Clearance | None = None,
    ) -> None:
        self._limits = limits
        self._clearance = clearance or Clearance()
        self._kept: tuple[Manner, Limits | None] = HOVERING, limits
        self._settings = settings or GuidanceSettings()
        self._authority = authority or Authority()
        self._target_pending = False
        self._way: Way | None = None
        self._flight: Flight | None = None
        self._finished = Phase.NONE  # how the last flight ended, until another target is confirmed
        self._before: Situation | None = None
        self._was_granted = False
        self._granted_by_sight = False
        self._waived: set[Reason] = set()
        self._passing_since_ns: int | None = None
        self._last = GuidanceDecision(0, State.DISABLED, Phase.NONE, None, (), None)

    @property
    def last(self) -> GuidanceDecision:
        """The latest decision."""
        return self._last

    @property
    def target(self) -> GeoPoint | None:
        """The confirmed target."""
        return self._authority.target

    @property
    def granted(self) -> bool:
        """Whether the pilot's authority stands."""
        return self._authority.granted

    def consent_left_ns(self, t_ns: int) -> int | None:
        """See `Authority.consent_left_ns`."""
        return self._authority.consent_left_ns(t_ns)

    # What the operator does

    def propose(self) -> None:
        """A target waits for the operator's confirmation; the confirmed one stays."""
        self._target_pending = True

    def confirm(self, target: GeoPoint, coverage: Coverage | None = None) -> None:
        """The operator confirms a target; for another one than before the operator must engage again.

        ``coverage``: the ground that the history covers now; see `Way`.

        Raises:
            CommandingError: a flight is under way.
        """
        if self._authority.granted:
            raise CommandingError("a flight is under way; disengage before confirming another target.")
        self._authority.confirmed(target)
        self._way = Way(target, self._settings.rules_of_the_way, coverage)
        self._target_pending = False
        self._finished = Phase.NONE

    def engage(self, t_ns: int) -> None:
        """The operator consents: the pilot's transition into the guided mode grants authority once guidance is READY,
        if it comes before the configured time has passed.

        Raises:
            CommandingError: commanding is disabled, or no target is confirmed.
        """
        if self._limits is None:
            raise CommandingError("commanding is disabled in the configuration; see [commanding].")
        if self.target is None:
            raise CommandingError("no target is confirmed; give one with `homing target` and `homing confirm`.")
        self._authority.consented(t_ns, t_ns + self._settings.consent_ns)

    def release(self, t_ns: int, vehicle: Situation, estimate: Estimate, cause: Reason) -> Setpoint | None:
        """Gives authority and consent up; one target that holds here when the vehicle was, and is, ours.

        It is ours as long as a heartbeat that is fresh enough (`MODE`) shows our mode.
        """
        hold = None
        if self._authority.granted and self._limits is not None:
            limits = self._limits_of(vehicle, self._limits)
            reasons = set(self._conditions(t_ns, vehicle, estimate, limits)) - limits.waived
            hold = self._hold(t_ns, vehicle, estimate, reasons, cause)
        self._authority.latch(cause)
        self._flight = None
        return hold

    # What happens to the vehicle

    def mode_seen(self, t_ns: int, guided: bool, first: bool = False, by_pilot: bool = True) -> None:
        """The autopilot reports its mode; ``first``: it had none before, so this is a beginning, no transition;
        ``by_pilot`` False: it may have changed by itself, which grants nothing."""
        if first:
            self._authority.mode_forgotten()
        fresh = 0 <= t_ns - self._last.t_ns <= READY.ns
        self._authority.mode_seen(t_ns, guided, ready=fresh and by_pilot and self._last.state is State.READY)

    def latch(self, cause: Reason) -> None:
        """Somebody else is in command, or this flight of the vehicle is over (see `Authority`)."""
        self._authority.latch(cause)
        if cause in (Reason.REBOOTED, Reason.LINK_LOST):
            self._authority.mode_forgotten()

    def saw(self, fix: Fix) -> None:
        """Takes a fix of the live view; enough of them near the target confirm the arrival."""
        if self._flight is not None:
            self._flight.saw(fix)

    # What guidance says

    def decide(self, t_ns: int, vehicle: Situation, estimate: Estimate) -> GuidanceDecision:
        """The setpoint for ``t_ns``, or all the reasons for none, from the vehicle's situation and the estimate."""
        self._authority.time_passed(t_ns)
        self._notice_an_end(vehicle)
        if self._limits is None:
            self._last = self._decision(t_ns, estimate, State.DISABLED, {Reason.COMMANDING_DISABLED})
            return self._last
        limits = self._limits_of(vehicle, self._limits)
        if self._way is not None:
            corner_m = manner_of(vehicle).corner_m
            self._way.follow(t_ns, estimate, limits, vehicle.home, self._authority.granted, corner_m)
        corners = () if self._way is None else self._way.corners
        raised = self._clearance.over_ground(limits, vehicle, estimate, corners)
        limits = raised or limits
        found = set(self._conditions(t_ns, vehicle, estimate, limits))
        if raised is None:
            found.add(Reason.GROUND_UNKNOWN)
        reasons, self._waived = found - limits.waived, found & limits.waived
        if self._authority.granted:
            self._last = self._engaged(t_ns, vehicle, estimate, reasons, limits)
        else:
            self._last = self._waiting(t_ns, vehicle, estimate, reasons)
        return self._last

    def _limits_of(self, vehicle: Situation, limits: Limits) -> Limits:
        """The operator's limits as this kind of vehicle has to keep them; made anew only for another kind."""
        manner, kept = manner_of(vehicle), self._kept
        if kept[0] != manner or kept[1] is None:
            kept = self._kept = manner, manner.limits(limits)
        assert kept[1] is not None
        return kept[1]

    def _notice_an_end(self, vehicle: Situation) -> None:
        """Before authority the end of a flight of the vehicle's ends what the operator said; afterwards `_engaged`
        gives up for the same reasons."""
        before, self._before = self._before, vehicle
        if before is None or self._authority.granted:
            return
        if before.connected and not vehicle.connected:
            self._authority.latch(Reason.LINK_LOST)
        elif before.armed and not vehicle.armed:
            self._authority.latch(Reason.WAS_DISARMED)
        elif before.in_air and not vehicle.in_air:
            self._authority.latch(Reason.LANDED)

    def _conditions(
        self, t_ns: int, vehicle: Situation, estimate: Estimate, limits: Limits
    ) -> Iterable[Reason]:
        granted = self._authority.granted
        slack_m = manner_of(vehicle).height_slack_m(self._settings.height_slack_m) if granted else 0.0
        yield from vehicle_reasons(vehicle, limits, slack_m)
        if vehicle.connected:
            yield from source_reasons(vehicle, estimate)
        yield from estimate_reasons(t_ns, estimate, self._settings.estimate_max_age_ns, self._settings.coast_reserve_s)
        yield from place_reasons(vehicle, estimate, limits)
        if not vehicle.guided:
            yield Reason.MODE_NOT_GUIDED
        if granted and not vehicle.entered_here:
            yield Reason.ENTRY_UNKNOWN
        if granted and not mode_is_fresh(vehicle):  # before authority the mode's own change tells, as it is heard
            yield Reason.MODE_STALE
        if granted and by_sight(estimate) != self._granted_by_sight:
            yield Reason.GPS_DOUBTED if vehicle.gps_doubted else Reason.SOURCE_CHANGED
        if self.target is not None and self._way is not None:
            yield from self._way.reasons(estimate, limits, vehicle.home, by_sight(estimate), granted)
        else:
            yield Reason.TARGET_NOT_CONFIRMED if self._target_pending else Reason.NO_TARGET

    def _waiting(
        self, t_ns: int, vehicle: Situation, estimate: Estimate, reasons: set[Reason]
    ) -> GuidanceDecision:
        self._flight = None
        self._granted_by_sight = by_sight(estimate)  # what the pilot sees when he grants
        reasons = reasons | {Reason.AUTHORITY_NOT_GRANTED}
        if vehicle.guided:
            reasons.add(Reason.ALREADY_GUIDED)
        if not self._authority.consent:
            reasons.add(Reason.NOT_ENGAGED)
        cause = self._authority.given_up_for
        if cause is not None:
            reasons.add(cause)
        elif self._authority.consent:
            self._was_granted = False
        if reasons <= WAITING_FOR_PILOT:
            return replace(self._decision(t_ns, estimate, State.READY, reasons), idle=self._idle(t_ns, vehicle))
        state = State.YIELDED if self._was_granted else State.MONITOR
        return self._decision(t_ns, estimate, state, reasons)

    def _idle(self, t_ns: int, vehicle: Situation) -> Setpoint | None:
        """The present point in the autopilot's own frame, for one that enters its guided mode only on a stream.

        It moves nothing there, and stops the vehicle where it is from the pilot's switch until that is heard of.
        """
        outside = not vehicle.guided and mode_is_fresh(vehicle)  # by an old heartbeat it may be within by now
        if not vehicle.wants_stream or not outside or vehicle.position is None or vehicle.altitude_amsl_m is None:
            return None
        expires_ns = t_ns + self._settings.setpoint_lifetime_ns
        return Setpoint(t_ns, vehicle.position, vehicle.altitude_amsl_m, expires_ns, "idle: the present point")

    def _engaged(
        self, t_ns: int, vehicle: Situation, estimate: Estimate, reasons: set[Reason], limits: Limits
    ) -> GuidanceDecision:
        self._was_granted = True
        if self._must_give_up(t_ns, reasons):
            cause = min(reasons & FORBIDDING or reasons - PASSING or reasons)
            hold = self._hold(t_ns, vehicle, estimate, reasons, cause)
            self._authority.latch(cause)
            return self._decision(t_ns, estimate, State.YIELDED, reasons, hold)
        if reasons:
            return self._decision(t_ns, estimate, State.ENGAGED, reasons)
        speed_m_s, sigma_m = ground_speed_m_s(vehicle, estimate), largest_sigma_m(estimate.covariance_m2)
        assert self.target is not None and self._way is not None
        assert estimate.position is not None and speed_m_s is not None
        if self._flight is None:
            self._flight = Flight(self.target, self._way, vehicle, limits, self._settings)
        answer = self._flight.next(t_ns, estimate.position, speed_m_s, sigma_m, vehicle.target_taken)
        if not isinstance(answer, Reason):
            return self._decision(t_ns, estimate, State.ENGAGED, set(), answer)
        if answer in FINISHED and not vehicle.wants_stream:
            return self._finish(t_ns, estimate, self._flight.phase, answer)
        return self._decision(t_ns, estimate, State.ENGAGED, {answer})

    def _finish(self, t_ns: int, estimate: Estimate, phase: Phase, cause: Reason) -> GuidanceDecision:
        """The flight is over, the vehicle holds at the target, and nothing follows from what was granted for it."""
        self._finished = phase
        self._authority.latch(cause)
        return self._decision(t_ns, estimate, State.YIELDED, {cause})

    def _must_give_up(self, t_ns: int, reasons: set[Reason]) -> bool:
        if not reasons & PASSING:
            self._passing_since_ns = None
        elif self._passing_since_ns is None:
            self._passing_since_ns = t_ns
        waited = self._passing_since_ns is not None and (
            t_ns - self._passing_since_ns > self._settings.patience_ns
        )
        return waited or bool(reasons - PASSING)

    def _hold(
        self, t_ns: int, vehicle: Situation, estimate: Estimate, reasons: set[Reason], cause: Reason
    ) -> Setpoint | None:
        """A target that holds here, unless the vehicle is not ours or here is unknown or not allowed.

        Here is said in the autopilot's own frame, in which it stops wherever that is: also where it is led astray.
        """
        here = vehicle.position if by_sight(estimate) else estimate.position
        astray = {Reason.ESTIMATE_UNTRUSTED} if Reason.GPS_DOUBTED in reasons else set()
        if self._flight is None or here is None or (reasons - astray) & UNHELD:
            return None
        return self._flight.setpoint(t_ns, here, f"hold: {cause.value}")

    def _decision(
        self,
        t_ns: int,
        estimate: Estimate,
        state: State,
        reasons: set[Reason],
        setpoint: Setpoint | None = None,
    ) -> GuidanceDecision:
        here, target = estimate.position, self.target
        distance = None if here is None or target is None else distance_m(here, target)
        phase = self._flight.phase if self._flight is not None else self._finished
        left_ns = self._authority.consent_left_ns(t_ns)
        route = () if target is None or self._way is None else self._way.corners
        return GuidanceDecision(
            t_ns, state, phase, setpoint, _ordered(reasons), distance, left_ns, _ordered(self._waived), route
        )


def _ordered(reasons: set[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: reason.value))
