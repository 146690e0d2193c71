"""Jobs beside the deciding thread: done elsewhere, back as events, and never a wait for them."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

import pytest

from runtime.clock import MonotonicClock
from runtime.daemon.inbox import Inbox
from runtime.daemon.workers import InlineWorkers, Job, ThreadWorkers
from runtime.errors import ControlError
from runtime.events import ControlRequest, JobDone, JobKind
from sim.overlapped import OverlappedWorkers

MS = 1_000_000


def failing() -> int:
    raise ControlError("it did not work.")


@pytest.mark.parametrize("kind", [InlineWorkers, OverlappedWorkers])
def test_work_under_a_simulated_clock_is_known_when_its_latency_has_passed(
    kind: type[InlineWorkers] | type[OverlappedWorkers],
) -> None:
    latency = {JobKind.FIX: 45 * MS, JobKind.RECORD: 60 * MS, JobKind.LOCATE: 0}
    workers = kind(latency.__getitem__)
    workers.start(Job(JobKind.RECORD, "frame 1", lambda: "kept"), 100 * MS)
    workers.start(Job(JobKind.FIX, "frame 2", failing), 105 * MS)
    assert workers.busy(JobKind.FIX) and workers.busy(JobKind.RECORD) and not workers.busy(JobKind.LOCATE)
    assert workers.finished(149 * MS) == []
    fix, record = workers.finished(160 * MS)
    assert (fix.kind, fix.t_ns, fix.subject, fix.elapsed_ns) == (JobKind.FIX, 150 * MS, "frame 2", 45 * MS)
    assert isinstance(fix.error, ControlError) and fix.result is None
    assert (record.kind, record.t_ns, record.result, record.error) == (JobKind.RECORD, 160 * MS, "kept", None)
    assert not workers.busy(JobKind.FIX) and not workers.busy(JobKind.RECORD)
    assert workers.finished(10**12) == []


def test_overlapped_work_goes_on_beside_the_clock_and_the_clock_waits_where_it_falls_due() -> None:
    workers, go = OverlappedWorkers(lambda kind: 10 * MS), threading.Event()
    order: list[str] = []

    def look() -> str:
        assert go.wait(20)
        order.append("fix")
        return "fix"

    workers.start(Job(JobKind.FIX, None, look), 0)
    workers.start(Job(JobKind.ODOMETRY, None, lambda: "moved"), MS)  # shares nothing with a fix: it does not wait
    assert workers.finished(9 * MS) == [] and order == []
    threading.Timer(0.05, go.set).start()
    workers.start(Job(JobKind.RECORD, None, lambda: order.append("record")), 2 * MS)
    assert order == ["fix", "record"], "a recording changes what the fix reads: it comes after it"
    assert [done.kind for done in workers.finished(30 * MS)] == [JobKind.FIX, JobKind.ODOMETRY, JobKind.RECORD]
    workers.close()


def test_threads_work_side_by_side_and_post_events() -> None:
    inbox, go = Inbox(MonotonicClock()), threading.Event()
    workers = ThreadWorkers(inbox.job_done)
    threads: list[int] = []

    def work() -> str:
        threads.append(threading.get_ident())
        assert go.wait(20)
        return "found"

    for kind in (JobKind.LOCATE, JobKind.FIX):
        assert not workers.busy(kind)
        workers.start(Job(kind, kind.value, work), 0)
        assert workers.busy(kind)
    assert not workers.busy(JobKind.RECORD) and inbox.next() is None
    go.set()
    workers.close()
    events = [inbox.next(), inbox.next()]
    assert all(isinstance(event, JobDone) and event.result == "found" and event.elapsed_ns > 0 for event in events)
    assert {event.subject for event in events if isinstance(event, JobDone)} == {"locate", "fix"}
    assert len({*threads, threading.get_ident()}) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority is the whole process's")
def test_every_frames_odometry_goes_before_whatever_else_wants_a_core() -> None:
    done: list[JobDone] = []
    workers = ThreadWorkers(done.append)
    for kind in JobKind:
        workers.start(Job(kind, None, lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())), 0)
    workers.close()
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    said = {one.kind: one.result for one in done}
    assert said.pop(JobKind.ODOMETRY) == own
    assert len(said) == len(JobKind) - 1 and set(said.values()) == {min(own + 10, 19)}


def test_what_a_job_raised_is_handed_on_and_the_worker_goes_on() -> None:
    done: list[JobDone] = []
    workers = ThreadWorkers(done.append)
    workers.start(Job(JobKind.FIX, None, failing), 0)
    until(lambda: not workers.busy(JobKind.FIX) and len(done) == 1)
    workers.start(Job(JobKind.FIX, None, lambda: 1), 0)
    workers.close()
    assert isinstance(done[0].error, ControlError) and done[1].result == 1


class Panic(BaseException):
    """What compiled code raises where it cannot go on."""


def panicking() -> int:
    raise Panic("index out of bounds")


def test_a_panic_in_a_job_is_handed_on_and_the_worker_goes_on() -> None:
    done: list[JobDone] = []
    workers = ThreadWorkers(done.append)
    workers.start(Job(JobKind.FIX, None, panicking), 0)
    until(lambda: len(done) == 1)
    assert not workers.busy(JobKind.FIX)
    workers.start(Job(JobKind.FIX, None, lambda: 1), 0)
    workers.close()
    assert str(done[0].error) == "Panic: index out of bounds" and done[1].result == 1


def test_closed_workers_take_no_more() -> None:
    workers = ThreadWorkers(lambda done: None)
    workers.close()
    assert all(workers.busy(kind) for kind in JobKind)


def test_a_full_inbox_refuses_and_counts() -> None:
    inbox: Inbox = Inbox(MonotonicClock())
    answers: list[dict[str, Any]] = []
    for _ in range(20):
        inbox.control({"command": "status"}, answers.append)
    assert inbox.refused == len(answers) == 4 and "too busy" in answers[0]["error"]
    assert isinstance(inbox.next(), ControlRequest)


def test_what_waits_when_the_loop_ends_is_refused_and_what_comes_later_too() -> None:
    inbox: Inbox = Inbox(MonotonicClock())
    answers: list[dict[str, Any]] = []
    inbox.control({"command": "status"}, answers.append)
    inbox.control({"command": "engage"}, answers.append)
    assert not answers
    inbox.close()
    inbox.control({"command": "status"}, answers.append)
    assert len(answers) == 3 and all("the daemon has ended" in answer["error"] for answer in answers)
    assert inbox.next() is None and inbox.refused == 0


def until(condition: Any, within_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            pytest.fail("it did not happen in time")
        time.sleep(0.005)
