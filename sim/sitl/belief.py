"""How far the autopilot's own position is from the truth while the camera feeds it, and at the switch to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.flightlog.flightlog import read_flightlog

_AROUND_NS = 2_000_000_000  # of the switch: by then an estimator has been reset


@dataclass(frozen=True, slots=True)
class Belief:
    """The autopilot's position less the true one at ``t_ns``."""

    t_ns: int
    north_m: float
    east_m: float

    @property
    def error_m(self) -> float:
        """How far off it is."""
        return math.hypot(self.north_m, self.east_m)


@dataclass(frozen=True, slots=True)
class BeliefFigures:
    """Metres, of the time for which it flew on what it was fed; ``step_m``: by how much the error changed at once at
    the switch, at most; None where there was none."""

    seconds: float
    median_m: float | None
    p95_m: float | None
    max_m: float | None
    step_m: float | None


def figures_of(beliefs: Sequence[Belief], fed_ns: Sequence[tuple[int, int]], switched_ns: int | None) -> BeliefFigures:
    """``fed_ns``: from when to when it flew on it; ``switched_ns``: when it was told to."""
    errors = [one.error_m for one in beliefs if any(begin <= one.t_ns < end for begin, end in fed_ns)]
    seconds = sum(end - begin for begin, end in fed_ns) * 1e-9
    around = [one for one in beliefs if switched_ns is not None and abs(one.t_ns - switched_ns) < _AROUND_NS]
    steps = [
        math.hypot(after.north_m - before.north_m, after.east_m - before.east_m)
        for before, after in zip(around, around[1:], strict=False)
    ]
    if not errors:
        return BeliefFigures(round(seconds, 1), None, None, None, max(steps, default=None))
    median, p95 = (round(float(np.percentile(errors, share)), 2) for share in (50, 95))
    step = None if not steps else round(max(steps), 2)
    return BeliefFigures(round(seconds, 1), median, p95, round(max(errors), 2), step)


def fed_in(log: Path) -> tuple[list[tuple[int, int]], int | None]:
    """From when to when a flight log says that the autopilot was fed and flew on it, and when it was switched."""
    spans: list[tuple[int, int]] = []
    begin_ns = switched_ns = None
    last_ns = 0
    for _, t_ns, record in read_flightlog(log, ("injection",)):
        last_ns = t_ns
        if record["switch_to"] is not None and switched_ns is None:
            switched_ns = t_ns
        feeding = record["state"] == "feeding"
        if feeding and begin_ns is None:
            begin_ns = t_ns
        elif not feeding and begin_ns is not None:
            spans.append((begin_ns, t_ns))
            begin_ns = None
    if begin_ns is not None:
        spans.append((begin_ns, last_ns))
    return spans, switched_ns
