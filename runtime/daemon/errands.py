"""Work that takes longer than a flight may wait: done aside, its end told to the daemon as one more event."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from runtime.errors import UsageError

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_END_WITHIN_S = 30.0  # at the end of a flight: the history must not be closed under a search


class Errands(Protocol):
    """Does ``work`` and calls ``done`` in the daemon's own thread with what it gave, or with what it raised."""

    def start(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """Raises UsageError while another errand is under way."""
        ...


class InlineErrands:
    """At once: for a simulated clock, under which no time passes meanwhile."""

    def start(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """See `Errands`."""
        done(_outcome(work))


class ThreadErrands:
    """One thread, one errand at a time; ``post`` brings the ending back to the daemon's thread."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """See `Errands`."""
        if self._thread is not None and self._thread.is_alive():
            raise UsageError("another target is being located; ask again when that is done.")

        def run() -> None:
            outcome = _outcome(work)
            self._post(lambda: done(outcome))

        self._thread = threading.Thread(target=run, name="errand", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Waits for the errand that is under way."""
        if self._thread is not None:
            self._thread.join(_END_WITHIN_S)


def _outcome(work: Callable[[], T]) -> T | Exception:
    try:
        return work()
    except Exception as error:  # a thread's edge: handed on, never hidden
        _LOG.debug("errand: %s", error, exc_info=True)
        return error
