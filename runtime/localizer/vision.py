"""Where the aircraft is by its camera alone: fixes and odometry through the sequence filter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from runtime.geodesy import distance_m, north_east_m, offset
from runtime.localizer.fix_difference import FixDifference, difference_of
from runtime.localizer.gaussian_sum import Array
from runtime.localizer.parameters import FilterParameters
from runtime.localizer.sequence_filter import Ruling, SequenceFilter
from runtime.localizer.state import POSITION, SHARED, TILT, VELOCITY
from runtime.localizer.updates import Place
from runtime.values import (
    Covariance,
    Decision,
    Estimate,
    Fix,
    GeoPoint,
    Hypothesis,
    Measured,
    NavState,
    Odometry,
    Position,
    PositionSource,
    TrackingState,
    axis_sigma_m,
)

_AGREES_SIGMA = 4.0  # a fix farther than this from the ruling place, by both covariances, does not speak for it
_FASTEST_M_S = 25.0  # of the aircraft, after the operator said where it is
_LEAST_SHARE = 1e-4  # places of one fix that are less likely than this beside its best are left out


@dataclass(frozen=True, slots=True)
class TrackingLimits:
    """When one place is to be steered by.

    ``ruling_share`` of the belief is there, ``fixes`` of them spoke for it, each ``spacing_s`` or more after the last
    one (neighbouring frames are wrong together), the last no longer ago than ``coast_s``; and its sigma is at most
    ``max_sigma_m`` an axis. For a place that took over from one that was steered by ``fixes_again`` must speak, since
    wrong fixes come in rows that agree; ``contradictions`` of them in a row, spaced alike, cast doubt on a place.
    ``blind_s``: how long neither a fix nor odometry may have come. ``refused_wrong``: how
    likely none of the places is right that a refused fix considered.
    """

    ruling_share: float = 0.99
    fixes: int = 3
    fixes_again: int = 5
    contradictions: int = 2
    spacing_s: float = 0.5
    coast_s: float = 20.0
    blind_s: float = math.inf
    max_sigma_m: float = 10.0
    refused_wrong: float = 0.8


@dataclass(frozen=True, slots=True)
class _GivenUp:
    """A place that was steered by: how far the one that rules now lies from it (2,), which stays so while both move
    alike, and the fixes that had spoken for it, the last at ``supported_t_ns``."""

    offset_m: Array
    supporting: int
    needed: int
    supported_t_ns: int


@dataclass(frozen=True, slots=True)
class _Hint:
    """The operator's word of where the aircraft was at ``t_ns``."""

    t_ns: int
    near: GeoPoint
    radius_m: float

    def allows(self, t_ns: int, place: GeoPoint) -> bool:
        """Whether the aircraft may be at ``place`` by then."""
        flown_m = _FASTEST_M_S * max(0, t_ns - self.t_ns) * 1e-9
        return distance_m(self.near, place) <= self.radius_m + flown_m


