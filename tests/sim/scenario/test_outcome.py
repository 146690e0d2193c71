"""What `return` asks of accepted places: one rule for those that were flown over and those that were not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.scenario.outcome import Outcome
from sim.scenario.questions import Question, Reply


def reply(flown: bool, error_m: float | None) -> Reply:
    place = None if error_m is None else (error_m, 0.0)
    return Reply(Question("one", Path("one.png"), (0.0, 0.0), flown), {}, place, error_m)


@pytest.mark.parametrize(
    ("strangers", "passes"),
    [((None, None, None), True), ((41.0, None, None), False), ((14.0, None, None), True), ((3.0, 9.0, 14.0), True),
     ((3.0, 9.0, 15.1), False)],
)  # fmt: skip
def test_a_place_that_was_never_flown_over_is_put_where_it_is_or_not_accepted(
    strangers: tuple[float | None, ...], passes: bool
) -> None:
    outcome = Outcome([*(reply(True, 2.0) for _ in range(6)), *(reply(False, error_m) for error_m in strangers)])
    checks = outcome.checks()
    assert checks["places_within_15_m"] == passes
    assert not [name for name in checks if "stranger" in name], "nothing else is asked of them"
    assert outcome.outside_accepted == sum(one is not None for one in strangers), "and they are told"
