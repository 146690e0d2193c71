"""Rates and delays held against what feeding and guidance need: of the link's streams, of frames and of fixes.

A fix that comes one or two seconds late, on a computer that has more to do than it can, is of a place that was left; a
position that no fix has spoken for lately is not flown on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.doctor.finding import Finding
from runtime.values import AidingRoute
from runtime.vehicle.telemetry.streams import StreamHealth

_LEAST_HZ = {"ardupilot": 4.0, "px4": 5.0}  # of what is fed: below, the estimator calls the source gone (250, 200 ms)
_GOOD_HZ = 10.0  # of frames: odometry loses its points between two that are further apart
_LATE_FIX_MS = 1000.0  # from exposure to the fix: 8 m of way at 8 m/s, which odometry has to make good
_LATE_MS = 250.0  # from exposure to feeding: the most that an estimator's buffers allow for


@dataclass(frozen=True, slots=True)
class Needs:
    """What the configuration in force asks of the computer's own rates."""

    route: AidingRoute
    max_fix_age_s: float
    coast_s: float
    by_sight: bool  # the camera's position is to be flown on, or fed


def stream_findings(streams: tuple[StreamHealth, ...]) -> Iterator[Finding]:
    """One for each stream that was asked for."""
    for stream in streams:
        rate = f"{stream.rate_hz:.1f} of {stream.wanted_hz:g} Hz"
        if stream.status == "ok":
            yield Finding(stream.name, "ok", rate)
        elif stream.status == "accepted":
            yield Finding(stream.name, "ok", "granted; the autopilot has nothing to say of it now")
        elif stream.required:
            why = "the autopilot refuses it" if stream.status == "denied" else f"{rate}: {stream.status}"
            told = "nothing is commanded without it; a line that is too slow, or shared, carries too little"
            yield Finding(stream.name, "wrong", f"{why}; {told}")
        else:
            yield Finding(stream.name, "note", f"{stream.status}; nothing rests on it")


def own_findings(status: Mapping[str, Any], needs: Needs, stack: str) -> Iterator[Finding]:
    """Of a flying daemon's ``status``: its frames, its fixes, and what they cost."""
    if not needs.by_sight:
        return
    rate_hz, latency = status.get("rates_hz", {}).get("odometry", 0.0), status.get("latency_ms", {})
    least_hz = _LEAST_HZ.get(stack, 4.0) if needs.route is not AidingRoute.OFF else 0.0
    few = "wrong" if rate_hz < max(least_hz, 0.1) else "warning" if rate_hz < _GOOD_HZ else "ok"
    told = f"{rate_hz:.1f} Hz go through odometry; {_GOOD_HZ:g} are good, {least_hz:g} the least that is fed"
    yield Finding("frames", few, told)
    yield from _fixes(status, latency, needs)
    fed = latency.get("exposure_to_injection")
    if needs.route is not AidingRoute.OFF and fed is not None:
        late = fed["p99"] > _LATE_MS
        told = f"{fed['p50']:.0f} ms from exposure to feeding, {fed['p99']:.0f} ms in one of a hundred"
        yield Finding("feeding delay", "warning" if late else "ok", f"{told}; {_LATE_MS:g} are allowed for")


def _fixes(status: Mapping[str, Any], latency: Mapping[str, Any], needs: Needs) -> Iterator[Finding]:
    whole = latency.get("exposure_to_fix")
    if whole is None:
        yield Finding("fixes", "note", "none yet: above some 20 m over known ground they come within seconds")
        return
    late = whole["p99"] > _LATE_FIX_MS
    told = f"{whole['p50']:.0f} ms after the exposure, {whole['p99']:.0f} ms in one of a hundred"
    if (computed := latency.get("fix")) is not None:
        told += f"; {computed['p50']:.0f} and {computed['p99']:.0f} ms of that are the fix itself"
    why = f"; beyond {_LATE_FIX_MS:g} ms it is of a place that was left: give the computer less to do"
    yield Finding("fix delay", "warning" if late else "ok", told + why * late)
    fix = status.get("fix")
    allowed_s = min(needs.max_fix_age_s if needs.route is not AidingRoute.OFF else needs.coast_s, needs.coast_s)
    if fix is not None and fix.get("age_s") is not None:
        old = fix["age_s"] > allowed_s
        told = f"{fix['age_s']:.1f} s old; {allowed_s:g} s are flown on"
        yield Finding("fix age", "warning" if old else "ok", told)
