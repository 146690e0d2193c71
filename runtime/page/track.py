"""The way that was flown, as a page draws it: a few thousand points, however long the flight."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.flightlog.beliefs import EstimateRecord

_POINTS = 3000
_FIRST_SPACING_NS = 1_000_000_000  # between two points; doubled whenever there are too many


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """Where the aircraft was believed to be; ``seq`` grows from point to point."""

    seq: int
    latitude_deg: float
    longitude_deg: float
    source: str
    trusted: bool

    def as_json(self) -> list[object]:
        """[latitude, longitude, whether by the camera, whether trusted]."""
        by_sight = int(self.source == "vision")
        return [round(self.latitude_deg, 7), round(self.longitude_deg, 7), by_sight, int(self.trusted)]


class Track:
    """Points of the estimate that was flown. Where they become too many every second one goes, and `generation`
    grows: whoever holds them takes them anew."""

    def __init__(self) -> None:
        self.points: tuple[TrackPoint, ...] = ()
        self.generation = 0
        self._spacing_ns = _FIRST_SPACING_NS
        self._due_ns = 0
        self._seq = 0
        self._kept: list[TrackPoint] = []

    def add(self, t_ns: int, record: EstimateRecord) -> None:
        """Takes an estimate, if it has a position and the last point is old enough."""
        if record.position is None or t_ns < self._due_ns:
            return
        self._due_ns = t_ns + self._spacing_ns
        self._seq += 1
        at = record.position
        self._kept.append(TrackPoint(self._seq, at.latitude_deg, at.longitude_deg, record.source, record.trusted))
        if len(self._kept) > _POINTS:
            self._kept = self._kept[::2]
            self._spacing_ns *= 2
            self.generation += 1
        self.points = tuple(self._kept)
