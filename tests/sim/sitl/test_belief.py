"""What is measured of the autopilot's belief while it is fed, by a log and what the ground station heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.records import InjectionRecord
from sim.sitl.belief import Belief, fed_in, figures_of

SECOND = 1_000_000_000


class Clock:
    def now_ns(self) -> int:
        return 0


def test_a_log_says_when_it_was_fed_and_when_it_was_switched(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, Clock(), name="flight")
    told = [
        (1, "waiting", None), (2, "aligning", None), (5, "aligning", 2), (6, "feeding", None), (7, "feeding", None),
        (9, "waiting", None), (11, "feeding", None), (14, "feeding", None),
    ]  # fmt: skip
    for second, state, switch_to in told:
        log.write(second * SECOND, InjectionRecord(state, [], switch_to, second >= 5))
    log.close()
    assert fed_in(log.mcap_path) == ([(6 * SECOND, 9 * SECOND), (11 * SECOND, 14 * SECOND)], 5 * SECOND)


def test_errors_count_while_it_is_fed_and_steps_at_the_switch() -> None:
    beliefs = [Belief(t * SECOND // 10, 0.0 if t < 60 else 3.0, 0.0 if t < 60 else 4.0) for t in range(200)]
    beliefs[150] = Belief(15 * SECOND, 300.0, 0.0)
    figures = figures_of(beliefs, [(7 * SECOND, 9 * SECOND)], 55 * SECOND // 10)
    assert (figures.median_m, figures.p95_m, figures.max_m, figures.seconds) == (5.0, 5.0, 5.0, 2.0)
    assert figures.step_m == pytest.approx(5.0), "the one at 6 s; that at 15 s is far from the switch"


def test_where_nothing_was_fed_nothing_is_claimed() -> None:
    figures = figures_of([Belief(SECOND, 1.0, 0.0)], [], None)
    assert (figures.median_m, figures.max_m, figures.step_m, figures.seconds) == (None, None, None, 0.0)
