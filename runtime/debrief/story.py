"""What happened in a flight, in the status page's sentences, and the few moments of it that plots are marked by."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from runtime.debrief.flown import Flown, Logged
from runtime.debrief.narrator import WARNING, Narrator
from runtime.debrief.sightings import Moment
from runtime.flightlog.beliefs import AlarmRecord
from runtime.flightlog.record import Record
from runtime.flightlog.records import RECORDS, CameraStateRecord
from runtime.guidance.reasons import Phase, State
from runtime.report.flight import Table

_KINDS = {kind.channel: kind for kind in RECORDS}
_TOLD = ("guidance", "navigation", "vision", "injection", "setpoint", "release", "vehicle", "control", "error",
         CameraStateRecord.channel, "log")  # fmt: skip
_MOST_MOMENTS = 14  # that a plot can name without one hiding another
_PHASES = {Phase.HOLDING: "arrived", Phase.CONFIRMED: "confirmed", Phase.NOT_CONFIRMED: "not confirmed"}


def story_of(flown: Flown, name: str = "") -> Table:
    """Every change, once, in its order; what went wrong is marked."""
    rows = list(_told(flown))
    title = "What happened" + (f": {name.replace('_', ' ')}" if name else "")
    timed = tuple((f"{flown.seconds(t_ns):.1f} s", text) for t_ns, text, _ in rows)
    marked = frozenset(number for number, (_, _, severity) in enumerate(rows) if severity == WARNING)
    return Table(title, ("time", "what"), timed, marked)


def _told(flown: Flown) -> Iterator[tuple[int, str, str]]:
    narrator = Narrator()
    channels = ([(t_ns, channel, one) for t_ns, one in flown.records.get(channel, [])] for channel in _TOLD)
    for t_ns, channel, record in heapq.merge(*channels, key=lambda one: one[0]):
        known = _record(channel, record)
        if known is not None:
            yield from ((t_ns, text, severity) for text, severity in narrator.said(known))


def _record(channel: str, record: dict[str, Any]) -> Record | None:
    """The record as it was written; None of another version's, which has other fields."""
    if channel == "navigation" and record["alarm"] is not None:
        record = {**record, "alarm": AlarmRecord(**record["alarm"])}
    try:
        return _KINDS[channel](**record)
    except TypeError:
        return None


def moments_of(flown: Flown) -> list[Moment]:
    """When it was engaged, arrived and yielded, and when GPS went and came; the first of many."""
    found = [*_of_guidance(flown.records.get("guidance", [])), *_of_gps(flown.records.get("navigation", []))]
    return sorted(found, key=lambda one: one.t_ns)[:_MOST_MOMENTS]


def _of_guidance(decisions: list[Logged]) -> Iterator[Moment]:
    before: tuple[str, str] = (State.MONITOR.value, Phase.NONE.value)
    for t_ns, record in decisions:
        now = record["state"], record["phase"]
        if now[0] != before[0] and now[0] in (State.ENGAGED.value, State.YIELDED.value):
            yield Moment(t_ns, now[0])
        elif now[1] != before[1] and now[1] in {phase.value for phase in _PHASES}:
            yield Moment(t_ns, _PHASES[Phase(now[1])])
        before = now


def _of_gps(navigation: list[Logged]) -> Iterator[Moment]:
    before = None
    for t_ns, record in navigation:
        if record["gps"] != before and before is not None:
            yield Moment(t_ns, f"GPS {record['gps']}")
        before = record["gps"]
