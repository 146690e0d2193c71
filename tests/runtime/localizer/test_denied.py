"""Whole flights by sight alone, with fixes that are late, refused, and wrong together, and odometry that fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.runtime.localizer.denied import INSIDE_95, Conditions, Outcome, fly

CLEAN = Conditions(
    wrong=0.0, refused=0.0, odometry_lost=0.0, odometry_off=0.0, gap_s=0.0, constant_m=0.0, shared_m=0.01
)


def flown(conditions: Conditions, flights: int) -> Outcome:
    outcome = Outcome()
    for seed in range(flights):
        fly(seed, conditions, outcome)
    return outcome


def test_at_any_frame_rate_displacements_alone_never_teach_the_scale() -> None:
    """Hovering, each frame's displacement is of the same few metres: what errs is that metre, not the scale."""
    for conditions in (replace(CLEAN, speed_m_s=0.3), replace(CLEAN, frame_hz=25.0, seconds=25.0)):
        outcome = flown(conditions, 2)
        assert np.percentile(outcome.error_m, 95) < 2.6
        assert outcome.inside(INSIDE_95) > 0.9
        assert max(outcome.first_s) < 10.0


def test_a_hard_turn_while_odometry_was_blind_does_not_lock_it_out() -> None:
    outcome = flown(replace(CLEAN, odometry_lost=0.5, speed_m_s=15.0), 4)
    assert np.percentile(outcome.error_m, 99) < 6.0 and outcome.wrong_share == 0.0


def test_wrong_fixes_in_rows_that_agree_are_hardly_ever_steered_by() -> None:
    outcome = flown(Conditions(wrong=0.1), 6)
    assert outcome.wrong_share < 0.004 and outcome.tracking_share > 0.7
    assert np.percentile(outcome.error_m, 95) < 6.0 and outcome.inside(INSIDE_95) > 0.9
    assert np.percentile(outcome.first_s, 90, method="lower") <= 10.0


def test_an_aircraft_that_was_carried_off_is_found_again() -> None:
    outcome = flown(Conditions(wrong=0.02, carried_s=20.0, seconds=45.0, gap_s=0.0), 4)
    assert max(outcome.recovered_s) <= 15.0
    assert outcome.wrong_share * 45.0 < 3.0, "seconds in which it was sure of the place that it had left"
