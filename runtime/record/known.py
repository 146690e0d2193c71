"""What a history holds already, so that nothing is recorded twice, and two flights of one name stay two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from runtime.history.history import History
from runtime.values import GeoPoint, Keyframe

_SAME_PLACE_DEG = 1e-6  # a tenth of a metre: what is left of a tag's digits when it has been through a file
_OLD_EPOCH_NS = 10**15  # a smaller stamp was the number of a photo without a date


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture is known by: its content and place (``fingerprint``); in histories that kept none, its name, time
    and the place that it said."""

    fingerprint: str
    name: str
    t_ns: int | None
    said: GeoPoint


class Known:
    """The pictures that a history's keyframes were made from; it is told of those that are recorded meanwhile."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._by_fingerprint = history.fingerprints()
        told = set(self._by_fingerprint.values())
        self._by_name: dict[str, list[_Entry]] = {}
        for one in history.keyframes(crops=False):
            if one.track_point is not None:
                entry = _Entry(one.keyframe_id, one.flight, _dated(one.pose.t_ns), one.track_point)
                self._by_name.setdefault(one.name, []).append(replace(entry, nameless=one.keyframe_id not in told))

    def keyframe(self, picture: Picture) -> Keyframe | None:
        """The keyframe that was made from a picture, without its crop."""
        found = self._by_fingerprint.get(picture.fingerprint) if picture.fingerprint else None
        if found is None:
            found = next((entry.keyframe_id for entry in self._alike(picture) if entry.nameless), None)
        return None if found is None else self._history.keyframe(found, crop=False)

    def add(self, fingerprint: str, keyframe_id: int) -> None:
        """A picture has become a keyframe."""
        if fingerprint:
            self._by_fingerprint[fingerprint] = keyframe_id

    def flight(self, name: str, pictures: Sequence[Picture]) -> str:
        """The flight that pictures are filed under: the one of this name, or the one that most of them are in already;
        else ``name``, or ``name (2)`` and so on where other pictures have it."""
        found = Counter(flight for picture in pictures if (flight := self._flight_of(picture)))
        taken = set(self._history.flights())
        number, free = 1, name
        while free in taken and free not in found:
            number += 1
            free = f"{name} ({number})"
        if free not in found and found and 2 * found.total() > len(pictures):
            return found.most_common(1)[0][0]
        return free

    def _flight_of(self, picture: Picture) -> str:
        keyframe = self.keyframe(picture)
        if keyframe is not None:
            return keyframe.flight
        return next((entry.flight for entry in self._alike(picture)), "")

    def _alike(self, picture: Picture) -> Iterator[_Entry]:
        """The keyframes of a picture's name, time and place."""
        for entry in self._by_name.get(picture.name, []):
            if entry.t_ns == _dated(picture.t_ns) and _near(entry.said, picture.said):
                yield entry


@dataclass(frozen=True, slots=True)
class _Entry:
    """A keyframe; ``nameless``: its picture's fingerprint was not kept."""

    keyframe_id: int
    flight: str
    t_ns: int | None
    said: GeoPoint
    nameless: bool = False


def _dated(t_ns: int | None) -> int | None:
    return t_ns if t_ns is not None and t_ns > _OLD_EPOCH_NS else None


def _near(a: GeoPoint, b: GeoPoint) -> bool:
    return max(abs(a.latitude_deg - b.latitude_deg), abs(a.longitude_deg - b.longitude_deg)) < _SAME_PLACE_DEG
