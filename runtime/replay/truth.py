"""Where the aircraft really was, as far as a log knows: from its simulator, else from the GPS receiver."""

from __future__ import annotations

import base64
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.events import VEHICLE_LINK
from runtime.flightlog.read import read_flightlog
from runtime.freshness import LOG_GAP
from runtime.interpolation import point_between
from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import PacketReader
from runtime.replay.outcome import Outcome
from runtime.values import GeoPoint

_FIX_3D = 3  # GPS_FIX_TYPE


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


def truth_of(path: Path, followed: Outcome) -> Truth | None:
    """What a log knows of the truth; None where it knows nothing.

    The simulator's record of it, else what the vehicle's GPS receiver said, by the instants at which it was heard,
    while it had a fix in three dimensions and before the flight began to doubt it.
    """
    told = followed.records.get("truth")
    if told:
        return _by_time("simulator", [(t_ns, _point(record["position"])) for t_ns, record in told])
    alarms = [record["alarm"]["t_ns"] for _, record in followed.records.get("navigation", []) if record["alarm"]]
    heard = [one for one in _receiver(path) if not alarms or one[0] < min(alarms)]
    return _by_time("gps receiver", heard) if heard else None


def _receiver(path: Path) -> list[tuple[int, GeoPoint]]:
    readers: dict[str, PacketReader] = defaultdict(
        lambda: PacketReader(wanted=frozenset({mavlink.MAVLINK_MSG_ID_GPS_RAW_INT}))
    )
    heard: list[tuple[int, GeoPoint]] = []
    for _, t_ns, record in read_flightlog(path, ("link",)):
        if record["direction"] != "in" or not record["link"].startswith(VEHICLE_LINK):
            continue
        for packet in readers[record["link"]].feed(base64.urlsafe_b64decode(record["data"])):
            message = packet.message
            if message is not None and message.fix_type >= _FIX_3D:
                heard.append((t_ns, GeoPoint(message.lat * 1e-7, message.lon * 1e-7)))
    return heard


def _by_time(source: str, known: list[tuple[int, GeoPoint]]) -> Truth:
    once = dict(sorted(known, key=lambda one: one[0]))  # of one instant the last word
    return Truth(source, list(once), list(once.values()))


def _point(record: dict[str, Any]) -> GeoPoint:
    return GeoPoint(record["latitude_deg"], record["longitude_deg"])
