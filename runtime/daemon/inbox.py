"""What other threads have for the daemon, until the one thread that decides takes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, Full, Queue
from typing import Any

from runtime.clock import Clock
from runtime.control.control import refusal
from runtime.events import Answer, ControlRequest, JobDone

_REQUESTS = 16
_ENDED = refusal("the daemon has ended; start it again with `homing run`.")


class Inbox:
    """What other threads have for the daemon: the operator's requests, of which few fit, and ended jobs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: Queue[ControlRequest] = Queue(_REQUESTS)
        self._endings: Queue[JobDone] = Queue()  # bounded by there being one job of a kind at a time
        self._lock = threading.Lock()  # no request slips in while `close` empties the queue
        self._closed = False
        self._wake: Callable[[], None] = lambda: None
        self.refused = 0

    def wakes(self, wake: Callable[[], None]) -> None:
        """``wake`` is called, from any thread, whenever a job has ended: its result waits for nothing else."""
        self._wake = wake

    def control(self, request: dict[str, Any], reply: Callable[[Answer], None]) -> None:
        """From any thread: ``reply`` will be called once."""
        try:
            with self._lock:
                if not self._closed:
                    self._queue.put_nowait(ControlRequest(self._clock.now_ns(), request, reply))
                    return
        except Full:
            self.refused += 1
            reply(refusal("the daemon is too busy to take a request."))
            return
        reply(_ENDED)

    def close(self) -> None:
        """The loop has ended: refuses the requests that wait, and all that come."""
        with self._lock:
            self._closed = True
        while True:
            try:
                self._queue.get_nowait().reply(_ENDED)
            except Empty:
                return

    def job_done(self, done: JobDone) -> None:
        """From a worker's thread."""
        self._endings.put(done)
        self._wake()

    def next(self) -> ControlRequest | JobDone | None:
        """The oldest ending or request."""
        for queue in (self._endings, self._queue):
            try:
                event: ControlRequest | JobDone = queue.get_nowait()
                return event
            except Empty:
                continue
        return None
