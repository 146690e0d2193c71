"""Jobs of a replay come back when those of the flight did."""

from __future__ import annotations

from runtime.daemon.workers import Job
from runtime.events import JobKind
from runtime.replay.workers import LoggedJob, ReplayWorkers

MS = 1_000_000
FIX, RECORD = JobKind.FIX, JobKind.RECORD
FLIGHT = [
    LoggedJob(FIX, 100 * MS, 150 * MS, 45 * MS),
    LoggedJob(FIX, 148 * MS, 210 * MS, 55 * MS),  # handed out while the event of the first still waited
    LoggedJob(FIX, 400 * MS, 480 * MS, 75 * MS),
    LoggedJob(RECORD, 150 * MS, 220 * MS, 60 * MS),
]


def started(workers: ReplayWorkers, kind: JobKind, t_ms: int, done: list[int]) -> None:
    workers.now_ns = t_ms * MS
    assert not workers.busy(kind)
    workers.start(Job(kind, t_ms, lambda: done.append(t_ms)), t_ms * MS)


def test_a_job_that_begins_as_in_the_flight_ends_as_in_the_flight() -> None:
    workers, done = ReplayWorkers(FLIGHT, inline=False, last_t_ns=10**12), list[int]()
    started(workers, FIX, 100, done)
    assert workers.busy(FIX) and not workers.busy(RECORD) and done == [100]
    workers.now_ns = 147 * MS
    assert workers.busy(FIX)
    started(workers, FIX, 148, done)  # as the thread was free a moment before its event was taken
    assert workers.due(10**15) == []
    first = workers.ended(FLIGHT[0])
    assert first is not None
    assert (first.t_ns, first.subject, first.elapsed_ns, first.started_t_ns) == (150 * MS, 100, 45 * MS, 100 * MS)
    assert workers.busy(FIX) and workers.ended(FLIGHT[0]) is None
    second = workers.ended(FLIGHT[1])
    assert second is not None and second.subject == 148 and not workers.busy(FIX)
    assert workers.ended(FLIGHT[2]) is None  # nothing began then


def test_a_job_of_the_replay_alone_takes_as_long_as_the_nearest_of_the_flight() -> None:
    workers, done = ReplayWorkers(FLIGHT, inline=False, last_t_ns=10**12), list[int]()
    started(workers, FIX, 390, done)
    assert workers.due(469 * MS) == [] and workers.busy(FIX)
    (ended,) = workers.due(470 * MS)
    assert (ended.t_ns, ended.elapsed_ns, ended.subject) == (470 * MS, 80 * MS, 390) and not workers.busy(FIX)
    started(workers, JobKind.LOCATE, 500, done)  # of which the flight had none
    assert workers.due(599 * MS) == [] and len(workers.due(600 * MS)) == 1


def test_a_job_that_need_not_have_ended_by_the_end_of_the_log_does_not_end() -> None:
    workers, done = ReplayWorkers(FLIGHT, inline=False, last_t_ns=600 * MS), list[int]()
    started(workers, FIX, 521, done)
    assert workers.due(10**15) == [] and workers.busy(FIX)


def test_a_recording_is_seen_when_it_ends_unless_the_flight_did_its_jobs_at_once() -> None:
    for inline, seen in ((False, []), (True, [150])):
        workers, done = ReplayWorkers(FLIGHT, inline=inline), list[int]()
        started(workers, RECORD, 150, done)
        assert done == seen
        assert workers.ended(FLIGHT[3]) is not None and done == [150]


def test_a_thread_is_free_before_its_event_whatever_stamp_that_bears() -> None:
    """A link's bytes are taken before the event of a fix that ended at the same instant, or before they came."""
    for ended in (300 * MS, 299 * MS):
        flight = [LoggedJob(FIX, 0, ended, 250 * MS), LoggedJob(FIX, 300 * MS, 400 * MS, 90 * MS)]
        workers, done = ReplayWorkers(flight, inline=False, last_t_ns=10**12), list[int]()
        started(workers, FIX, 0, done)
        workers.now_ns = 298 * MS
        assert workers.busy(FIX)
        started(workers, FIX, 300, done)
        assert workers.busy(FIX) and done == [0, 300]
        taken = [workers.ended(job) for job in flight]
        assert [one.subject for one in taken if one is not None] == [0, 300] and not workers.busy(FIX)


def test_of_two_events_of_one_instant_a_job_begins_at_the_one_that_freed_its_worker() -> None:
    """Under a simulated clock: the worker is busy until its event is taken, at the same instant."""
    flight = [LoggedJob(FIX, 0, 100 * MS, 100 * MS), LoggedJob(FIX, 100 * MS, 200 * MS, 100 * MS)]
    workers, done = ReplayWorkers(flight, inline=True), list[int]()
    started(workers, FIX, 0, done)
    workers.now_ns = 100 * MS
    assert workers.busy(FIX)
    assert workers.ended(flight[0]) is not None and not workers.busy(FIX)
