"""What a scenario needs of a flight: stepped by a simulated clock, or flown by an autopilot elsewhere in real time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runtime.errors import HomingError
from runtime.values import ImageRGB
from sim.scenario.conditions import Conditions
from sim.scenario.dialect import Script
from sim.scenario.plan import Point
from sim.scenario.referee import Referee
from sim.scenario.station import GroundStation

if TYPE_CHECKING:
    from sim.scenario.setup import Site

Answer = dict[str, Any]


class NotFlownError(HomingError):
    """A scenario came to nothing: the vehicle or the daemon did not do what comes before anything can be judged."""



@dataclass(frozen=True, slots=True)
class Truth:
    """Where the vehicle really was: (north, east) from the world's origin, height above the ground."""

    t_ns: int
    ground: Point
    height_m: float


class Flight(Protocol):
    """A vehicle with its people, its camera and a daemon; time passes only in `run`, `fly` and `ask`."""

    track: list[Truth]

    @property
    def t_ns(self) -> int:
        """Now, on the clock of the daemon."""

    @property
    def station(self) -> GroundStation:
        """The ground station, on a link of its own."""

    @property
    def referee(self) -> Referee:
        """Who reads the daemon's every byte."""

    @property
    def armed(self) -> bool:
        """Whether the motors turn."""

    def pilot_set_mode(self, name: str) -> None:
        """The pilot's switch."""

    def expose_every(self, period_ns: int) -> None:
        """How often the camera takes a picture."""

    def cut_gps(self) -> None:
        """The receiver hears nothing any more."""

    def drag_gps(self, north_m_s: float, east_m_s: float) -> None:
        """Somebody forges the receiver's signals and drags it away at this velocity."""

    def step_gps(self, north_m: float, east_m: float) -> None:
        """The receiver's position leaps by so much."""

    @property
    def gps_offset_ne_m(self) -> Point:
        """How far off the truth the receiver is put now."""

    def cover_camera(self, covered: bool) -> None:
        """Something is before the lens, or no more."""

    def carry_to(self, place: Point, seconds: float) -> None:
        """The vehicle gets to a place within these seconds, and nobody tells it where that is."""

    def view(self) -> ImageRGB:
        """What the camera sees now."""

    def truth_now(self) -> Truth:
        """Where the vehicle is."""

    def run(self, script: Script, max_s: float) -> bool:
        """Fly until the script ends; False if it has not after ``max_s``."""

    def fly(self, seconds: float) -> None:
        """Let time pass."""

    def ask(self, request: Answer, max_s: float | None = None) -> Answer:
        """An operator's request; a refusal is an answer with ``error``."""

    def restart_daemon(self) -> None:
        """Kill the daemon as a power cut would, and start another in its place."""


class Run(Protocol):
    """One flight over a site and what has to be closed after it."""

    @property
    def flight(self) -> Flight:
        """Who flies."""

    @property
    def log_path(self) -> Path:
        """The daemon's flight log; whole once the run is closed."""

    @property
    def log_paths(self) -> tuple[Path, ...]:
        """That, and those of daemons that took its place in the same run, in order."""

    def close(self) -> None:
        """End the daemon cleanly and put everything on the disk."""


class Launcher(Protocol):
    """Who provides the vehicle of each run over a ``Site``."""

    @property
    def repeats(self) -> str | None:
        """What its flights follow from beside site and conditions, where that repeats them; None where nothing does."""

    def meeting(self, conditions: Conditions) -> Launcher:
        """The same for flights under these conditions."""

    def launch(self, site: Site, name: str, record: bool, airborne: Point | None = None) -> Run:
        """A flight called ``name``; ``airborne``: it begins there, hovering, instead of on the ground."""
