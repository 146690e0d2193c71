"""What the simulator alone knows of a flight's place, and how soon a forged receiver was noticed by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runtime.debrief.truth import SIMULATOR, Truth
from runtime.debrief.wire import Received
from runtime.geodesy import distance_m, offsets
from runtime.values import GeoPoint
from sim.scenario import aircraft


def true_track(track: Sequence[aircraft.Truth], origin: GeoPoint) -> Truth:
    """Where the vehicle really was at any instant of a flight."""
    ground = np.array([step.ground for step in track], np.float64).reshape(-1, 2)
    return Truth(SIMULATOR, [step.t_ns for step in track], offsets(origin, ground))


@dataclass(frozen=True, slots=True)
class SpoofAlarm:
    """Seconds from the beginning of a forgery to the alarm, and how far off the receiver's last report then was."""

    s: float
    offset_m: float


def spoof_alarm(
    alarms_ns: Sequence[int], received: Sequence[Received], truth: Truth, begun_ns: int
) -> SpoofAlarm | None:
    """The first alarm after a forgery began; None where none was raised."""
    raised_ns = next((t_ns for t_ns in alarms_ns if t_ns >= begun_ns), None)
    if raised_ns is None:
        return None
    report = next((one for one in reversed(received) if one.t_ns <= raised_ns), None)
    there = None if report is None else truth.at(report.t_ns)
    off_m = float("nan") if report is None or there is None else distance_m(report.place, there)
    return SpoofAlarm(round((raised_ns - begun_ns) * 1e-9, 2), round(off_m, 2))
