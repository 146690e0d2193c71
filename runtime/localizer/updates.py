"""What a fix, or a displacement, makes of a belief."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from runtime.localizer.gaussian_sum import Array, GaussianSum, joined, reduced
from runtime.localizer.parameters import Bounds, FilterParameters, FixModel
from runtime.localizer.state import (
    HEADING,
    PLACE,
    SCALE,
    anywhere,
    anywhere_around,
    expected_displacement,
    fix_slopes,
    manoeuvred,
    unknown,
)
from runtime.values import Displacement


@dataclass(frozen=True, slots=True)
class Place:
    """One place that a fix holds possible: ``north_east_m`` (2,), ``covariance_m2`` (2, 2), ``share``: how much of the
    fix's weight it has; the shares of one fix have the sum one. ``tilt_slopes_m`` (2, 2): see `Hypothesis`."""

    north_east_m: Array
    covariance_m2: Array
    share: float = 1.0
    tilt_slopes_m: Array = field(default_factory=lambda: np.zeros((2, 2)))


def after_fix(
    belief: GaussianSum | None, places: Sequence[Place], wrong: float, parameters: FilterParameters
) -> tuple[GaussianSum | None, float]:
    """The belief after a fix, and the log of how likely that fix was by the belief before (per m2).

    The fix is right at one of its places, wrong (``wrong``: how likely), or shows that the aircraft is where no kept
    place is. Without a belief the aircraft may be anywhere on the searched area, so that the first fix alone does not
    rule. The belief is None where there was neither one nor a place.
    """
    if not places:
        return belief, 0.0
    model = parameters.fixes
    beyond = -math.log(model.area_m2)
    found = _found(belief, places, parameters)
    belief = anywhere_around(places[0].north_east_m, parameters) if belief is None else _levels_changed(belief, model)
    right = math.log1p(-wrong - model.carried_away)
    seen = [_seen(belief, place, model).weighed(right + math.log(place.share)) for place in places]
    missed = belief.weighed(math.log(wrong) + beyond)
    away = found.weighed(math.log(model.carried_away) + beyond)
    after, evidence = joined([*seen, missed, away]).normalised()
    return _reduced(after, parameters.bounds), evidence


def after_displacement(
    belief: GaussianSum, displacement: Displacement, parameters: FilterParameters
) -> GaussianSum:
    """The belief after odometry said what the way since its reference was; unchanged where the likeliest place holds
    that for impossible, even of an aircraft that turned or braked as hard as it can.

    What displacements share, scale and heading, is left to the fixes: successive displacements from one reference all
    seem to tell of it, each by another guess of the same way, and would make it known without anybody having said it.
    """
    said, noise = np.array([displacement.north_m, displacement.east_m]), np.array(displacement.random_covariance_m2)
    seconds = min((displacement.to_t_ns - displacement.from_t_ns) * 1e-9, parameters.odometry.manoeuvre_s)
    for moving in (belief, manoeuvred(belief, seconds, parameters.odometry)):
        expected, slopes = expected_displacement(moving)
        residuals = said - expected
        likeliest = int(moving.log_weights.argmax())
        spread = slopes[likeliest] @ moving.covariances[likeliest] @ slopes[likeliest].T + noise
        off = residuals[likeliest]
        if off @ np.linalg.solve(spread, off) <= parameters.odometry.gate_sigma**2:
            return moving.measured(residuals, slopes, noise, considered=(SCALE, HEADING))[0].normalised()[0]
    return belief


def _found(belief: GaussianSum | None, places: Sequence[Place], parameters: FilterParameters) -> GaussianSum:
    """The belief of one who knew how the aircraft moves, and of its place nothing but this fix; of sum one."""
    base = unknown(parameters)
    if belief is not None:
        likeliest = np.repeat(belief.log_weights.argmax(), len(base))
        moving = belief.taken(likeliest)
        base = anywhere(
            GaussianSum(base.log_weights, moving.means, moving.covariances, base.levels), parameters.fixes
        )
    seen = [_seen(base, place, parameters.fixes) for place in places]
    weights = [base.log_weights + math.log(place.share) for place in places]  # uniform before: no likelihood in them
    return joined(
        [GaussianSum(logs, one.means, one.covariances, one.levels) for one, logs in zip(seen, weights, strict=True)]
    )


def _seen(belief: GaussianSum, place: Place, model: FixModel) -> GaussianSum:
    """The belief where the aircraft is at a place, by each component's level."""
    noises = place.covariance_m2 * (model.factors[0][belief.levels] ** 2)[:, None, None]
    slopes = fix_slopes(place.tilt_slopes_m)
    residuals = place.north_east_m - belief.means @ slopes.T
    return belief.measured(residuals, slopes, noises)[0]


def _levels_changed(belief: GaussianSum, model: FixModel) -> GaussianSum:
    """The belief once each level may have given way to the next better or worse one."""
    changes = _level_changes(model)
    before, after = np.nonzero(changes[belief.levels])
    moved = belief.taken(before)
    logs = np.log(changes[belief.levels[before], after])
    return GaussianSum(moved.log_weights + logs, moved.means, moved.covariances, after)


def _level_changes(model: FixModel) -> Array:
    """(L, L) the chance of the level of a column after that of a row."""
    prior = np.exp(model.prior_logs)
    count = len(prior)
    own, shared = np.divmod(np.arange(count), len(model.shared_levels))
    steps = np.abs(np.subtract.outer(own, own)) + np.abs(np.subtract.outer(shared, shared))
    changes = (steps == 1) * prior
    if count > 1:
        changes *= model.level_change / changes.sum(axis=1, keepdims=True)
    changes += np.diag(1.0 - changes.sum(axis=1))
    return np.asarray(changes)


def _reduced(belief: GaussianSum, bounds: Bounds) -> GaussianSum:
    smaller = reduced(belief, PLACE, bounds.merge_distance, bounds.most, bounds.least_log_share)
    return smaller.normalised()[0]
