"""Ctrl-C that is not lost: where a library swallows the exception, the next step of long work raises it again."""

from __future__ import annotations

import signal
from types import FrameType


class Interruption:
    """Whether Ctrl-C was pressed since the process listens for it.

    Python raises KeyboardInterrupt at whatever instruction it is at; in a module that is being imported by C code, in a
    finaliser or in a callback, nobody passes it on, and the work would go on to its end.
    """

    def __init__(self) -> None:
        self._asked = False

    def listen(self) -> None:
        """Take the place of Python's own handler; one that somebody else set, or a SIGINT that is ignored, stays."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._on_signal)

    def check(self) -> None:
        """Raises:
        KeyboardInterrupt: it was pressed, and has not been raised here yet.
        """
        if self._asked:
            self._asked = False
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        raise KeyboardInterrupt


INTERRUPTION = Interruption()  # of this process
