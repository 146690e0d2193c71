"""What each stage of knowing the position is worth, from the log of one simulated flight with its truth.

Every stage is asked at the exposure of every frame that went through odometry, with what was known by then:

- retrieval alone: the remembered place that looked most like the newest frame that was looked up, wherever it was then;
- \\+ verification: the newest fix that was accepted, where it put the aircraft then;
- \\+ odometry: the same, carried on by the displacements since its exposure;
- \\+ filter: the camera's word that the daemon flew by, while it was tracking.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.flightlog.flightlog import read_flightlog
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.values import GeoPoint, TrackingState

STAGES = ("retrieval alone", "+ verification", "+ odometry", "+ filter")
Array = NDArray[np.float64]


@dataclass(slots=True)
class Positions:
    """Positions in the order in which they became known: ``known_ns``, when; ``of_ns``, which instant each is of."""

    known_ns: list[int] = field(default_factory=list)
    of_ns: list[int] = field(default_factory=list)
    places: list[Array] = field(default_factory=list)

    def add(self, known_ns: int, of_ns: int, place: Array) -> None:
        """In the order of ``known_ns``."""
        self.known_ns.append(known_ns)
        self.of_ns.append(of_ns)
        self.places.append(place)

    def newest(self, t_ns: int) -> tuple[int, Array] | None:
        """(instant, place) of the last one known at ``t_ns``."""
        index = bisect_right(self.known_ns, t_ns) - 1
        return None if index < 0 else (self.of_ns[index], self.places[index])


class Reckoning:
    """Dead reckoning by odometry alone, from an origin of its own; where a frame measured nothing it stands still."""

    def __init__(self) -> None:
        self._t_ns: list[int] = []
        self._places: list[Array] = []
        self._reference: tuple[int, Array] | None = None

    def take(self, exposed_ns: int, displacement: dict[str, Any] | None) -> None:
        """What one frame said, in order of exposure."""
        here = self.at(exposed_ns)
        if displacement is None:
            self._reference = None
        else:
            from_ns = int(displacement["from_t_ns"])
            if self._reference is None or self._reference[0] != from_ns:
                self._reference = from_ns, self.at(from_ns)
            here = self._reference[1] + np.array([displacement["north_m"], displacement["east_m"]])
        self._t_ns.append(exposed_ns)
        self._places.append(here)

    def at(self, t_ns: int) -> Array:
        """Where it puts the aircraft at the last frame until ``t_ns``."""
        index = bisect_right(self._t_ns, t_ns) - 1
        return np.zeros(2) if index < 0 else self._places[index]


@dataclass(slots=True)
class Known:
    """What a flight log says, in metres from ``origin``."""

    origin: GeoPoint
    looked_up: Positions = field(default_factory=Positions)
    fixed: Positions = field(default_factory=Positions)
    reckoning: Reckoning = field(default_factory=Reckoning)
    frames: list[tuple[int, Array | None]] = field(default_factory=list)  # exposure, and the filter's place
    truth: Positions = field(default_factory=Positions)


def stage_errors_m(log: Path, history: Path, from_ns: int) -> dict[str, list[float]]:
    """{stage: error at every frame exposed from ``from_ns`` on}; a stage that has nothing yet has no error there."""
    known = _read(log, _keyframes(history))
    errors: dict[str, list[float]] = {stage: [] for stage in STAGES}
    t_ns, places = np.array(known.truth.of_ns, np.float64), np.array(known.truth.places).reshape(-1, 2)
    for exposed_ns, filtered in known.frames:
        if exposed_ns < from_ns or not len(t_ns):
            continue
        there = np.array([np.interp(exposed_ns, t_ns, places[:, axis]) for axis in (0, 1)])
        for stage, place in _placed(known, exposed_ns, filtered).items():
            errors[stage].append(float(np.hypot(*(place - there))))
    return errors


def _placed(known: Known, t_ns: int, filtered: Array | None) -> dict[str, Array]:
    placed = {}
    looked_up, fixed = known.looked_up.newest(t_ns), known.fixed.newest(t_ns)
    if looked_up is not None:
        placed[STAGES[0]] = looked_up[1]
    if fixed is not None:
        placed[STAGES[1]] = fixed[1]
        placed[STAGES[2]] = fixed[1] + known.reckoning.at(t_ns) - known.reckoning.at(fixed[0])
    if filtered is not None:
        placed[STAGES[3]] = filtered
    return placed


def _keyframes(history: Path) -> dict[int, GeoPoint]:
    with History.open(history) as opened:
        return {keyframe.keyframe_id: keyframe.ground for keyframe in opened.keyframes(crops=False)}


def _read(log: Path, keyframes: dict[int, GeoPoint]) -> Known:
    known: Known | None = None
    records = list(read_flightlog(log, ("fix", "odometry", "vision", "truth")))
    for channel, t_ns, record in records:
        if channel == "truth":
            known = known or Known(_point(record["position"]))
            known.truth.add(t_ns, t_ns, _metres(known.origin, record["position"]))
    if known is None:
        return Known(GeoPoint(0.0, 0.0))
    for channel, t_ns, record in records:
        if channel == "fix":
            _take_fix(known, t_ns, record, keyframes)
        elif channel == "odometry":
            known.reckoning.take(int(record["exposed_t_ns"]), record["displacement"])
        elif channel == "vision":
            tracking = record["state"] == TrackingState.TRACKING.value and record["position"] is not None
            place = _metres(known.origin, record["position"]) if tracking else None
            known.frames.append((int(record["believed_t_ns"]), place))
    return known


def _take_fix(known: Known, t_ns: int, record: dict[str, Any], keyframes: dict[int, GeoPoint]) -> None:
    exposed_ns = int(record["exposed_t_ns"])
    alike = [one for one in record["hypotheses"] if one["similarity"] is not None and one["keyframe_ids"]]
    if alike:
        best = max(alike, key=lambda one: one["similarity"])
        keyframe = keyframes.get(int(best["keyframe_ids"][0]))
        if keyframe is not None:
            known.looked_up.add(t_ns, exposed_ns, np.array(north_east_m(known.origin, keyframe)))
    if record["aircraft"] is not None:
        known.fixed.add(t_ns, exposed_ns, _metres(known.origin, record["aircraft"]))


def _point(said: dict[str, float]) -> GeoPoint:
    return GeoPoint(said["latitude_deg"], said["longitude_deg"])


def _metres(origin: GeoPoint, said: dict[str, float]) -> Array:
    return np.array(north_east_m(origin, _point(said)))
