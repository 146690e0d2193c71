"""The autopilot before a flight, in a few lines: who it is, its rates, its parameters and its clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from runtime.config.config import Config
from runtime.doctor.asked import autopilot_of, identity_findings, looked
from runtime.doctor.autopilot import Seen
from runtime.doctor.finding import Finding
from runtime.doctor.held import Held
from runtime.doctor.rates import own_findings, stream_findings
from runtime.doctor.use import needs_of, use_of
from runtime.errors import HomingError

_ANSWER_WITHIN_S = 5.0  # an autopilot says who it is once a second
_LONG_TRIP_S = 0.1  # there and back: its clock is known to half of that, in which a turning camera turns by 3 deg
_CLOCKS_APART_S = 2.0  # of the two wall clocks: names of logs then do not come together
_NAMED = 4  # parameters in a line
_ALL = "homing doctor --vehicle names each with the value to set"


def link_findings(config: Config, status: dict[str, Any] | None) -> list[Finding]:
    """Through the daemon of ``status``, or over the link itself where none runs."""
    answer_within_s = min(config.vehicle.answer_within_s, _ANSWER_WITHIN_S)
    try:
        with autopilot_of(config, status is not None, answer_within_s=answer_within_s) as autopilot:
            seen, rules = looked(config, autopilot, None, status, rates=True)
    except HomingError as error:
        return [Finding("autopilot", "wrong", str(error))]
    findings = [*identity_findings(config, seen), of_rates(seen), of_parameters(rules), of_time(seen)]
    if seen.armed:
        findings.append(Finding("armed", "warning", "the vehicle is armed"))
    if status is not None:
        findings += own_findings(status, needs_of(config, use_of(config, seen)), seen.stack)
    return findings


def of_rates(seen: Seen) -> Finding:
    """All streams in one line; those that something rests on by name where they do not come."""
    found = list(stream_findings(seen.streams))
    bad = [one for one in found if one.state == "wrong"]
    coming = sum(one.state == "ok" for one in found)
    said = f"{coming} of {len(found)} streams come as they were asked for"
    if bad:
        names = ", ".join(f"{one.what} ({one.found.partition(';')[0]})" for one in bad[:_NAMED])
        todo = "a line that is too slow, or shared, carries too little: raise its baud rate"
        return Finding("rates", "wrong", f"{said}; missing: {names}", todo)
    return Finding("rates", "ok", said)


def of_parameters(rules: Sequence[Held]) -> Finding:
    """All rules in one line; those that are broken by name."""
    states = Counter(one.finding.state for one in rules)
    if not rules:
        return Finding("parameters", "absent", "what is configured asks nothing of them")
    said = f"{states['ok']} of {len(rules)} are as they have to be"
    off = [one.name for state in ("wrong", "warning") for one in rules if one.finding.state == state]
    if not off:
        return Finding("parameters", "ok", said)
    more = f" and {len(off) - _NAMED} more" if len(off) > _NAMED else ""
    state = "wrong" if states["wrong"] else "warning"
    return Finding("parameters", state, f"{said}; not {', '.join(off[:_NAMED])}{more}", _ALL)


def of_time(seen: Seen) -> Finding:
    """How well its clock is known, by which frames and poses meet; and whether both computers mean the same day."""
    trip_s, ahead_s = seen.round_trip_s, seen.ahead_s
    if trip_s is None:
        todo = "frames and poses come together by arrival alone: has its line both directions?"
        return Finding("time sync", "warning", "the autopilot answers no TIMESYNC", todo)
    said = f"its clock is known to {trip_s * 500:.1f} ms"
    if ahead_s is not None and abs(ahead_s) > _CLOCKS_APART_S:
        said += f"; the wall clocks are {abs(ahead_s):.0f} s apart"
        return Finding("time sync", "note", said, "logs of both come together by them: set this computer's")
    if trip_s > _LONG_TRIP_S:
        return Finding("time sync", "warning", said, "what waits in the line? a faster or a wired one is better")
    return Finding("time sync", "ok", said)


def flying_findings(status: dict[str, Any]) -> Iterator[Finding]:
    """What a running daemon says of its camera, which nobody else can open."""
    camera, error = status.get("camera", "unknown"), status.get("camera_error")
    yield Finding("camera", "ok" if camera == "ok" else "wrong", error or f"{camera}, by the daemon that holds it")
    rates = status.get("rates_hz", {})
    if rates:
        told = ", ".join(f"{name} {rate:.1f}" for name, rate in sorted(rates.items()) if rate is not None)
        yield Finding("frame rate", "note", f"in the daemon, in Hz: {told}")
