"""Work done aside comes back as an event in the daemon's own thread."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from runtime.clock import MonotonicClock
from runtime.control.client import ControlError
from runtime.daemon.errands import InlineErrands, ThreadErrands
from runtime.daemon.run import Inbox
from runtime.errors import UsageError
from runtime.events import ControlRequest, ErrandDone


def failing() -> int:
    raise ControlError("it did not work.")


def test_inline_is_done_at_once() -> None:
    results: list[Any] = []
    InlineErrands().start(lambda: 3, results.append)
    InlineErrands().start(failing, results.append)
    assert results[0] == 3 and isinstance(results[1], ControlError)


def test_aside_means_another_thread_and_back_means_this_one() -> None:
    inbox, go = Inbox(MonotonicClock()), threading.Event()
    errands = ThreadErrands(inbox.errand_done)
    workers: list[int] = []
    results: list[tuple[int, Any]] = []

    def work() -> str:
        workers.append(threading.get_ident())
        go.wait(20)
        return "found"

    errands.start(work, lambda result: results.append((threading.get_ident(), result)))
    with pytest.raises(UsageError, match="another target is being located"):
        errands.start(work, lambda result: None)
    assert inbox.next() is None
    go.set()
    errands.close()
    event = inbox.next()
    assert isinstance(event, ErrandDone) and results == []
    event.finish()
    assert results == [(threading.get_ident(), "found")] and workers != [threading.get_ident()]


def test_what_was_raised_aside_is_handed_on() -> None:
    inbox = Inbox(MonotonicClock())
    errands = ThreadErrands(inbox.errand_done)
    results: list[Any] = []
    errands.start(failing, results.append)
    errands.close()
    event = inbox.next()
    assert isinstance(event, ErrandDone)
    event.finish()
    assert isinstance(results[0], ControlError)
    errands.start(lambda: 1, results.append)  # the next one may start
    errands.close()


def test_a_full_inbox_refuses_and_counts() -> None:
    inbox, answers = Inbox(MonotonicClock()), []
    for _ in range(20):
        inbox.control({"command": "status"}, answers.append)
    assert inbox.refused == len(answers) == 4 and "too busy" in answers[0]["error"]
    assert isinstance(inbox.next(), ControlRequest)
