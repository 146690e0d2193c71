"""Slow work beside the deciding thread: fixing, recording and locating, handed out with its input.

What a worker made comes back as a `JobDone` event, so that the deciding thread never waits for a network, a disk or a
lock. In flight each kind of job has a thread of its own; under a simulated clock an event falls due after a latency
that the simulation draws, however long the work really took.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from queue import SimpleQueue
from typing import Any, Protocol

from runtime.clock import Now
from runtime.events import JobDone, JobKind
from runtime.machine import stand_back

_LOG = logging.getLogger(__name__)
_PRESSING = frozenset({JobKind.ODOMETRY})  # every frame's estimate waits for it; all else gives way to it
_END_WITHIN_S = 30.0  # the history is not closed under a job; one that takes longer is left behind


@dataclass(frozen=True, slots=True)
class Job:
    """``work`` to be done aside; ``subject`` comes back with the result, for whoever has to make sense of it."""

    kind: JobKind
    subject: Any
    work: Callable[[], Any]


class Workers(Protocol):
    """One worker for each kind of job, with no queue: what cannot be taken now is the caller's to drop."""

    def busy(self, kind: JobKind) -> bool:
        """Whether a job of this kind is under way, or its event has not been collected yet."""
        ...

    def start(self, job: Job, t_ns: int) -> None:
        """Takes a job at ``t_ns``. The worker must not be busy."""
        ...


class InlineWorkers:
    """Does the work in `start` and holds its event back for ``latency_ns`` of the kind: for a simulated clock."""

    def __init__(self, latency_ns: Callable[[JobKind], int] = lambda kind: 0) -> None:
        self._latency_ns = latency_ns
        self._held: list[tuple[int, int, JobDone]] = []
        self._serial = count()
        self._busy: set[JobKind] = set()

    def busy(self, kind: JobKind) -> bool:
        """See `Workers.busy`."""
        return kind in self._busy

    def start(self, job: Job, t_ns: int) -> None:
        """See `Workers.start`."""
        self._busy.add(job.kind)
        latency_ns = self._latency_ns(job.kind)
        done = done_inline(job, t_ns, t_ns + latency_ns, latency_ns)
        heapq.heappush(self._held, (done.t_ns, next(self._serial), done))

    def finished(self, t_ns: int) -> list[JobDone]:
        """The events that have fallen due by ``t_ns``, in the order of their instants; their workers are free."""
        due = []
        while self._held and self._held[0][0] <= t_ns:
            due.append(heapq.heappop(self._held)[2])
        self._busy -= {done.kind for done in due}
        return due


class ThreadWorkers:
    """A thread for each kind of job, from the start on; ``post`` takes the events, from those threads.

    A worker is free again just before it posts: the event of a job may still wait for the deciding thread. Where cores
    are short all but the pressing kinds stand back.
    """

    def __init__(self, post: Callable[[JobDone], None], now_ns: Now = time.monotonic_ns) -> None:
        self._post = post
        self._now_ns = now_ns
        self._inbox: dict[JobKind, SimpleQueue[tuple[Job, int] | None]] = {kind: SimpleQueue() for kind in JobKind}
        self._idle = {kind: threading.Event() for kind in JobKind}
        self._threads = {
            kind: threading.Thread(target=self._run, args=(kind,), name=f"{kind.value} worker", daemon=True)
            for kind in JobKind
        }
        self._closed = False
        for kind, thread in self._threads.items():
            self._idle[kind].set()
            thread.start()  # now: a thread that cannot be had is told at the start, not in flight

    def busy(self, kind: JobKind) -> bool:
        """Whether a job of this kind is under way, or no more jobs are taken."""
        return self._closed or not self._idle[kind].is_set()

    def start(self, job: Job, t_ns: int) -> None:
        """See `Workers.start`; the job's own start is measured by this object's clock."""
        self._idle[job.kind].clear()
        self._inbox[job.kind].put((job, t_ns))

    def close(self) -> None:
        """Takes no more jobs, and waits for those under way."""
        self._closed = True
        for inbox in self._inbox.values():
            inbox.put(None)
        deadline_s = time.monotonic() + _END_WITHIN_S
        for kind, thread in self._threads.items():
            thread.join(max(0.0, deadline_s - time.monotonic()))
            if thread.is_alive():
                _LOG.error("the %s worker did not end within %.0f s and is left behind", kind.value, _END_WITHIN_S)

    def _run(self, kind: JobKind) -> None:
        if kind not in _PRESSING:
            stand_back()
        while (given := self._inbox[kind].get()) is not None:
            job, t_ns = given
            begun_ns = self._now_ns()
            result, error = _survived(job)
            ended_ns = self._now_ns()
            self._idle[kind].set()
            self._post(JobDone(ended_ns, kind, job.subject, result, error, ended_ns - begun_ns, t_ns))


def done_inline(job: Job, started_t_ns: int, t_ns: int, elapsed_ns: int) -> JobDone:
    """Does the work here and now; its event, of ``t_ns``."""
    return JobDone(t_ns, job.kind, job.subject, *_result(job), elapsed_ns, started_t_ns)


def _result(job: Job) -> tuple[Any, Exception | None]:
    """What the job makes, or the error that ended it."""
    try:
        return job.work(), None
    except Exception as error:  # the edge of a worker: handed on as an event, which is counted and logged
        return None, error


def _survived(job: Job) -> tuple[Any, Exception | None]:
    """`_result`, in a thread that outlives whatever its job raises: a panic of compiled code is no Exception."""
    try:
        return _result(job)
    except BaseException as error:
        return None, RuntimeError(f"{type(error).__name__}: {error}")
