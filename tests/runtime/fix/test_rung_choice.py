"""At which footprints a query is compared, over galleries of a climb, of two flights, and of chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from runtime.fix.rung_choice import fewest_rungs
from runtime.matching.gallery import Rung

LADDER_M = (112.0, 80.0, 56.0, 40.0, 28.0, 20.0)
SURVEY = [(0.0, 28.0 * number, 115.0) for number in range(100)]  # north, east, side of what is seen
CLIMB = [(0.0, 0.0, side_m) for side_m in (25.0, 31.0, 40.2, 48.0, 59.0, 73.0, 90.0)]


def ladder(keyframes: Sequence[tuple[float, float, float]]) -> list[Rung]:
    """Keyframes, numbered from 1, each embedded at every rung that it shows."""
    rungs = []
    for rung_m in LADDER_M:
        ids = [number for number, (_, _, side_m) in enumerate(keyframes, start=1) if side_m >= rung_m]
        places_m = np.array([keyframes[one - 1][:2] for one in ids]).reshape(-1, 2)
        rungs.append(Rung(rung_m, np.array(ids, np.int64), places_m, np.zeros((len(ids), 4), np.float16)))
    return [rung for rung in rungs if len(rung)]


def chosen(keyframes: Sequence[tuple[float, float, float]], flights: Sequence[int] | None = None) -> list[float]:
    numbers = np.array([0, *(flights or [1] * len(keyframes))])
    return [rung.footprint_m for rung in fewest_rungs(ladder(keyframes), lambda ids: numbers[ids])]


def test_footprints_that_only_the_climb_went_through_are_not_compared() -> None:
    assert chosen(CLIMB + SURVEY) == [112.0]
    assert chosen(SURVEY + CLIMB) == [112.0]


def test_a_climb_elsewhere_is_compared() -> None:
    """The take-off lies beside what the survey shows: its rungs are the only ones with that ground."""
    aside = [(200.0, 0.0, side_m) for _, _, side_m in CLIMB]
    assert chosen(aside + SURVEY) == [112.0, 80.0]  # the highest of the climb shows what the others do
    assert chosen([(200.0, 0.0, 25.0), *SURVEY]) == [112.0, 20.0]


@pytest.mark.parametrize(("away_m", "rungs_m"), [(45.9, [112.0]), (46.1, [112.0, 20.0])])
def test_a_keyframe_is_left_out_only_where_all_of_it_lies_in_a_larger_one(away_m: float, rungs_m: list[float]) -> None:
    assert chosen([(-away_m, 0.0, 25.0), *SURVEY]) == rungs_m


def test_what_another_flight_shows_is_compared_all_the_same() -> None:
    """The ground may have looked otherwise that day."""
    assert chosen(CLIMB + SURVEY, [2] * len(CLIMB) + [1] * len(SURVEY)) == [112.0, 80.0]


def test_many_lower_keyframes_are_compared_whatever_they_show() -> None:
    low = [(0.0, 28.0 * number, 60.0) for number in range(20)]
    assert chosen(low + SURVEY) == [112.0, 56.0]


def test_no_rungs_and_no_keyframes() -> None:
    assert fewest_rungs([], lambda ids: ids) == []
    empty = Rung(20.0, np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros((0, 4), np.float16))
    assert fewest_rungs([empty], lambda ids: ids) == []


@pytest.mark.parametrize("seed", range(6))
def test_every_keyframe_is_compared_or_lies_in_a_larger_square_of_its_flight_that_is(seed: int) -> None:
    """Against the obvious loop over all pairs, with rungs that add little left to accumulate."""
    rng = np.random.default_rng(seed)
    norths, easts = rng.uniform(0.0, 300.0, (2, 300)).tolist()
    sides = rng.choice([25.0, 45.0, 90.0, 120.0], 300, p=[0.03, 0.03, 0.2, 0.74]).tolist()
    keyframes = list(zip(norths, easts, sides, strict=True))
    flights = rng.integers(1, 4, 300).tolist()
    kept_m = chosen(keyframes, flights)

    def compared_at(side_m: float) -> float:
        return max((rung_m for rung_m in kept_m if rung_m <= side_m), default=0.0)

    left_out = 0
    for (north, east, side_m), flight in zip(keyframes, flights, strict=True):
        own_m = max(rung_m for rung_m in LADDER_M if rung_m <= side_m)
        left_out += compared_at(side_m) == 0.0 and not any(
            other == flight and max(abs(north - n), abs(east - e)) <= (compared_at(s) - own_m) / 2
            for (n, e, s), other in zip(keyframes, flights, strict=True)
        )
    assert left_out <= 0.002 * 300
    assert kept_m[0] == 112.0 and len(kept_m) < len(LADDER_M)
