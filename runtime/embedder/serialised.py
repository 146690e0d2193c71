"""An engine that any thread may run: one batch at a time, threads in the order in which they asked."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

from runtime.embedder.engine import Engine
from runtime.values import Maps, Vectors


class Serialised:
    """Runs another engine under a lock of its own, which is held for one batch.

    The lock belongs to the engine and not to a tower or to an `Embedder` as a whole: engines own buffers and CUDA
    graphs that a second run would overwrite, towers that share a file share one engine, and two engines do not wait
    for each other. It stands here and not in the engines, so that none of them can forget it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._turns = engine, Turns()
        self.name, self.batch = engine.name, engine.batch

    def run(self, crops: NDArray[np.uint8]) -> tuple[Vectors, Maps | None]:
        """See `Engine.run`."""
        with self._turns:
            return self._engine.run(crops)


class Turns:
    """A lock that threads get in the order in which they asked for it.

    `threading.Lock` promises no order: a thread that releases it and asks again at once mostly has it back before one
    that waits has woken, so a live frame would wait for one batch more, and now and then for ten, of a target's crops.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._line: deque[threading.Lock] = deque()  # the first one's thread has the turn; the others wait for theirs

    def __enter__(self) -> None:
        mine = threading.Lock()
        mine.acquire()
        with self._guard:
            self._line.append(mine)
            waits = len(self._line) > 1
        if waits:
            try:
                mine.acquire()  # until the thread before releases it
            except BaseException:  # Ctrl-C in the main thread: those behind must not wait for a turn that nobody ends
                self._leave(mine)
                raise

    def __exit__(self, *raised: object) -> None:
        self._leave(self._line[0])

    def _leave(self, place: threading.Lock) -> None:
        with self._guard:
            had_the_turn = self._line[0] is place
            self._line.remove(place)
            if had_the_turn and self._line:
                self._line[0].release()
