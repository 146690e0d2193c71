"""What every flight does with time, whoever's clock it is on: it passes in steps, and scripts go with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from sim.autopilot.config import VehicleTruth
from sim.scenario.aircraft import Answer, NotFlownError, Truth
from sim.scenario.dialect import Script
from sim.scenario.plan import Point


class Stepped(ABC):
    """A flight whose clock is ``t_ns`` and whose time passes in `step`; ``home`` is where it took off."""

    answer_limit_s = 30.0

    def __init__(self, home: Point) -> None:
        self.track: list[Truth] = []
        self._home = home

    @property
    @abstractmethod
    def t_ns(self) -> int:
        """Now, on the clock of the daemon."""

    @abstractmethod
    def step(self) -> None:
        """Let a little time pass: 20 ms."""

    @abstractmethod
    def _put(self, request: Answer, answer: Callable[[Answer], None]) -> None:
        """Hand a request to the daemon; ``answer`` is called once, later or at once."""

    def run(self, script: Script, max_s: float) -> bool:
        """Fly until the script ends; False if it has not after ``max_s``."""
        end_ns = self.t_ns + int(max_s * 1e9)
        while self.t_ns < end_ns:
            try:
                next(script)
            except StopIteration:
                return True
            self.step()
        return False

    def fly(self, seconds: float) -> None:
        """Let time pass."""
        end_ns = self.t_ns + int(seconds * 1e9)
        while self.t_ns < end_ns:
            self.step()

    def ask(self, request: Answer, max_s: float | None = None) -> Answer:
        """An operator's request; time passes until the daemon has answered.

        Raises:
            NotFlownError: it does not within ``max_s``, or what this flight grants it by default.
        """
        limit_s = self.answer_limit_s if max_s is None else max_s
        answers: list[Answer] = []
        self._put(request, answers.append)
        end_ns = self.t_ns + int(limit_s * 1e9)
        while not answers:
            if self.t_ns >= end_ns:
                raise NotFlownError(f"the daemon did not answer {request.get('command')} within {limit_s:g} s.")
            self.step()
        return answers[0]

    def _located(self, truth: VehicleTruth) -> Truth:
        north, east, down = truth.position_ned_m
        return Truth(truth.t_ns, (self._home[0] + north, self._home[1] + east), -down)

