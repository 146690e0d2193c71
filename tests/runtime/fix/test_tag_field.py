"""What the tags of a flight say for camera poses that it did not have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.fix.tag_field import TagField, TagOffset

LINES, PER_LINE, APART_M = 5, 8, 12.0


def survey() -> tuple[np.ndarray, np.ndarray]:
    """(40, 2) cameras on five lines flown up and down, north and south in turn, and (40,) headings."""
    places, headings = [], []
    for line in range(LINES):
        for k in range(PER_LINE):
            along = k if line % 2 == 0 else PER_LINE - 1 - k
            places.append([along * APART_M, 2 * line * APART_M])
            headings.append(math.pi * (line % 2) + 0.05 * math.sin(k))
    return np.array(places), np.array(headings)


def behind(headings: np.ndarray, metres: float) -> np.ndarray:
    """(N, 2) offsets of tags that trail."""
    return -metres * np.stack([np.cos(headings), np.sin(headings)], axis=1)


def missed(offset: TagOffset, north_east_m: tuple[float, float]) -> float:
    return math.hypot(offset.north_m - north_east_m[0], offset.east_m - north_east_m[1])


def noise(count: int, sigma_m: float = 1.0) -> np.ndarray:
    return np.random.default_rng(5).normal(0.0, sigma_m, (count, 2))


@pytest.mark.parametrize("heading", [0.0, 1.0, -2.0])
def test_a_lag_is_carried_to_headings_that_were_not_flown(heading: float) -> None:
    places, headings = survey()
    field = TagField(places, headings, behind(headings, 10.0) + noise(len(places)))
    found = field.at(places.mean(axis=0), heading)
    assert missed(found, (-10.0 * math.cos(heading), -10.0 * math.sin(heading))) < 3.0


def test_tags_on_their_cameras_move_nothing() -> None:
    places, headings = survey()
    field = TagField(places, headings, np.zeros_like(places))
    found = field.at(places[10] + [3.0, 2.0], 0.4)
    assert missed(found, (0.0, 0.0)) < 0.01
    assert 0.0 < found.sigma_m < 4.0


def test_a_drift_over_the_survey_is_followed() -> None:
    places, headings = survey()
    drift = np.stack([0.2 * places[:, 1], 0.0 * places[:, 1]], axis=1)
    field = TagField(places, headings, drift + noise(len(places)))
    for east_m in (10.0, 60.0, 100.0):
        assert missed(field.at(np.array([50.0, east_m]), 0.0), (0.2 * east_m, 0.0)) < 2.0


def test_what_neighbours_on_a_line_share_is_shared_by_that_heading_alone() -> None:
    places, headings = survey()
    line = np.arange(len(places)) // PER_LINE == 2
    offsets = noise(len(places), 0.5)
    offsets[line] += [0.0, 8.0]
    place = places[line].mean(axis=0)
    field = TagField(places, headings, offsets)
    assert missed(field.at(place, 0.0), (0.0, 8.0)) < 3.0
    assert missed(field.at(place, math.pi), (0.0, 0.0)) < 3.0


def test_a_tag_that_is_far_off_counts_for_little() -> None:
    places, headings = survey()
    offsets = behind(headings, 10.0) + noise(len(places))
    clean = TagField(places, headings, offsets)
    offsets[20] += [60.0, -40.0]
    wild = TagField(places, headings, offsets)
    here = clean.at(places[20], headings[20])
    assert missed(wild.at(places[20], headings[20]), (here.north_m, here.east_m)) < 1.5


def test_sigma_grows_away_from_the_flight_and_covers_the_scatter_of_its_tags() -> None:
    places, headings = survey()
    offsets = noise(len(places), 5.0)
    field = TagField(places, headings, offsets)
    inside, outside = field.at(places[20], headings[20]), field.at(places[20] + [300.0, 300.0], headings[20])
    assert 4.0 < inside.sigma_m < 8.0
    assert outside.sigma_m > 2 * inside.sigma_m


def test_one_tag_is_an_answer_and_thousands_are_thinned() -> None:
    one = TagField(np.array([[5.0, 5.0]]), np.array([0.3]), np.array([[4.0, -3.0]]))
    assert missed(one.at(np.array([5.0, 5.0]), 0.3), (4.0, -3.0)) < 1.0
    rng = np.random.default_rng(2)
    places, headings = rng.uniform(0, 2000, (5000, 2)), rng.uniform(-3, 3, 5000)
    many = TagField(places, headings, behind(headings, 7.0))
    assert missed(many.at(np.array([900.0, 900.0]), 0.5), (-7 * math.cos(0.5), -7 * math.sin(0.5))) < 0.5
