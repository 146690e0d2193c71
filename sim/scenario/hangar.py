"""Who provides the vehicle of a whole scenario, and the world around it: the built-in autopilot, or a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from runtime.flightlog.keeper import KeptFrames
from sim.scenario.aircraft import Launcher
from sim.scenario.outcome import BUILT_IN, Recording
from sim.scenario.pace import pace_of
from sim.scenario.setup import RunOptions, Site
from sim.world_choice import judged_world

if TYPE_CHECKING:
    from sim.hardness import HardnessReport
    from sim.world.world import AnyWorld

Tell = Callable[[str], None]
WorldAndHardness = tuple["AnyWorld", "HardnessReport | None"]


class Hangar(Protocol):
    """A context: what it starts, it ends. The world is asked for first; then the launcher over its site."""

    @property
    def autopilot(self) -> str:
        """What flies, in words, with its version where it has one."""

    def world(self, name: str, seed: int, small: bool, tell: Tell, measure: bool) -> WorldAndHardness:
        """The world of a name and a seed around the vehicle, as `judged_world` chooses it."""

    def launcher(self, site: Site, frames: KeptFrames, tell: Tell) -> AbstractContextManager[Launcher]:
        """Who launches the runs over a site."""

    def estimator(self, recording: Recording) -> dict[str, Any] | None:
        """How far the autopilot's own position was off; None where that is not measured."""

    def __enter__(self) -> Hangar: ...

    def __exit__(self, *failure: object) -> None: ...


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """The built-in autopilot on the simulated clock, or at the pace of a clock."""

    realtime: bool = False

    @property
    def autopilot(self) -> str:
        """The built-in one."""
        return BUILT_IN

    def world(self, name: str, seed: int, small: bool, tell: Tell, measure: bool) -> WorldAndHardness:
        """The vehicle is put where the world is."""
        return judged_world(name, seed, tell, measure=measure)

    @contextmanager
    def launcher(self, site: Site, frames: KeptFrames, tell: Tell) -> Iterator[Launcher]:
        """A new vehicle for every run."""
        with pace_of(self.realtime, tell) as pace:
            yield RunOptions(pace=pace, frames=frames)

    def estimator(self, recording: Recording) -> dict[str, Any] | None:
        """Not measured: its estimator is a model."""
        return None

    def __enter__(self) -> BuiltIn:
        return self

    def __exit__(self, *failure: object) -> None:
        """There is nothing to end."""
