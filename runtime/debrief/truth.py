"""Where the aircraft really was, as far as a log knows: from its simulator, else from the GPS receiver."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runtime.debrief.flown import Flown, Logged
from runtime.freshness import LOG_GAP
from runtime.interpolation import point_between
from runtime.values import GeoPoint

SIMULATOR, RECEIVER = "simulator", "gps receiver"


@dataclass(frozen=True, slots=True)
class Truth:
    """``source``: who says it; positions by time."""

    source: str
    stamps_ns: Sequence[int]
    points: Sequence[GeoPoint]

    def at(self, t_ns: int) -> GeoPoint | None:
        """The place at an instant, between two that are known; None where nobody knows."""
        after = bisect_left(self.stamps_ns, t_ns)
        if after == len(self.stamps_ns) or (after == 0 and self.stamps_ns[0] != t_ns):
            return None
        if self.stamps_ns[after] == t_ns:
            return self.points[after]
        begin_ns, end_ns = self.stamps_ns[after - 1], self.stamps_ns[after]
        if end_ns - begin_ns > LOG_GAP.ns:
            return None
        share = (t_ns - begin_ns) / (end_ns - begin_ns)
        return point_between(self.points[after - 1], self.points[after], share)

    def until(self, t_ns: int | None) -> Truth:
        """What is known of the time before an instant; None: of all time."""
        known = len(self.stamps_ns) if t_ns is None else bisect_left(self.stamps_ns, t_ns)
        return Truth(self.source, self.stamps_ns[:known], self.points[:known])


def truth_of(flown: Flown) -> Truth | None:
    """What a log knows of the truth; None where it knows nothing.

    The simulator's record of it, else what the vehicle's GPS receiver said, by the instants at which it was heard,
    while it had a fix in three dimensions and before the flight began to doubt it.
    """
    told = flown.records.get("truth")
    if told:
        return by_time(SIMULATOR, [(t_ns, _point(record["position"])) for t_ns, record in told])
    heard = [(one.t_ns, one.place) for one in flown.wire.received if one.has_fix]
    known = by_time(RECEIVER, heard).until(doubted_ns(flown.records.get("navigation", [])))
    return known if known.points else None


def doubted_ns(navigation: Sequence[Logged]) -> int | None:
    """When a flight began to doubt its satellite receiver; None: it never did."""
    return min((int(record["alarm"]["t_ns"]) for _, record in navigation if record["alarm"]), default=None)


def alarms_ns(navigation: Sequence[Logged]) -> list[int]:
    """When it was decided that the receiver is not believed any more, each time anew."""
    alarms, doubted = [], False
    for t_ns, record in navigation:
        if record["alarm"] is not None and not doubted:
            alarms.append(t_ns)
        doubted = record["alarm"] is not None
    return alarms


def by_time(source: str, known: Sequence[tuple[int, GeoPoint]]) -> Truth:
    """Places in any order."""
    once = dict(sorted(known, key=lambda one: one[0]))  # of one instant the last word
    return Truth(source, list(once), list(once.values()))


def _point(record: dict[str, Any]) -> GeoPoint:
    return GeoPoint(record["latitude_deg"], record["longitude_deg"])
