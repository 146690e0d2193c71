"""What a scenario is judged by, and the one JSON object that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runtime.debrief.flown import Flown
from runtime.debrief.wire import WireCommand
from runtime.values import ImageRGB
from sim.hardness import HardnessReport
from sim.scenario.aircraft import Truth
from sim.scenario.questions import Reply

MAX_PLACE_ERROR_M = 15.0
MAX_ARRIVAL_ERROR_M = 10.0
TARGETS_SHARE = 14 / 20
BUILT_IN = "built-in autopilot"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a flight to the target ended, as far as those saw it who were there."""

    obeyed: bool  # it flew while it might, and was silent once it might not
    story: str


@dataclass(frozen=True, slots=True)
class Leg:
    """One flight to the target: how it ended and what went over the wire."""

    name: str
    commands: int
    commands_without_authority: int
    obeyed: bool  # see `Ended`
    story: str


@dataclass(slots=True)
class Outcome:
    """Filled as the scenario goes; what has not happened has failed."""

    replies: list[Reply] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    arrival_error_m: float | None = None
    arrival_confirmed: bool = False
    fix_errors_m: list[float] = field(default_factory=list)
    fix_attempts: int = 0
    exposure_to_fix_ms: list[float] = field(default_factory=list)
    simulated_s: float = 0.0
    commands_unasked: int = 0  # of a daemon in a survey, where nobody has engaged it
    hardness: HardnessReport | None = None  # of the world; None where nobody measured it
    autopilot: str = BUILT_IN  # what flew; all but the built-in one fly in real time
    estimator: dict[str, Any] | None = None  # the autopilot's own position against the truth, where that is known

    @property
    def real_time(self) -> bool:
        """Whether it was flown on everybody's own clock, and not on a simulated one."""
        return self.autopilot != BUILT_IN

    @property
    def targets_accepted(self) -> int:
        """Flown places that were accepted, wherever they were put."""
        return sum(reply.accepted for reply in self.replies if reply.question.flown)

    @property
    def outside_accepted(self) -> int:
        """Places never flown that were accepted."""
        return sum(reply.accepted for reply in self.replies if not reply.question.flown)

    @property
    def commands_without_authority(self) -> int:
        """Over all legs, and what came before them."""
        return self.commands_unasked + sum(leg.commands_without_authority for leg in self.legs)

    def checks(self) -> dict[str, bool]:
        """Every condition of a PASS, by name.

        Of a place that was never flown over one thing is asked, and it is the same as of any other: where it is
        accepted, it is put within `MAX_PLACE_ERROR_M`. The operator sees a place with its sigma and is flown there;
        what harms is to be led elsewhere, even once, and not that the drone also knew the ground beside its way.
        """
        targets = sum(reply.question.flown for reply in self.replies)
        errors = [reply.error_m for reply in self.replies if reply.error_m is not None]
        checks = {
            "places_within_15_m": bool(errors) and max(errors) <= MAX_PLACE_ERROR_M,
            "enough_targets_accepted": targets > 0 and self.targets_accepted >= TARGETS_SHARE * targets,
            "arrived_within_10_m": self.arrival_error_m is not None and self.arrival_error_m <= MAX_ARRIVAL_ERROR_M,
            "arrival_confirmed_by_sight": self.arrival_confirmed,
            "no_command_without_authority": bool(self.legs) and self.commands_without_authority == 0,
        }
        if self.hardness is not None:
            checks["world_neither_too_easy_nor_too_hard"] = self.hardness.accepted
        return checks | {f"{leg.name}_obeyed": leg.obeyed for leg in self.legs}

    @property
    def passed(self) -> bool:
        """All of them."""
        return all(self.checks().values())

    def summary(self) -> str:
        """One line for people."""
        arrival = "never arrived" if self.arrival_error_m is None else f"arrived {self.arrival_error_m:.1f} m off"
        return (
            f"{self.targets_accepted} targets and {self.outside_accepted} places never flown over accepted, {arrival}, "
            f"{self.commands_without_authority} commands without authority"
        )

    def as_json(self, wall_s: float, report: Path) -> dict[str, Any]:
        """The object that `homing-sim --json` prints."""
        return {
            "result": "PASS" if self.passed else "FAIL",
            "checks": self.checks(),
            "arrival_error_m": self.arrival_error_m,
            "fix_error_m": _summary(self.fix_errors_m, {"median": 50, "p95": 95, "max": 100}),
            "targets_accepted": self.targets_accepted,
            "strangers_accepted": self.outside_accepted,
            "commands": sum(leg.commands for leg in self.legs),
            "commands_without_authority": self.commands_without_authority,
            "latency_ms": _summary(self.exposure_to_fix_ms, {"p50": 50, "p99": 99}),
            "hardness": None if self.hardness is None else self.hardness.as_json(),
            "simulated_s": round(self.simulated_s, 2),
            "wall_s": round(wall_s, 1),
            "autopilot": self.autopilot,
            "estimator": self.estimator,
            "report": str(report),
        }


@dataclass(slots=True)
class Recording:
    """What the report shows of a scenario beyond its outcome; by the flights' names.

    ``logs``: of each flight, one for every start of its daemon where that has its own; ``commands``: what the referee
    read on the wire.
    """

    tracks: dict[str, list[Truth]]
    logs: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    commands: dict[str, list[WireCommand]] = field(default_factory=dict)
    arrival_view: ImageRGB | None = None
    chosen: Reply | None = None
    _read: dict[Path, Flown] = field(default_factory=dict, init=False, repr=False)

    def log(self, path: Path) -> Flown:
        """One of the logs, which is read once for all that ask; raises like `Flown.open`."""
        if path not in self._read:
            self._read[path] = Flown.open(path)
        return self._read[path]


def _summary(values: Sequence[float], percentiles: dict[str, int]) -> dict[str, float | None]:
    if not values:
        return dict.fromkeys(percentiles)
    return {name: round(float(np.percentile(values, at)), 3) for name, at in percentiles.items()}
