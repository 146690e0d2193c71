"""What a replay brought otherwise than the flight: estimates, fixes, decisions, setpoints, keyframes, bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from runtime.debrief.flown import Logged
from runtime.debrief.truth import Truth
from runtime.geodesy import distance_m, north_east_m
from runtime.replay.changes import (
    AgainstTruth,
    Comparison,
    Decisions,
    Errors,
    Estimates,
    Fixes,
    Records,
    Sent,
    Setpoints,
    Spread,
)
from runtime.replay.outcome import Outcome
from runtime.values import GeoPoint

_INSIDE_68, _INSIDE_95 = 2.279, 5.991  # chi-square with two degrees of freedom


def compare(
    logged: Outcome, replayed: Outcome, truth: Truth | None, begin_t_ns: int, tolerance_m: float
) -> Comparison:
    """Compares what followed twice from the same inputs; ``begin_t_ns``: what seconds count from.

    Changed are: estimates and the camera's own, where two of one instant lie farther apart than ``tolerance_m``, one is
    missing or their states differ; the order of guidance's decisions; setpoints, by their number or their place; and,
    where no tolerance is left, bytes that were sent.
    """
    estimates = _estimates(logged.records["estimate"], replayed.records["estimate"])
    vision = _estimates(_by_exposure(logged.records["vision"]), _by_exposure(replayed.records["vision"]))
    decisions = _decisions(logged.records["guidance"], replayed.records["guidance"], begin_t_ns)
    setpoints = _setpoints(logged.records["setpoint"], replayed.records["setpoint"])
    sent = _sent(logged, replayed, begin_t_ns)
    differs = {
        "estimates": _differs(estimates, tolerance_m),
        "vision": _differs(vision, tolerance_m),
        "decisions": decisions.logged != decisions.replayed,
        "setpoints": setpoints.given[0] != setpoints.given[1]
        or setpoints.sent[0] != setpoints.sent[1]
        or _beyond(setpoints.apart_m, tolerance_m),
        "sent": tolerance_m == 0.0 and any(one.differ_at_s is not None for one in sent.values()),
    }
    return Comparison(
        tolerance_m=tolerance_m,
        changed=tuple(name for name, true in differs.items() if true),
        estimates=estimates,
        vision=vision,
        truth=None if truth is None else _against(truth, logged, replayed),
        fixes=_fixes(logged.records["fix"], replayed.records["fix"]),
        decisions=decisions,
        setpoints=setpoints,
        keyframes=(_kept(logged.records["record"]), _kept(replayed.records["record"])),
        sent=sent,
        records=_records(logged, replayed),
    )


def _differs(estimates: Estimates, tolerance_m: float) -> bool:
    return estimates.one_sided > 0 or estimates.states_agree < 1.0 or _beyond(estimates.apart_m, tolerance_m)


def _beyond(spread: Spread | None, tolerance_m: float) -> bool:
    return spread is not None and spread.max > tolerance_m


def _estimates(logged: Sequence[Logged], replayed: Sequence[Logged]) -> Estimates:
    before, after = dict(logged), dict(replayed)
    both = [(before[t_ns], after[t_ns]) for t_ns in before.keys() & after.keys()]
    apart = [_apart(a, b, "position") for a, b in both]
    known = [(a["position"] is None) + (b["position"] is None) for a, b in both]
    agree = [a["state"] == b["state"] for a, b in both]
    return Estimates(
        compared=len(both),
        apart_m=Spread.of([one for one in apart if one is not None]),
        states_agree=sum(agree) / len(agree) if agree else 1.0,
        one_sided=sum(one == 1 for one in known) + len(before.keys() ^ after.keys()),
        sigma_m=(_middle(logged), _middle(replayed)),
    )


def _by_exposure(vision: Sequence[Logged]) -> list[Logged]:
    """The camera's word of a frame may come later or earlier in a replay; it is about the same frame."""
    return [(record["believed_t_ns"], record) for _, record in vision]


def _middle(estimates: Sequence[Logged]) -> float | None:
    sigmas = [record["sigma_m"] for _, record in estimates if record["sigma_m"] is not None]
    return float(np.median(sigmas)) if sigmas else None


def _apart(a: dict[str, Any], b: dict[str, Any], key: str) -> float | None:
    return None if a[key] is None or b[key] is None else distance_m(_point(a[key]), _point(b[key]))


def _fixes(logged: Sequence[Logged], replayed: Sequence[Logged]) -> Fixes:
    before = {record["exposed_t_ns"]: record for _, record in logged}
    after = {record["exposed_t_ns"]: record for _, record in replayed}
    both = [(before[exposed], after[exposed]) for exposed in before.keys() & after.keys()]
    apart = [_apart(a, b, "aircraft") for a, b in both]
    return Fixes(
        tried=(len(before), len(after)),
        fixed=(_fixed(before), _fixed(after)),
        gained=sum(a["aircraft"] is None and b["aircraft"] is not None for a, b in both),
        lost=sum(a["aircraft"] is not None and b["aircraft"] is None for a, b in both),
        apart_m=Spread.of([one for one in apart if one is not None]),
    )


