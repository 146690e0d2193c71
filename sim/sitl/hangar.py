"""A real autopilot for a whole scenario: connected to or launched, set up, with the world around where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.errors import UsageError
from runtime.flightlog.keeper import KeptFrames
from runtime.geodesy import distance_m, offset
from sim.hardness import HardnessReport
from sim.scenario.aircraft import Launcher
from sim.scenario.outcome import Recording
from sim.scenario.plan import make_plan
from sim.scenario.setup import GROUND_AMSL_M, Site, side_ne_m
from sim.sitl.airfield import airfield
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.belief import fed_in, figures_of
from sim.sitl.firmware import Firmware, Stand
from sim.sitl.launch import launched
from sim.sitl.pilot import Pilot
from sim.sitl.px4 import Px4, Px4InHold
from sim.sitl.setting_up import set_up
from sim.sitl.wires import Wires
from sim.world.world import AnyWorld, World
from sim.world_choice import judged_world

FIRMWARE: dict[str, Callable[[], Firmware]] = {"ardupilot": ArduCopter, "px4": Px4, "px4-hold": Px4InHold}
_AT_HOME_M = 50.0  # so near to where the plan takes off, the world stays where it is


@dataclass(frozen=True, slots=True)
class Asked:
    """``connect``: the companion's line and then the pilot's, where they are not the firmware's own."""

    autopilot: str
    connect: tuple[str, ...] = ()
    launch: Path | None = None

    def firmware(self) -> Firmware:
        """Of this name.

        Raises:
            UsageError: there is none, or the lines are not one or two.
        """
        if self.autopilot not in FIRMWARE:
            raise UsageError(f"there is no autopilot {self.autopilot}; there are builtin, {', '.join(FIRMWARE)}.")
        if len(self.connect) > 2:
            raise UsageError("--connect is given once for the companion's line, and once more for the pilot's.")
        return FIRMWARE[self.autopilot]()


class SitlHangar:
    """See `sim.scenario.hangar.Hangar`."""

    def __init__(self, asked: Asked, folder: Path) -> None:
        """Starts nothing yet; ``folder`` is for what a launched simulator writes."""
        self._asked, self._folder = asked, folder
        self.firmware = asked.firmware()
        self._open = ExitStack()
        self._wires: Wires | None = None
        self.lines: tuple[str, ...] = ()  # the companion's and the pilot's, once the world was asked for

    @property
    def pilot(self) -> Pilot:
        """Once the world was asked for."""
        assert self._wires is not None, "the world is asked for first"
        return self._wires.pilot

    @property
    def autopilot(self) -> str:
        """The firmware and its version."""
        version = self._wires.pilot.version if self._wires is not None else None
        return self.firmware.name if version is None else f"{self.firmware.name} {version}"

    def world(
        self, name: str, seed: int, small: bool, tell: Callable[[str], None], measure: bool
    ) -> tuple[AnyWorld, HardnessReport | None]:
        """A procedural world is put where the vehicle stands; a map is where it is.

        Raises:
            UsageError: no autopilot answers, it is none of this firmware, or it stands elsewhere than the map is.
        """
        world, hardness = judged_world(name, seed, tell, measure=measure)
        home = make_plan(seed, side_ne_m(world), small).home
        planned = Stand(offset(world.origin, *home), GROUND_AMSL_M)
        self._wires = self._connected(planned)
        stands = set_up(self._wires.pilot)
        tell(f"{self.autopilot} stands at {stands.position.latitude_deg:.6f}, {stands.position.longitude_deg:.6f}")
        away_m = distance_m(stands.position, planned.position)
        if away_m > _AT_HOME_M:
            if not isinstance(world, World):
                raise UsageError(f"the vehicle stands {away_m / 1000:.1f} km from where {name} is flown from, which is "
                                 f"{_in_words(planned)}; start its simulator there, or give --launch.")  # fmt: skip
            world = World.generate(seed, world.size_m, offset(stands.position, -home[0], -home[1]), world.dates)
            planned = Stand(stands.position, stands.altitude_amsl_m)
        self._wires.pilot.reference = Stand(planned.position, stands.altitude_amsl_m)
        return world, hardness

    @contextmanager
    def launcher(self, site: Site, frames: KeptFrames, tell: Callable[[str], None]) -> Iterator[Launcher]:
        """The one vehicle for all runs, in real time."""
        assert self._wires is not None, "the world is asked for first"
        with airfield(self._wires, site, frames) as field:
            yield field

    def estimator(self, recording: Recording) -> dict[str, Any] | None:
        """Its own position against its simulator's truth, while it flew on what the camera fed it, and at the switch,
        of each flight."""
        return {
            name: asdict(figures_of(self.pilot.beliefs, *fed_in(logs[0])))
            for name, logs in recording.logs.items() if logs
        }  # fmt: skip

    def __enter__(self) -> SitlHangar:
        return self

    def __exit__(self, *failure: object) -> None:
        self._open.close()

    def _connected(self, stand: Stand) -> Wires:
        own = self.firmware.connect
        if self._asked.launch is not None:
            own = self._open.enter_context(launched(self.firmware, self._asked.launch, self._folder, stand))
        self.lines = (*self._asked.connect, *own[len(self._asked.connect) :])
        wires = Wires(self.lines[0], self.lines[1], Pilot(self.firmware))
        self._open.callback(wires.close)
        return wires


def _in_words(stand: Stand) -> str:
    where = stand.position
    return f"{where.latitude_deg:.7f},{where.longitude_deg:.7f}"
