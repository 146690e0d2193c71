"""Jobs of a replay: done in the one thread there is, and back at the instants at which they came back in the flight."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from runtime.daemon.workers import Job, done_inline
from runtime.events import JobDone, JobKind

_UNKNOWN_NS = 100_000_000  # a job of a kind that the flight never finished: a fix on a small computer
_NEVER = 1 << 63


@dataclass(frozen=True, slots=True)
class LoggedJob:
    """A job of the flight: handed out at ``started_t_ns``, its event taken at ``t_ns``."""

    kind: JobKind
    started_t_ns: int
    t_ns: int
    elapsed_ns: int


@dataclass(slots=True)
class _Open:
    """A job that is under way: ``like`` the one of the flight that began at the same instant, None where there is none.

    ``done``: its event, where the work was done at the start.
    """

    job: Job
    started_t_ns: int
    t_ns: int
    like: LoggedJob | None
    done: JobDone | None = None


class ReplayWorkers:
    """`Workers` whose jobs take as long as those of the flight.

    A job that begins when one of its kind began in the flight ends where that one did, among the same events; another
    takes as long as the one of its kind that was nearest in time. ``last_t_ns``: where the log ends; what begins so
    late that one of its kind need not have ended by then does not end. ``inline``: the flight's jobs were done where
    they were started. In flight a recording is seen by those who search only at its end, and so it is done here.
    """

    def __init__(self, jobs: Iterable[LoggedJob], inline: bool, last_t_ns: int = _NEVER) -> None:
        self.now_ns = 0  # of the event that the daemon takes; set by whoever steps it
        self._inline = inline
        self._last_t_ns = last_t_ns
        self._logged: dict[JobKind, list[LoggedJob]] = defaultdict(list)  # by their starts
        self._fresh: dict[tuple[JobKind, int], list[LoggedJob]] = defaultdict(list)  # that no job here is like yet
        for logged in sorted(jobs, key=lambda job: job.started_t_ns):
            self._logged[logged.kind].append(logged)
            self._fresh[logged.kind, logged.started_t_ns].append(logged)
        self._longest_ns = {
            kind: max(one.t_ns - one.started_t_ns for one in of) for kind, of in self._logged.items()
        }
        self._open: list[_Open] = []

    def busy(self, kind: JobKind) -> bool:
        """Whether a job of this kind is under way.

        A thread is free a moment before its event is taken, which may bear an earlier stamp than what is taken first; a
        job that began in such a moment in the flight does here.
        """
        under_way = [one for one in self._open if one.job.kind is kind]
        freed = not self._inline and self._begins(kind) is not None and all(one.like is not None for one in under_way)
        return bool(under_way) and not freed

    def start(self, job: Job, t_ns: int) -> None:
        """Takes a job; see `runtime.daemon.workers.Workers.start`."""
        like = self._begins(job.kind)
        if like is not None:
            self._fresh[job.kind, self.now_ns].remove(like)
        ends_ns = like.t_ns if like is not None else self._usual_end_ns(job.kind, t_ns)
        one = _Open(job, t_ns, ends_ns, like)
        if self._inline or job.kind is not JobKind.RECORD:
            one.done = self._finished(one)
        self._open.append(one)

    def ended(self, logged: LoggedJob) -> JobDone | None:
        """The event of the job that is like this one of the flight, at its own place; None where there is none."""
        found = next((one for one in self._open if one.like == logged), None)
        return None if found is None else self._taken(found)

    def due(self, t_ns: int) -> list[JobDone]:
        """The events of the jobs that are like none of the flight and have ended by ``t_ns``."""
        ended = sorted(
            (one for one in self._open if one.like is None and one.t_ns <= t_ns), key=lambda one: one.t_ns
        )
        return [self._taken(one) for one in ended]

    def _begins(self, kind: JobKind) -> LoggedJob | None:
        """The job of the flight that began at this instant and is not repeated yet."""
        fresh = self._fresh.get((kind, self.now_ns))
        return fresh[0] if fresh else None

    def _usual_end_ns(self, kind: JobKind, t_ns: int) -> int:
        if t_ns + self._longest_ns.get(kind, 0) >= self._last_t_ns:
            return _NEVER  # in the flight, too, it may have been under way
        logged = self._logged[kind]
        if not logged:
            return t_ns + _UNKNOWN_NS
        after = bisect_left(logged, t_ns, key=lambda one: one.started_t_ns)
        nearest = min(logged[max(0, after - 1) : after + 1], key=lambda one: abs(one.started_t_ns - t_ns))
        return t_ns + nearest.t_ns - nearest.started_t_ns

    def _taken(self, one: _Open) -> JobDone:
        self._open.remove(one)
        return one.done if one.done is not None else self._finished(one)

    def _finished(self, one: _Open) -> JobDone:
        elapsed_ns = one.t_ns - one.started_t_ns if one.like is None else one.like.elapsed_ns
        return done_inline(one.job, one.started_t_ns, one.t_ns, elapsed_ns)
