"""The locator on ground made of noise: places are found, out-of-coverage queries are not, and nothing is made up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import BundleError
from runtime.geodesy import distance_m, offset
from runtime.history.history import History
from runtime.place.gallery import MAX_EXHAUSTIVE
from runtime.place.ground import APART
from runtime.place.locator import Locator
from runtime.place.target import Target
from runtime.values import Decision, PlaceAnswer
from tests.runtime.place.fakes import ORIGIN, RUNGS_M, TABLE, Colours, Land, grid, new_history

PLACES = [(3.0, -7.0), (-61.0, 44.0), (78.0, 80.0), (12.0, 91.0)]


@pytest.fixture(scope="module")
def land() -> Land:
    return Land()


@pytest.fixture(scope="module")
def tower() -> Colours:
    return Colours()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, land: Land, tower: Colours) -> Iterator[History]:
    with new_history(tmp_path_factory.mktemp("place") / "a.homing") as made:
        land.record(made, tower, grid(90.0, 22.5))
        yield made


def error_m(answer: PlaceAnswer, north_m: float, east_m: float) -> float:
    assert answer.place is not None, answer.reason
    return distance_m(answer.place, offset(ORIGIN, north_m, east_m))


@pytest.mark.parametrize(("north", "east"), PLACES)
def test_a_target_is_found_off_the_grid(
    history: History, land: Land, tower: Colours, north: float, east: float
) -> None:
    answer = Locator(history, tower).locate(land.target(north, east))
    assert answer.decision is Decision.MATCH
    assert error_m(answer, north, east) < 3.0
    assert answer.probability is not None and answer.probability > TABLE["threshold"]
    assert answer.sigma_m == pytest.approx(2.0)
    keyframe = history.keyframe(answer.candidates[0].keyframe_id)
    assert distance_m(keyframe.ground, offset(ORIGIN, north, east)) < 22.5


def test_candidates_are_distinct_places_best_first(history: History, land: Land, tower: Colours) -> None:
    answer = Locator(history, tower).locate(land.target(3.0, -7.0), top=4)
    assert len(answer.candidates) == 4
    probabilities = [one.probability or 0.0 for one in answer.candidates]
    assert probabilities == sorted(probabilities, reverse=True)
    for number, one in enumerate(answer.candidates):
        for other in answer.candidates[:number]:
            assert distance_m(one.ground, other.ground) > APART * RUNGS_M[-1] - 0.5 * 3.0
    assert len(Locator(history, tower).locate(land.target(3.0, -7.0), top=1).candidates) == 1


@pytest.mark.parametrize(("north", "east"), [(250.0, 0.0), (-30.0, 260.0), (168.0, 0.0), (0.0, -172.0)])
def test_a_query_out_of_coverage_is_not_accepted(
    history: History, land: Land, tower: Colours, north: float, east: float
) -> None:
    """The last two overlap what was flown; their centres do not."""
    answer = Locator(history, tower).locate(land.target(north, east))
    assert answer.decision is Decision.NO_MATCH
    assert answer.place is None and answer.sigma_m is None
    assert answer.candidates and "no place stands out" in answer.reason


@pytest.mark.parametrize(("north", "east"), [(124.0, 0.0), (0.0, -126.0)])
def test_where_the_middle_may_lie_beyond_what_was_flown_nothing_is_accepted(
    history: History, land: Land, tower: Colours, north: float, east: float
) -> None:
    """It is as probable as what is accepted, at the edge of the flown ground, 122 m from the middle."""
    answer = Locator(history, tower).locate(land.target(north, east))
    assert answer.decision is Decision.NO_MATCH and answer.place is None
    assert answer.probability is not None and answer.probability > TABLE["threshold"]
    assert "its middle may lie beyond" in answer.reason
    assert Locator(history, tower).locate(land.target(0.9 * north, 0.9 * east)).decision is Decision.MATCH


def test_unknown_scale_is_searched(history: History, land: Land, tower: Colours) -> None:
    for north, east in PLACES[:2]:
        target = land.target(north, east, side_m=80.0, known=False, gsd_m=0.4)
        assert error_m(Locator(history, tower).locate(target), north, east) < 4.0


def test_unknown_heading_is_searched_only_when_asked(history: History, land: Land, tower: Colours) -> None:
    target = land.target(3.0, -7.0, side_m=90.0, heading_rad=2.2)
    locator = Locator(history, tower)
    assert locator.locate(target).decision is Decision.NO_MATCH
    assert error_m(locator.locate(target, any_heading=True), 3.0, -7.0) < 4.0
    assert error_m(locator.locate(replace(target, north_up=False)), 3.0, -7.0) < 4.0


def test_of_a_large_target_more_than_the_middle_is_used(history: History, land: Land, tower: Colours) -> None:
    before = tower.crops
    answer = Locator(history, tower).locate(land.target(10.0, 5.0, side_m=170.0))
    assert error_m(answer, 10.0, 5.0) < 3.0
    assert tower.crops - before > 8


def test_a_large_target_centred_outside_is_out_of_coverage(history: History, land: Land, tower: Colours) -> None:
    """Half of it was flown, by many keyframes; but not the place that it points at."""
    answer = Locator(history, tower).locate(land.target(140.0, 0.0, side_m=170.0))
    assert answer.decision is Decision.NO_MATCH


def test_a_target_too_small_is_told_so(history: History, land: Land, tower: Colours) -> None:
    answer = Locator(history, tower).locate(land.target(0.0, 0.0, side_m=16.0))
    assert answer.decision is Decision.NO_MATCH and answer.candidates == ()
    assert "16 m of ground" in answer.reason and "40 m" in answer.reason


def test_a_georeference_that_disagrees_is_reported_not_flown(history: History, land: Land, tower: Colours) -> None:
    locator = Locator(history, tower)
    near = land.target(3.0, -7.0, position=offset(ORIGIN, 6.0, -7.0))
    assert error_m(locator.locate(near), 3.0, -7.0) < 3.0
    answer = locator.locate(land.target(3.0, -7.0, position=offset(ORIGIN, 303.0, -7.0)))
    assert answer.decision is Decision.NO_MATCH and answer.place is None
    assert "georeference" in answer.reason
    assert distance_m(answer.candidates[0].ground, offset(ORIGIN, 3.0, -7.0)) < 3.0


def test_without_calibration_nothing_is_accepted(history: History, land: Land) -> None:
    answer = Locator(history, Colours(table=None)).locate(land.target(3.0, -7.0))
    assert answer.decision is Decision.NO_MATCH and "no acceptance table" in answer.reason
    assert answer.probability is None
    assert all(one.probability is None for one in answer.candidates)
    assert distance_m(answer.candidates[0].ground, offset(ORIGIN, 3.0, -7.0)) < 3.0


def test_without_maps_it_says_what_is_missing(history: History, land: Land) -> None:
    with pytest.raises(BundleError, match="no spatial maps"):
        Locator(history, Colours(map_shape=None)).locate(land.target(0.0, 0.0))


def test_an_empty_history_has_no_places(tmp_path: Path, land: Land, tower: Colours) -> None:
    with new_history(tmp_path / "empty.homing") as empty:
        locator = Locator(empty, tower)
        assert locator.locate(land.target(0.0, 0.0)).reason == "the history holds no keyframes"
        land.record(empty, tower, grid(45.0, 22.5))  # recorded while the locator is at work
        assert error_m(locator.locate(land.target(4.0, 6.0)), 4.0, 6.0) < 3.0


def test_an_even_target_has_no_place(history: History, tower: Colours) -> None:
    even = Target(np.full((144, 144, 3), 80, np.uint8), 0.5, True, None, "even")
    assert Locator(history, tower).locate(even).decision is Decision.NO_MATCH


def test_flights_far_apart_are_both_searched(tmp_path: Path, land: Land, tower: Colours) -> None:
    """Half the world away one lattice over both would not fit into memory."""
    far = Land(seed=2, at_ne_m=(30_000.0, 4_000.0))
    with new_history(tmp_path / "two.homing") as two:
        land.record(two, tower, grid(45.0, 22.5))
        far.record(two, tower, grid(45.0, 22.5))
        locator = Locator(two, tower)
        assert error_m(locator.locate(land.target(4.0, 6.0)), 4.0, 6.0) < 3.0
        answer = locator.locate(far.target(-9.0, 14.0))
        assert answer.decision is Decision.MATCH
        # The local metres bend away from the ground by a part in ten thousand over this distance.
        assert error_m(answer, 30_000.0 - 9.0, 4_000.0 + 14.0) < 3.0


def test_a_shortlist_finds_what_all_keyframes_find(tmp_path: Path, land: Land, tower: Colours) -> None:
    with new_history(tmp_path / "many.homing") as many:
        land.record(many, tower, grid(210.0, 21.0))
        assert len(many) > MAX_EXHAUSTIVE
        locator = Locator(many, tower)
        for north, east in ((-150.0, 111.0), (33.0, 180.0)):
            assert error_m(locator.locate(land.target(north, east)), north, east) < 3.0


@pytest.mark.parametrize(("turned_deg", "scale"), [(10.0, 1.0), (-10.0, 1.0), (0.0, 1.2), (0.0, 1 / 1.2)])
def test_a_target_that_lies_a_little_otherwise_than_said_is_accepted(
    history: History, land: Land, tower: Colours, turned_deg: float, scale: float
) -> None:
    """Turned by more than a map's cells stand, or of another scale, and said to be north-up and exact."""
    for north, east in PLACES[:2]:
        target = land.target(north, east, side_m=80.0, heading_rad=math.radians(turned_deg))
        answer = Locator(history, tower).locate(replace(target, gsd_m=0.5 * scale))
        assert error_m(answer, north, east) < 4.0
        assert answer.probability is not None and answer.probability > TABLE["threshold"]
