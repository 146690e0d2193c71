"""One vehicle's reports, told apart by the boot of the autopilot that they are from.

A boot's clock starts from zero. A time that goes back further than messages are ever reordered, or one that is too
early for the hours that passed at the ground station, is another boot's. What interrupts a clock that then runs on is
no boot: a damaged time, or the reports of another vehicle with the same number, whose clock runs beside this one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from runtime.freshness import LOG_GAP
from runtime.reports.values import Attitude, Estimator, Fused, Ground, Receiver
from runtime.values import GeoPoint

_REORDERED_S = 2.0  # a clock that goes back further was started again
_WALL_S = 5.0  # by which a ground station's clock may run ahead of the vehicle's before that is a restart's minute
_CLOCKS = 8  # that may run beside one another; a log of more is noise
_SEGMENTS = 10_000  # of one vehicle: what restarts more often is noise
_DATES_S = 1.5  # from the usual difference of two clocks: beyond, a stamp is damaged, or a receiver lacked leap seconds
LEAST_S = 0.009  # between two reports of a kind that are kept: attitudes are logged at up to 400 Hz, frames at 60


@dataclass(frozen=True, slots=True)
class Level:
    """A height above the take-off point that came without a position: a barometer's, or of the local frame."""

    height_takeoff_m: float


@dataclass(frozen=True, slots=True)
class Fed:
    """A companion gave the autopilot what its receiver ``instance`` then reports as its own (GPS_INPUT); ``always``:
    that receiver is set up to be no other."""

    instance: int
    always: bool = False


@dataclass(frozen=True, slots=True)
class Sourced:
    """By what the estimator knows its position from now on: by satellites, or by something else."""

    by_gps: bool


@dataclass(frozen=True, slots=True)
class Dated:
    """The time of the world, in seconds since 1970, by satellites or by a clock that was set by them."""

    utc_s: float


@dataclass(frozen=True, slots=True)
class Simulated:
    """Where the vehicle really was, by the word of the simulator that it flew in."""

    point: GeoPoint


Report = Fused | Receiver | Estimator | Attitude | Ground | Level | Fed | Sourced | Dated | Simulated
_R = TypeVar("_R", bound=Report)


@dataclass(slots=True)
class Stream:
    """Reports of one kind over time, ascending once `Boot.sort` has been called."""

    times: list[float] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    def around(self, t_s: float) -> tuple[int, int]:
        """Indices of the last report at or before an instant (-1: none) and of the first at or after it (their number:
        none)."""
        return bisect_right(self.times, t_s) - 1, bisect_left(self.times, t_s)


class Boot:
    """What was reported between two restarts, by kind. ``number`` counts from 1."""

    def __init__(self) -> None:
        self.number = 0
        self.first_s = self.last_s = 0.0
        self._streams: dict[type[Report], Stream] = {}
        self._stamped_s: list[float] = []  # the writer's clock less the vehicle's

    def add(self, t_s: float, report: Report) -> None:
        """Keep a report, unless one of its kind was kept a moment ago."""
        stream = self._streams.setdefault(type(report), Stream())
        thinned = isinstance(report, Fused | Attitude | Ground | Level | Simulated)
        if thinned and stream.times and 0.0 < t_s - stream.times[-1] < LEAST_S:
            return
        stream.times.append(t_s)
        stream.reports.append(report)

    def stamped(self, t_s: float, stamp_s: float) -> None:
        """The log's writer had a report of ``t_s`` at ``stamp_s`` of its own clock."""
        self._stamped_s.append(stamp_s - t_s)

    @property
    def utc_s(self) -> float | None:
        """Seconds since 1970 at which the vehicle's clock was zero, None where nothing says: by the vehicle's own word,
        else by the writer's clock. What was under way least long says it, for a report is never early."""
        times, said = self.of(Dated)
        if times:
            return max(_usual(np.array([report.utc_s for report in said]) - np.array(times)))
        return min(_usual(np.array(self._stamped_s)), default=None)

    def join(self, later: Boot) -> None:
        """Take in what a later part of the same boot holds."""
        for kind, stream in later._streams.items():
            mine = self._streams.setdefault(kind, Stream())
            mine.times += stream.times
            mine.reports += stream.reports
        self._stamped_s += later._stamped_s
        self.last_s = max(self.last_s, later.last_s)

    def sort(self) -> None:
        """By time: logs are written by several threads."""
        for stream in self._streams.values():
            order = sorted(range(len(stream.times)), key=stream.times.__getitem__)
            stream.times = [stream.times[k] for k in order]
            stream.reports = [stream.reports[k] for k in order]

    def of(self, kind: type[_R]) -> tuple[list[float], list[_R]]:
        """Times and reports of one kind."""
        stream = self.stream(kind)
        return stream.times, cast("list[_R]", stream.reports)

    def stream(self, kind: type[Any]) -> Stream:
        """The reports of one kind."""
        return self._streams.get(kind, Stream())

    @property
    def positioned_s(self) -> float:
        """For how long it says where the vehicle was."""
        return max(covered_s(self.of(Fused)[0]), covered_s(self.of(Receiver)[0]))