def _fixed(fixes: dict[int, dict[str, Any]]) -> int:
    return sum(record["aircraft"] is not None for record in fixes.values())


def _decisions(logged: Sequence[Logged], replayed: Sequence[Logged], begin_t_ns: int) -> Decisions:
    before, after = _transitions(logged), _transitions(replayed)
    differ_ns = None
    for k in range(max(len(before), len(after))):
        here = [one[k] for one in (before, after) if k < len(one)]
        if len({word for _, word in here}) > 1 or len(here) == 1:
            differ_ns = min(t_ns for t_ns, _ in here)
            break
    return Decisions(
        tuple(word for _, word in before), tuple(word for _, word in after), _seconds(differ_ns, begin_t_ns)
    )


def _transitions(decisions: Sequence[Logged]) -> list[tuple[int, str]]:
    """(t_ns, state and phase) of each change."""
    words = [(t_ns, f"{record['state']} {record['phase']}".removesuffix(" none")) for t_ns, record in decisions]
    return [next(same) for _, same in groupby(words, key=lambda one: one[1])]


def _setpoints(logged: Sequence[Logged], replayed: Sequence[Logged]) -> Setpoints:
    before, after = dict(logged), dict(replayed)
    apart = [distance_m(_point(before[t_ns]), _point(after[t_ns])) for t_ns in before.keys() & after.keys()]
    return Setpoints(
        given=(len(logged), len(replayed)),
        sent=(sum(record["sent"] for _, record in logged), sum(record["sent"] for _, record in replayed)),
        apart_m=Spread.of(apart),
    )


def _kept(recorded: Sequence[Logged]) -> int:
    return sum(record["keyframe"] is not None for _, record in recorded)


def _sent(logged: Outcome, replayed: Outcome, begin_t_ns: int) -> dict[str, Sent]:
    found = {}
    for link in sorted({link for _, link, _ in (*logged.sent, *replayed.sent)}):
        before = [(t_ns, data) for t_ns, of, data in logged.sent if of == link]
        after = [(t_ns, data) for t_ns, of, data in replayed.sent if of == link]
        odd = next((min(a[0], b[0]) for a, b in zip(before, after, strict=False) if a != b), None)
        if odd is None and len(before) != len(after):
            odd = max(before, after, key=len)[min(len(before), len(after))][0]
        sizes = (sum(len(data) for _, data in before), sum(len(data) for _, data in after))
        found[link] = Sent(sizes, _seconds(odd, begin_t_ns))
    return found


def _records(logged: Outcome, replayed: Outcome) -> dict[str, Records]:
    channels = sorted((logged.records.keys() | replayed.records.keys()) - {"truth", "log"})
    return {
        channel: _alike(logged.records.get(channel, []), replayed.records.get(channel, [])) for channel in channels
    }


def _alike(logged: Sequence[Logged], replayed: Sequence[Logged]) -> Records:
    left: dict[int, list[dict[str, Any]]] = {}
    for t_ns, record in logged:
        left.setdefault(t_ns, []).append(record)
    same = 0
    for t_ns, record in replayed:
        if record in left.get(t_ns, ()):
            left[t_ns].remove(record)
            same += 1
    return Records(len(logged), len(replayed), same)


def _against(truth: Truth, logged: Outcome, replayed: Outcome) -> AgainstTruth:
    flown, vision = (
        (_errors(truth, logged.records[of]), _errors(truth, replayed.records[of])) for of in ("estimate", "vision")
    )
    return AgainstTruth(truth.source, flown, vision)


def _errors(truth: Truth, estimates: Sequence[Logged]) -> Errors | None:
    """Of the estimates that were to be steered by."""
    distances, squares = [], []
    for _, record in estimates:
        there = truth.at(record["believed_t_ns"])
        if there is None or record["position"] is None or not record["trusted"]:
            continue
        north, east = north_east_m(there, _point(record["position"]))
        distances.append(math.hypot(north, east))
        squares.append(_square(north, east, record["covariance_m2"]))
    spread = Spread.of(distances)
    if spread is None:
        return None
    inside = [sum(square < limit for square in squares) / len(squares) for limit in (_INSIDE_68, _INSIDE_95)]
    return Errors(spread, inside[0], inside[1])


def _square(north: float, east: float, covariance: list[list[float | None]]) -> float:
    """Error squared over its covariance; infinite where that is unknown."""
    (a, b), (_, d) = covariance
    if a is None or b is None or d is None or a * d - b * b <= 0:
        return math.inf
    return (d * north * north - 2 * b * north * east + a * east * east) / (a * d - b * b)


def _seconds(t_ns: int | None, begin_t_ns: int) -> float | None:
    return None if t_ns is None else round((t_ns - begin_t_ns) * 1e-9, 3)


def _point(record: dict[str, Any]) -> GeoPoint:
    return GeoPoint(record["latitude_deg"], record["longitude_deg"])
