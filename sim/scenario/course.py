"""How far a scenario has come, as a share of the whole, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sim.scenario.dialect import Script

Say = Callable[[str], None]  # told what begins
Done = Callable[[float], None]  # told the share of the scenario that is behind, 0 to 1

_TELL_EVERY = 50  # steps of a script: once a simulated second


class Course:
    """Stages one after the other, each with its weight in the whole; within a stage, the share of it that is behind."""

    def __init__(self, done: Done, whole: float) -> None:
        self._done = done
        self._whole = whole
        self._behind = self._weight = 0.0

    @contextmanager
    def stage(self, weight: float) -> Iterator[None]:
        """A stage of that weight; whatever happened within it, it is behind afterwards."""
        self._weight = weight
        try:
            yield
        finally:
            self._behind += weight
            self._weight = 0.0
            self.at(0.0)

    def at(self, share: float) -> None:
        """So much of the present stage is behind."""
        self._done(min(1.0, (self._behind + self._weight * min(max(share, 0.0), 1.0)) / self._whole))

    def followed(self, script: Script, share: Callable[[], float]) -> Script:
        """The script, with the share told once a second."""
        for step, _ in enumerate(script):
            if step % _TELL_EVERY == 0:
                self.at(share())
            yield


def unseen() -> Course:
    """Nobody looks."""
    return Course(lambda share: None, 1.0)