def _usual(differences_s: NDArray[np.float64]) -> list[float]:
    """Differences of two clocks without those that lie apart from most."""
    if not len(differences_s):
        return []
    middle_s = np.sort(differences_s)[len(differences_s) // 2]
    return [float(one) for one in differences_s[np.abs(differences_s - middle_s) < _DATES_S]]


def covered_s(times: Sequence[float]) -> float:
    """For how long a stream ran, without its holes."""
    return sum(min(b - a, LOG_GAP.seconds) for a, b in zip(times[:-1], times[1:], strict=True))


@dataclass(slots=True)
class _Segment:
    boot: Boot
    first: int  # of the vehicle's reports in the file's order
    last: int
    stamp_first_s: float | None
    stamp_last_s: float | None
    reports: int = 0


class Boots:
    """Takes one vehicle's reports in the order of the file."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._running: list[_Segment] = []  # the one that was used last stands last
        self._count = 0
        self._waiting: list[tuple[float | None, Report]] = []

    def add(self, t_s: float, report: Report, stamp_s: float | None = None) -> None:
        """A report at ``t_s`` of the vehicle's clock; ``stamp_s``: of the clock of whoever wrote the file."""
        self._count += 1
        segment = self._segment(t_s, stamp_s)
        if segment is None:
            return
        segment.boot.add(t_s, report)
        segment.boot.first_s = min(segment.boot.first_s, t_s)
        segment.boot.last_s = max(segment.boot.last_s, t_s)
        if stamp_s is not None:
            segment.boot.stamped(t_s, stamp_s)
        segment.last, segment.stamp_last_s = self._count, stamp_s
        segment.reports += 1
        for own_s, waiting in self._waiting:
            segment.boot.add(_near(own_s, t_s), waiting)
        self._waiting.clear()

    def add_now(self, report: Report, own_s: float | None = None) -> None:
        """A report without a time of the vehicle's clock: it is of the last one's. ``own_s``: a time of another clock
        that may be the same."""
        if self._running:
            boot = self._running[-1].boot
            boot.add(_near(own_s, boot.last_s), report)
        else:
            self._waiting.append((own_s, report))

    def _segment(self, t_s: float, stamp_s: float | None) -> _Segment | None:
        for segment in reversed(self._running):
            if abs(t_s - segment.boot.last_s) <= _REORDERED_S:
                if segment is not self._running[-1]:
                    self._running.remove(segment)
                    self._running.append(segment)
                return segment
        if len(self._segments) >= _SEGMENTS:
            return None
        boot = Boot()
        boot.first_s = boot.last_s = t_s
        segment = _Segment(boot, self._count, self._count, stamp_s, stamp_s)
        self._segments.append(segment)
        self._running = [*self._running[-_CLOCKS + 1 :], segment]
        return segment

    def boots(self) -> list[Boot]:
        """The boots in the order of the file, numbered and sorted; holes in a clock that runs on do not divide it."""
        self._count_by_own_time()
        joined: list[_Segment] = []
        for segment in self._segments:
            if joined and _runs_on(joined[-1], segment):
                joined[-1].boot.join(segment.boot)
                joined[-1].last, joined[-1].stamp_last_s = segment.last, segment.stamp_last_s
                joined[-1].reports += segment.reports
            else:
                joined.append(segment)
        if any(segment.reports > 1 for segment in joined):
            joined = [segment for segment in joined if segment.reports > 1]  # a time of its own is a damaged one
        for number, segment in enumerate(joined, 1):
            segment.boot.number = number
            segment.boot.sort()
        return [segment.boot for segment in joined]

    def _count_by_own_time(self) -> None:
        """A vehicle that never said its clock's time: its receiver's stands for it."""
        if self._segments:
            return
        waiting, self._waiting = self._waiting, []
        for own_s, report in waiting:
            if own_s is not None:
                self.add(own_s, report)
            else:
                self.add_now(report)


def _near(own_s: float | None, t_s: float) -> float:
    return own_s if own_s is not None and abs(own_s - t_s) <= _REORDERED_S else t_s


def _runs_on(before: _Segment, after: _Segment) -> bool:
    """Whether a clock that fell silent is the one that is heard later."""
    gap_s = after.boot.first_s - before.boot.last_s
    if after.first < before.last or gap_s <= 0.0:
        return False
    if before.stamp_last_s is None or after.stamp_first_s is None:
        return True
    passed_s = after.stamp_first_s - before.stamp_last_s
    return not (passed_s - gap_s > _WALL_S and passed_s >= after.boot.first_s)
