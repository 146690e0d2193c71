"""Work beside the deciding thread under a simulated clock, in threads: the same events, sooner on two cores."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import count

from runtime.daemon.workers import Job, done_inline
from runtime.events import JobDone, JobKind


class OverlappedWorkers:
    """Like `runtime.daemon.workers.InlineWorkers`, with the same results in the same order, in less time on two cores:
    fixes and odometry run in threads while the clock goes on, which stops at the instant at which one falls due until
    it is done.

    Fixes read what recordings write, so a recording and a search for a place are done in `start`, after the fix that is
    under way; odometry shares nothing with either.
    """

    def __init__(self, latency_ns: Callable[[JobKind], int]) -> None:
        self._latency_ns = latency_ns
        self._aside = {kind: ThreadPoolExecutor(1, kind.value) for kind in (JobKind.FIX, JobKind.ODOMETRY)}
        self._under_way: dict[JobKind, Future[JobDone]] = {}
        self._held: list[tuple[int, int, JobKind]] = []
        self._serial = count()

    def busy(self, kind: JobKind) -> bool:
        """See `Workers.busy`."""
        return kind in self._under_way

    def start(self, job: Job, t_ns: int) -> None:
        """See `Workers.start`."""
        latency_ns = self._latency_ns(job.kind)
        arguments = (job, t_ns, t_ns + latency_ns, latency_ns)
        if job.kind in self._aside:
            future = self._aside[job.kind].submit(done_inline, *arguments)
        else:
            if JobKind.FIX in self._under_way:
                wait([self._under_way[JobKind.FIX]])
            future = Future()
            future.set_result(done_inline(*arguments))
        self._under_way[job.kind] = future
        heapq.heappush(self._held, (t_ns + latency_ns, next(self._serial), job.kind))

    def finished(self, t_ns: int) -> list[JobDone]:
        """See `runtime.daemon.workers.InlineWorkers.finished`."""
        due = []
        while self._held and self._held[0][0] <= t_ns:
            due.append(self._under_way.pop(heapq.heappop(self._held)[2]).result())
        return due

    def close(self) -> None:
        """Waits for what is under way: what it reads is closed after that."""
        for pool in self._aside.values():
            pool.shutdown()
