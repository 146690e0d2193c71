"""The decision: FIX where most of the keyframes that were verified agree on one place, else NO_FIX with the reason.
Every hypothesis goes along in either case."""

from __future__ import annotations

from runtime.fix.hypotheses import Hypotheses
from runtime.fix.verification import Verifications
from runtime.values import Fix


def decide(t_ns: int, verifications: Verifications, hypotheses: Hypotheses) -> Fix:
    """A fix at the hypothesis that most of the verified keyframes agree on, by their pairs."""
    count = verifications.count
    if not hypotheses.verified:
        missed = verifications.nearest_miss
        reason = f"no keyframe passed: {missed.reason}"
        return Fix.none(t_ns, reason, hypotheses.all, inliers=missed.inliers, verified=count)
    best = hypotheses.verified[0]
    agreeing = len(best.keyframe_ids)
    if 2 * agreeing < len(verifications.passed) + 1:
        reason = "the keyframes that passed disagree on the place"
        return Fix.none(t_ns, reason, hypotheses.all, inliers=best.inliers, verified=count)
    return Fix.at(t_ns, best, f"{agreeing} of {count} keyframes agree", hypotheses.all, verified=count)
