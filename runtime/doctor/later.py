"""A check that waits for something else, in a thread of its own, so that all of them take as long as the longest."""

from __future__ import annotations

import threading
from collections.abc import Callable

from runtime.doctor.finding import Finding


class Later:
    """Begins at once; what it is waiting for may never come, so it is asked with a limit and then left behind."""

    def __init__(self, what: str, check: Callable[[], list[Finding]]) -> None:
        self._what, self._check = what, check
        self._found: list[Finding] | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"doctor: {what}", daemon=True)
        self._thread.start()

    def within(self, seconds: float) -> list[Finding]:
        """What it found, or that it is still at it."""
        self._thread.join(max(0.0, seconds))
        if self._error is not None:
            raise self._error
        if self._found is None:
            return [Finding(self._what, "wrong", "does not come to an end", "is it another program's, or hanging?")]
        return self._found

    def _run(self) -> None:
        try:
            self._found = self._check()
        except Exception as error:  # the thread's edge: raised where it is asked for
            self._error = error
