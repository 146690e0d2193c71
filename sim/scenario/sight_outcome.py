"""What a flight by sight is judged by: how good the camera's word was, when it was there, what GPS was caught at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runtime.debrief.sightings import Accuracy, Sights, accuracy_of
from sim.scenario.outcome import Outcome
from sim.scenario.spoof_alarm import SpoofAlarm

MAX_ARRIVAL_ERROR_M = 5.0
MAX_ARRIVAL_BY_MAP_M = 10.0  # a satellite image's own georeference is 1 to 3 m off, and its date is another
MAX_FIRST_FIX_S, MAX_RECOVERY_S, MAX_LOST_S = 10.0, 15.0, 3.0
MAX_OFFSET_AT_ALARM_M = 20.0
MAX_STEP_ALARM_S = 9.5  # recorded: ArduCopter takes a step for true after 9.75 s
MAX_CONFIDENTLY_WRONG = 0.001
STEP = "step"  # the forgery that is no drag


@dataclass(slots=True)
class SightOutcome(Outcome):
    """Filled as the scenario goes; what has not happened has failed, unless the scenario has no such thing."""

    scenario: str = ""
    max_arrival_error_m: float | None = MAX_ARRIVAL_ERROR_M  # None: it is no flight to a target
    sights: list[Sights] = field(default_factory=list)
    asked_first_fix: bool = False  # it begins with nothing
    first_fix_s: float | None = None
    kidnapped: bool = False
    recovery_s: float | None = None
    lost_after_s: float | None = None  # from the covering of the lens to the last estimate that was to be steered by
    forged: dict[str, SpoofAlarm | None] = field(default_factory=dict)  # the alarm of each forgery
    commands_after_alarm: int = 0
    false_alarms: int = 0

    @property
    def accuracy(self) -> Accuracy:
        """Of all frames that count, of all flights."""
        return accuracy_of([one for flight in self.sights for one in flight.judged])

    @property
    def worst_alarm(self) -> SpoofAlarm | None:
        """Of the drags, the alarm at the largest offset; None where there was none, or where one was not noticed."""
        alarms = [alarm for name, alarm in self.forged.items() if name != STEP]
        if not alarms or any(alarm is None for alarm in alarms):
            return None
        return max((alarm for alarm in alarms if alarm is not None), key=lambda alarm: alarm.offset_m)

    def checks(self) -> dict[str, bool]:
        """Every condition of a PASS, by name."""
        wrong = self.accuracy.confidently_wrong_share
        checks = {
            "camera_never_confidently_wrong": wrong is not None and wrong < MAX_CONFIDENTLY_WRONG,
            "no_command_without_authority": self.commands_without_authority == 0,
            "no_false_alarm_of_gps": self.false_alarms == 0,
        }
        if self.max_arrival_error_m is not None:
            limit, error = self.max_arrival_error_m, self.arrival_error_m
            checks[f"arrived_within_{limit:.0f}_m"] = error is not None and error <= limit
            checks["arrival_confirmed_by_sight"] = self.arrival_confirmed
        if self.asked_first_fix:
            checks["first_fix_within_10_s"] = self.first_fix_s is not None and self.first_fix_s <= MAX_FIRST_FIX_S
        if self.kidnapped:
            checks["lost_within_3_s"] = self.lost_after_s is not None and self.lost_after_s <= MAX_LOST_S
            checks["recovered_within_15_s"] = self.recovery_s is not None and self.recovery_s <= MAX_RECOVERY_S
        for name, alarm in self.forged.items():
            if name == STEP:
                checks["alarm_before_the_step_is_believed"] = alarm is not None and alarm.s < MAX_STEP_ALARM_S
            else:
                caught = alarm is not None and alarm.offset_m <= MAX_OFFSET_AT_ALARM_M
                checks[f"alarm_before_20_m_{name}"] = caught
        if self.forged:
            checks["no_command_after_an_alarm"] = self.commands_after_alarm == 0
        if self.hardness is not None:
            checks["world_neither_too_easy_nor_too_hard"] = self.hardness.accepted
        return checks | {f"{leg.name}_obeyed": leg.obeyed for leg in self.legs}

    def summary(self) -> str:
        """One line for people."""
        accuracy = self.accuracy
        median, worst = accuracy.position_error_m["median"], accuracy.position_error_m["max"]
        said = [] if median is None else [f"by sight {median:.1f} m off in the median and {worst:.1f} m at worst"]
        if self.max_arrival_error_m is not None:
            error = self.arrival_error_m
            said.append("never arrived" if error is None else f"arrived {error:.1f} m off")
        if self.forged:
            caught = sum(alarm is not None for alarm in self.forged.values())
            said.append(f"{caught} of {len(self.forged)} forgeries noticed")
        said.append(f"{self.commands_without_authority} commands without authority")
        return ", ".join(said)

    def as_json(self, wall_s: float, report: Path) -> dict[str, Any]:
        """The object that ``--json`` prints: that of ``return``, and what is measured by sight."""
        accuracy, alarm = self.accuracy, self.worst_alarm
        return {
            **Outcome.as_json(self, wall_s, report),
            "scenario": self.scenario,
            "frames": accuracy.frames,
            "position_error_m": accuracy.position_error_m,
            "tracking_share": accuracy.tracking_share,
            "inside_1sigma": accuracy.inside_1sigma,
            "inside_2sigma": accuracy.inside_2sigma,
            "first_fix_s": self.first_fix_s,
            "recovery_s": self.recovery_s,
            "lost_after_s": self.lost_after_s,
            "confidently_wrong_share": accuracy.confidently_wrong_share,
            "spoof_alarm": None if alarm is None else asdict(alarm),
            "spoof_alarms": {name: None if one is None else asdict(one) for name, one in self.forged.items()},
            "false_alarms": self.false_alarms,
        }


def lost_after_s(trusted_ns: Sequence[int], covered_ns: int, uncovered_ns: int) -> float:
    """Seconds from the covering of the lens to the last of the trusted estimates before it is uncovered."""
    meanwhile = [t_ns for t_ns in trusted_ns if covered_ns <= t_ns < uncovered_ns]
    return round((meanwhile[-1] - covered_ns) * 1e-9, 2) if meanwhile else 0.0
