"""One boot of an autopilot as a track: the positions that are believed, and in words what is left out and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runtime.errors import TelemetryError
from runtime.freshness import LOG_GAP, RANGE
from runtime.interpolation import mix
from runtime.reports.values import Attitude, Fused, Ground, Receiver
from runtime.sources.excursions import excursions
from runtime.sources.logs.boots import Boot, Level, Simulated, covered_s
from runtime.sources.logs.trust import LEAPT, NO_POSITION, Known, Trust
from runtime.sources.track import PlaceSample, Track, TurnSample
from runtime.values import PositionSource

_WORST_ALTITUDE_SIGMA_M = 100.0  # a height that is known no better is as good as none
_SPANS_SAID = 4  # of a log whose positions come and go; the others are counted
_SPAN_LEAST_S = 1.0  # a shorter loss is bridged, or costs a frame or two
SIMULATOR, RECEIVER, ESTIMATOR = "simulator", "gps receiver", "autopilot's estimator"
_SPANS_APART_S = 2.0  # believed positions of less than this between two losses are no news


@dataclass(frozen=True, slots=True)
class Flight:
    """``places`` and ``turns`` over the time since ``start_s`` of the boot's clock, its first report; ``doubted``:
    instants with a position that is not believed, and why."""

    boot: Boot
    places: tuple[PlaceSample, ...]
    turns: tuple[TurnSample, ...]
    source: PositionSource
    start_s: float
    doubted: tuple[tuple[float, str], ...]
    word: str = ESTIMATOR

    @property
    def believed_s(self) -> float:
        """For how long there are positions that are believed."""
        return covered_s([place.t_s for place in self.places])

    def track(self, name: str, kind: str) -> Track:
        """The track of what is believed; ``name`` is the file's, ``kind`` that of its format.

        Raises:
            TelemetryError: there is no position, or none that is to be believed.
        """
        if not self.places:
            raise TelemetryError(f"{name}: {self._nothing()}.")
        clock_s = self.boot.utc_s
        utc_start_s = None if clock_s is None else clock_s + self.start_s
        return Track(self.places, self.turns, name, kind, self.source, utc_start_s=utc_start_s,
                     boot_start_s=self.start_s, word=self.word)  # fmt: skip

    def _nothing(self) -> str:
        reasons = list(dict.fromkeys(why for _, why in self.doubted))
        if not set(reasons) - {NO_POSITION}:
            return "holds no positions of the vehicle"
        return f"holds no position of the vehicle that is to be believed ({'; '.join(reasons[:3])})"

    def notes(self, name: str) -> list[str]:
        """Sentences for people on which positions are used, and from when to when there are none."""
        found = []
        if self.source is PositionSource.GPS and self.word != RECEIVER:
            found.append(f"{name}: holds no positions of the estimator; the receiver's own are used.")
        spans = [span for span in self._spans() if span[1] - span[0] >= _SPAN_LEAST_S]
        for from_s, to_s, reasons in spans[:_SPANS_SAID]:
            found.append(
                f"{name}: no position is to be believed from {from_s:.1f} to {to_s:.1f} s ({'; '.join(reasons)}); "
                "frames of that time are left out."
            )
        if len(spans) > _SPANS_SAID:
            found.append(f"{name}: so it is at {len(spans) - _SPANS_SAID} more times.")
        return found

    def _spans(self) -> Iterator[tuple[float, float, list[str]]]:
        """From when to when nothing is believed, and the reasons."""
        believed = [place.t_s for place in self.places]
        events = sorted([*self.doubted, *((t_s, "") for t_s in believed)])
        span: tuple[float, float, list[str]] | None = None
        good_since: float | None = None
        for t_s, why in events:
            if not why:
                good_since = t_s if good_since is None else good_since
                continue
            if span is not None and (good_since is None or t_s - good_since < _SPANS_APART_S):
                span = span[0], t_s, span[2] if why in span[2] else [*span[2], why]
            else:
                if span is not None:
                    yield span
                span = t_s, t_s, [why]
            good_since = None
        if span is not None:
            yield span


def flight_of(boot: Boot) -> Flight:
    """The positions of a boot that are believed: the estimator's, or, where it has none at all, the best receiver's."""
    times, fused = boot.of(Fused)
    by_estimator = any(said.point is not None for said in fused)
    start_s = _start_s(boot, Fused if times else Receiver)
    places: list[PlaceSample] = []
    doubted: list[tuple[float, str]] = []
    for t_s, said, known in _fused(boot) if by_estimator else _raw(boot):
        if known.doubt or said.point is None:
            doubted.append((t_s - start_s, known.doubt or NO_POSITION))
        else:
            places.append(_place(t_s, start_s, said, known, boot))
    away = excursions([(place.t_s, place.position) for place in places])
    doubted = sorted([*doubted, *((places[k].t_s, LEAPT) for k in away)])
    places = [place for k, place in enumerate(places) if k not in away]
    turns = tuple(TurnSample(t_s - start_s, said.ned_from_body) for t_s, said in zip(*boot.of(Attitude), strict=True))
    source = PositionSource.AUTOPILOT if by_estimator or not places else PositionSource.GPS
    return Flight(boot, tuple(places), turns, source, start_s, tuple(doubted))


def reference_of(boot: Boot) -> Flight:
    """The positions of a boot by whoever knew them best and did not learn them from a camera: the simulator, else the
    best receiver while it had a fix of its own, else the estimator while it is believed."""
    times, true = boot.of(Simulated)
    if true:
        places = tuple(PlaceSample(t_s - times[0], said.point) for t_s, said in zip(times, true, strict=True))
        return Flight(boot, places, (), PositionSource.UNKNOWN, times[0], (), SIMULATOR)
    if not boot.of(Receiver)[1]:
        return flight_of(boot)
    start_s = _start_s(boot, Receiver)
    judged = [(t_s - start_s, said.point, known) for t_s, said, known in _raw(boot)]
    doubted = [(t_s, known.doubt or NO_POSITION) for t_s, point, known in judged if known.doubt or point is None]
    known_at = tuple(
        PlaceSample(t_s, point, sigma_m=known.sigma_m)
        for t_s, point, known in judged
        if point is not None and not known.doubt
    )
    return Flight(boot, known_at, (), PositionSource.GPS, start_s, tuple(doubted), RECEIVER)


def _start_s(boot: Boot, kind: type[Fused] | type[Receiver]) -> float:
    """When the log first said where the vehicle was or how it was turned, believed or not."""
    firsts = [*boot.of(kind)[0][:1], *boot.of(Attitude)[0][:1]]
    return min(firsts, default=boot.first_s)


def _fused(boot: Boot) -> Iterator[tuple[float, Fused | Receiver, Known]]:
    trust = Trust(boot)
    for index, (t_s, said) in enumerate(zip(*boot.of(Fused), strict=True)):
        yield t_s, said, trust.fused(t_s, said, index)


def _raw(boot: Boot) -> Iterator[tuple[float, Fused | Receiver, Known]]:
    """Of the receiver that has the most positions; without any receiver what the estimator said instead of one."""
    trust = Trust(boot)
    judged = [(t_s, said, trust.raw(t_s, said)) for t_s, said in zip(*boot.of(Receiver), strict=True)]
    counts: dict[int, int] = {}
    for _, said, known in judged:
        counts[said.instance] = counts.get(said.instance, 0) + (not known.doubt)
    best = max(counts, key=lambda instance: (counts[instance], -instance), default=0)
    yield from (one for one in judged if one[1].instance == best)
    if not judged:
        yield from _fused(boot)


def _place(t_s: float, start_s: float, said: Fused | Receiver, known: Known, boot: Boot) -> PlaceSample:
    assert said.point is not None
    takeoff_m = said.height_takeoff_m if said.height_takeoff_m is not None else _level_m(boot, t_s)
    velocity = said.velocity_ned_m_s if isinstance(said, Fused) else None
    vague = known.altitude_sigma_m is not None and known.altitude_sigma_m > _WORST_ALTITUDE_SIGMA_M
    return PlaceSample(
        t_s - start_s,
        said.point,
        None if vague else said.altitude_amsl_m,
        takeoff_m,
        _range_m(boot, t_s),
        velocity,
        known.sigma_m,
        None if vague else known.altitude_sigma_m,
    )


def _level_m(boot: Boot, t_s: float) -> float | None:
    """Height above take-off by what says it apart from the position."""
    times, levels = boot.of(Level)
    before, after = boot.stream(Level).around(t_s)
    if before < 0 or after >= len(times):
        return None
    gap_s = times[after] - times[before]
    if gap_s > LOG_GAP.seconds:
        return None
    share = (t_s - times[before]) / gap_s if gap_s > 0.0 else 0.0
    return mix(levels[before].height_takeoff_m, levels[after].height_takeoff_m, share)


def _range_m(boot: Boot, t_s: float) -> float | None:
    """The last reading of the range finder, while it is fresh."""
    before = boot.stream(Ground).around(t_s)[0]
    times, readings = boot.of(Ground)
    fresh = before >= 0 and t_s - times[before] < RANGE.seconds
    return readings[before].range_m if fresh else None