class VisionLocalizer:
    """Says where the aircraft is from fixes and odometry, whatever the autopilot believes.

    LOST until a fix, and again once none has spoken for the place for ``limits.coast_s`` or nothing at all was measured
    for ``limits.blind_s``; SEARCHING while no place rules, or too few fixes spoke for it, or its sigma is too large;
    else TRACKING. It never starts from, and never returns to, the autopilot's position. ``reset_counter`` grows by one
    whenever the ruling place is another than the one before could have become.
    """

    def __init__(self, parameters: FilterParameters | None = None, limits: TrackingLimits | None = None) -> None:
        self._parameters = parameters
        self._filter = SequenceFilter(parameters)
        self._hint: _Hint | None = None
        self._limits = limits or TrackingLimits()
        self._origin: GeoPoint | None = None
        self._heading: Measured | None = None
        self._supporting, self._supported_t_ns = 0, 0
        self._needed = self._limits.fixes
        self._against, self._against_t_ns = 0, 0
        self._given_up: _GivenUp | None = None
        self.reset_counter = 0

    def on_nav(self, state: NavState) -> None:
        """Takes the autopilot's newest state, and of it only the heading."""
        self._heading = state.pose.heading

    def relocalise(self, t_ns: int, near: GeoPoint, radius_m: float) -> None:
        """Forgets every place, and until it tracks one again takes none that is farther than ``radius_m`` from
        ``near``, the operator's word of ``t_ns``, by more than it may have flown since. That word itself is no fix."""
        if self._filter.ruling(t_ns) is not None:
            self.reset_counter += 1
        self._filter, self._origin = SequenceFilter(self._parameters), None
        self._supporting = self._against = 0
        self._needed, self._given_up = self._limits.fixes, None
        self._hint = _Hint(t_ns, near, radius_m)

    def on_odometry(self, odometry: Odometry) -> None:
        """Takes what one frame says of the motion; nothing where it measured none."""
        if odometry.displacement is not None and math.isfinite(odometry.displacement.heading_sigma_rad):
            self._seen_again(odometry.t_ns)
            self._filter.displaced(odometry.displacement)

    def on_fix(self, fix: Fix, autopilot: Position | None) -> FixDifference | None:
        """Takes a fix; a refused one, too, says which places are possible. Gives its `difference_of` the autopilot's
        position at its exposure."""
        places = self._places(fix)
        accepted = fix.decision is Decision.FIX
        self._seen_again(fix.t_ns)
        before = self._filter.ruling(fix.t_ns) if places else None
        if places and self._filter.fixed(fix.t_ns, places, None if accepted else self._limits.refused_wrong):
            self._judge(fix.t_ns, places[0], accepted, before)
        return difference_of(fix, autopilot)

    def estimate(self, t_ns: int) -> Estimate:
        """The estimate at ``t_ns``: position and sigma are of that instant, coasted from the last measurement, whose
        instant is the estimate's own ``t_ns``."""
        ruling, newest_t_ns = self._filter.ruling(t_ns), self._filter.newest_t_ns
        if ruling is None or newest_t_ns is None or self._origin is None:
            return Estimate.lost(t_ns, PositionSource.VISION, "no place was found yet")
        blind_s = (t_ns - newest_t_ns) * 1e-9
        if blind_s > self._limits.blind_s:
            return Estimate.lost(t_ns, PositionSource.VISION, f"nothing measured for {blind_s:.0f} s")
        coasted_s = (t_ns - self._supported_t_ns) * 1e-9
        if self._supporting and coasted_s > self._limits.coast_s:
            return Estimate.lost(t_ns, PositionSource.VISION, f"no fix for {coasted_s:.0f} s")
        covariance = _covariance(ruling)
        reason = self._doubt(ruling, axis_sigma_m(covariance))
        north_m, east_m = ruling.mean[POSITION].tolist()
        velocity = ruling.mean[VELOCITY].tolist()
        (north_m2_s2, _), (_, east_m2_s2) = ruling.covariance[VELOCITY, VELOCITY].tolist()
        return Estimate(
            t_ns=min(t_ns, newest_t_ns),
            state=TrackingState.SEARCHING if reason else TrackingState.TRACKING,
            position=offset(self._origin, north_m, east_m),
            covariance_m2=covariance,
            source=PositionSource.VISION,
            reason=reason,
            velocity_ned_m_s=(velocity[0], velocity[1], 0.0),
            heading=self._heading,
            velocity_sigma_m_s=math.sqrt((north_m2_s2 + east_m2_s2) / 2),
            coast_left_s=self.coast_left_s(t_ns),
        )

    @property
    def supported_t_ns(self) -> int | None:
        """The exposure of the newest fix that spoke for the place; None before one did."""
        return self._supported_t_ns if self._supporting else None

    def coast_left_s(self, t_ns: int) -> float | None:
        """Seconds after ``t_ns`` for which the place may still be believed without a fix; None before one spoke."""
        if not self._supporting:
            return None
        return max(0.0, self._limits.coast_s - (t_ns - self._supported_t_ns) * 1e-9)

    def _doubt(self, ruling: Ruling, sigma_m: float) -> str:
        """Why the likeliest place, known to ``sigma_m`` an axis, is not steered by; empty where it is."""
        limits = self._limits
        if ruling.share < limits.ruling_share:
            return f"the likeliest place has {ruling.share:.0%} of the belief"
        if self._supporting < self._needed:
            return f"{self._supporting} of {self._needed} fixes speak for the place"
        if self._against >= limits.contradictions:
            return f"{self._against} fixes in a row contradict the place"
        if sigma_m > limits.max_sigma_m:
            return f"the position is known to {sigma_m:.0f} m only"
        return ""

    def _places(self, fix: Fix) -> list[Place]:
        """What a fix holds possible, on the filter's plane; a refused one only what geometry spoke for."""
        considered = [one for one in fix.hypotheses if fix.decision is Decision.FIX or one.log_likelihood_ratio > 0]
        if self._hint is not None:
            considered = [one for one in considered if self._hint.allows(fix.t_ns, one.aircraft)]
        if not considered:
            return []
        if self._origin is None:
            self._origin = considered[0].aircraft
        best = max(one.log_likelihood_ratio for one in considered)
        shares = [math.exp(one.log_likelihood_ratio - best) for one in considered]
        likely = [(one, share) for one, share in zip(considered, shares, strict=True) if share > _LEAST_SHARE]
        total = math.fsum(share for _, share in likely)
        return [self._place(one, share / total) for one, share in likely]

    def _place(self, hypothesis: Hypothesis, share: float) -> Place:
        assert self._origin is not None
        at = np.array(north_east_m(self._origin, hypothesis.aircraft))
        return Place(at, np.array(hypothesis.covariance_m2), share, np.array(hypothesis.tilt_slopes_m))

    def _seen_again(self, t_ns: int) -> None:
        """After blindness nothing speaks for the place any more: it may be any other, until fixes agree anew."""
        newest_t_ns = self._filter.newest_t_ns
        if newest_t_ns is not None and t_ns - newest_t_ns > self._limits.blind_s * 1e9:
            self._supporting = 0

    def _judge(self, t_ns: int, place: Place, accepted: bool, before: Ruling | None) -> None:
        """Counts the fixes that speak for the ruling place, anew when another one rules than ``before`` this fix."""
        ruling = self._filter.ruling(t_ns)
        assert ruling is not None
        if before is not None and _jumped(before, ruling):
            self._given_way(before, ruling, t_ns)
            self.reset_counter += 1
        if not accepted:
            return
        if not _agrees(ruling, place):
            if not self._against or t_ns - self._against_t_ns >= self._limits.spacing_s * 1e9:
                self._against, self._against_t_ns = self._against + 1, t_ns
            return
        self._against = 0
        if not self._supporting or t_ns - self._supported_t_ns >= self._limits.spacing_s * 1e9:
            self._supporting += 1
            self._supported_t_ns = max(t_ns, self._supported_t_ns)
        if self._supporting >= self._needed:
            self._hint = None


    def _given_way(self, before: Ruling, after: Ruling, t_ns: int) -> None:
        """Another place rules: fixes are counted anew, unless it is the one that was steered by and given up."""
        offset_m = after.mean[POSITION] - before.mean[POSITION]
        trusted = self._supporting >= self._needed
        left, self._given_up = self._given_up, None
        if left is not None and not trusted:
            offset_m = left.offset_m + offset_m
            fresh = t_ns - left.supported_t_ns < self._limits.coast_s * 1e9
            if fresh and not _apart(offset_m, before, after, _AGREES_SIGMA):
                self._supporting, self._needed = left.supporting, left.needed
                self._supported_t_ns, self._against = left.supported_t_ns, 0
                return
            self._given_up = _GivenUp(offset_m, left.supporting, left.needed, left.supported_t_ns)
        elif trusted:
            self._given_up = _GivenUp(offset_m, self._supporting, self._needed, self._supported_t_ns)
            self._needed = self._limits.fixes_again
        self._supporting = self._against = 0


def _jumped(before: Ruling, after: Ruling) -> bool:
    """Whether what ruled before a fix and what rules after it, at one instant, are two places: one was given up."""
    return _apart(after.mean[POSITION] - before.mean[POSITION], before, after, 2 * _AGREES_SIGMA)


def _apart(offset_m: Array, one: Ruling, other: Ruling, sigmas: float) -> bool:
    spread = one.covariance[POSITION, POSITION] + other.covariance[POSITION, POSITION]
    return float(offset_m @ np.linalg.solve(spread, offset_m)) > sigmas**2


def _covariance(ruling: Ruling) -> Covariance:
    (nn, ne), (_, ee) = ruling.covariance[POSITION, POSITION].tolist()
    return (nn, ne), (ne, ee)


def _agrees(ruling: Ruling, place: Place) -> bool:
    tilt = place.tilt_slopes_m
    off = place.north_east_m - ruling.mean[POSITION] - ruling.mean[SHARED] - tilt @ ruling.mean[TILT]
    spread = ruling.covariance[POSITION, POSITION] + ruling.covariance[SHARED, SHARED] + place.covariance_m2
    spread = spread + tilt @ ruling.covariance[TILT, TILT] @ tilt.T
    return float(off @ np.linalg.solve(spread, off)) < _AGREES_SIGMA**2
