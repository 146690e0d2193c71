"""Heights, headings and tilts solved from overlaps and tags, against flights whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.geodesy import north_east_m
from runtime.rotations import rotation
from runtime.sources.photo import read_photo
from runtime.survey.anchor import SOURCE, Tagged
from runtime.survey.overlaps import Overlap, candidate_pairs, features_of
from runtime.survey.solver import Solution, solve
from runtime.values import Attitude, Measured
from tests.runtime.record.fakes import ground_texture
from tests.runtime.survey.flights import (
    CAMERA,
    ORIGIN,
    Truth,
    exact_overlaps,
    lawnmower,
    overlap_of,
    photograph,
    tagged,
)

CALITERRA = Path(__file__).parents[4] / "shared/data/flights/caliterra"


def errors(solution: Solution, flown: Sequence[Truth]) -> dict[str, np.ndarray]:
    """Place in metres, height as a share, heading and tilt in degrees, per photo."""
    rows = []
    for solved, truth in zip(solution.photos, flown, strict=True):
        assert solved is not None and solved.pose.ned_from_body is not None
        assert solved.pose.height_agl_m is not None and solved.pose.heading is not None
        north, east = north_east_m(ORIGIN, solved.position.point)
        real = rotation(truth.pose.ned_from_body)  # type: ignore[arg-type]
        down = rotation(solved.pose.ned_from_body).apply([0, 0, 1]) @ real.apply([0, 0, 1])
        rows.append(
            (
                math.hypot(north - truth.north_m, east - truth.east_m),
                abs(solved.pose.height_agl_m.value / truth.height_m - 1),
                abs(math.degrees(math.remainder(solved.pose.heading.value - truth.heading, math.tau))),
                math.degrees(math.acos(min(1.0, float(down)))),
            )
        )
    return dict(zip(("place_m", "height", "heading_deg", "tilt_deg"), np.array(rows).T, strict=True))


def test_a_flight_whose_tags_are_good_is_solved_to_the_decimetre() -> None:
    flown = lawnmower(3, 7)
    solution = solve(tagged(flown, noise_m=0.01), [CAMERA] * len(flown), exact_overlaps(flown))
    found = errors(solution, flown)
    assert found["place_m"].max() < 0.5
    assert found["height"].max() < 0.01
    assert found["heading_deg"].max() < 0.5
    assert found["tilt_deg"].max() < 0.5
    assert solution.reasons == ("",) * len(flown)
    assert solution.misfit_m == pytest.approx(0.07, abs=0.03)  # 0.3 px in either photo, of 0.14 m each


def test_noisy_tags_average_out_over_the_flight() -> None:
    flown = lawnmower(4, 8)
    solution = solve(tagged(flown, noise_m=3.0), [CAMERA] * len(flown), exact_overlaps(flown))
    found = errors(solution, flown)
    assert np.median(found["place_m"]) < 2.5 and found["place_m"].max() < 5.0
    assert np.median(found["height"]) < 0.04
    assert np.median(found["heading_deg"]) < 2.0
    assert 1.0 < float(np.median(solution.residuals_m)) < 5.0  # what the tags are off, 3 m per axis


def test_trailing_tags_are_told_from_the_camera() -> None:
    flown = lawnmower(4, 8)  # 12 m in 3 s: a lag of 2 s is 8 m
    told = tagged(flown, noise_m=0.5, lag_s=2.0)
    solution = solve(told, [CAMERA] * len(flown), exact_overlaps(flown))
    assert solution.lever_m[0] == pytest.approx(-8.0, abs=2.0)
    assert solution.lag_s == pytest.approx(2.0, abs=0.5)
    assert np.median(errors(solution, flown)["height"]) < 0.04
    on_the_line = solution.photos[2:7]  # before the turn
    assert all(solved is not None and solved.tag_residual_m < 3.0 for solved in on_the_line)


def test_a_drifting_receiver_does_not_turn_the_flight() -> None:
    flown = lawnmower(5, 8)
    told = tagged(flown, noise_m=0.5, drift_m_s=0.25)
    solution = solve(told, [CAMERA] * len(flown), exact_overlaps(flown))
    assert solution.drift_m_s[0] == pytest.approx(0.25, abs=0.06)
    assert np.median(errors(solution, flown)["heading_deg"]) < 2.0


def test_a_wild_tag_and_a_false_overlap_do_no_harm() -> None:
    flown = lawnmower(3, 7)
    told = tagged(flown, noise_m=0.5)
    wild = replace(flown[9], north_m=flown[9].north_m + 60.0)
    told[9] = replace(told[9], tag=wild.position)
    overlaps = exact_overlaps(flown)
    rng = np.random.default_rng(9)
    false = Overlap(0, 20, rng.uniform(0, 360, (8, 2)), rng.uniform(0, 360, (8, 2)), 25)
    solution = solve(told, [CAMERA] * len(flown), [*overlaps, false])
    found = errors(solution, flown)
    assert found["place_m"].max() < 3.0 and found["height"].max() < 0.05
    assert solution.pairs == len(overlaps)


def test_what_is_known_is_kept() -> None:
    flown = lawnmower(3, 7)
    told = [
        replace(
            one,
            pose=replace(
                one.pose,
                height_agl_m=Measured(truth.height_m, 0.2, "flag"),
                attitude=Attitude.level(Measured(truth.heading, 0.01, "flag")),
            ),
        )
        for one, truth in zip(tagged(flown, noise_m=4.0), flown, strict=True)
    ]
    found = errors(solve(told, [CAMERA] * len(flown), exact_overlaps(flown)), flown)
    assert found["height"].max() < 0.015
    assert found["heading_deg"].max() < 1.5


def test_photos_that_cannot_be_tied_in_say_why() -> None:
    flown = lawnmower(2, 6)
    far = replace(flown[-1], t_s=100.0, north_m=900.0)
    pair = [replace(far, north_m=2000.0), replace(far, north_m=2005.0)]
    everything = [*flown, far, *pair]
    solution = solve(tagged(everything, noise_m=0.5), [CAMERA] * len(everything), exact_overlaps(everything))
    assert all(photo is not None for photo in solution.photos[:12])
    assert solution.photos[12:] == (None, None, None)
    assert solution.reasons[12] == "overlaps with no other photo"
    assert solution.reasons[13] == "overlaps with too few others (1) to solve its height and heading"


def test_two_places_in_one_folder_are_solved_each() -> None:
    here = lawnmower(2, 6)
    there = [replace(truth, north_m=truth.north_m + 3000.0, t_s=truth.t_s + 600.0) for truth in lawnmower(2, 6, seed=8)]
    flown = [*here, *there]
    found = errors(solve(tagged(flown, noise_m=0.3), [CAMERA] * len(flown), exact_overlaps(flown)), flown)
    assert found["place_m"].max() < 1.5 and found["height"].max() < 0.03 and found["heading_deg"].max() < 1.5


def test_photos_of_one_spot_say_nothing_of_scale() -> None:
    flown = [replace(truth, north_m=float(k % 3), east_m=0.0, t_s=float(k)) for k, truth in enumerate(lawnmower(1, 6))]
    solution = solve(tagged(flown, noise_m=0.5), [CAMERA] * len(flown), exact_overlaps(flown))
    assert solution.photos == (None,) * 6
    assert "too little to solve" in solution.reasons[0]


def test_no_overlaps_at_all() -> None:
    told = tagged(lawnmower(1, 3), noise_m=1.0)
    solution = solve(told, [CAMERA] * 3, [])
    assert solution.photos == (None, None, None)
    assert solution.summary() == "nothing could be solved from overlaps"


def test_from_pixels_to_poses_on_a_painted_flight() -> None:
    flown = lawnmower(2, 6)
    ground = ground_texture(1800)
    features = [features_of(photograph(ground, 0.1, truth, CAMERA)) for truth in flown]
    told = tagged(flown, noise_m=1.0)
    places = np.array([north_east_m(ORIGIN, one.tag.point) for one in told])
    overlaps = [
        overlap for i, j in candidate_pairs(places) if (overlap := overlap_of(i, j, features)) is not None
    ]
    assert len(overlaps) >= 20
    solution = solve(told, [CAMERA] * len(flown), overlaps)
    found = errors(solution, flown)
    assert found["height"].max() < 0.04 and found["heading_deg"].max() < 2.5 and found["place_m"].max() < 2.5
    first = solution.photos[0]
    assert first is not None and first.pose.height_agl_m is not None and first.pose.height_agl_m.source == SOURCE


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(not CALITERRA.is_dir(), reason="the real flight is not here")
def test_a_real_flight_of_a_camera_without_attitude() -> None:
    paths = sorted(CALITERRA.glob("*.jpg"))[24:48]  # three lines over the building site
    photos = [read_photo(path) for path in paths]
    told = [Tagged(photo.pose, photo.tag) for photo in photos if photo.tag is not None]
    features = [features_of(photo.frame.image) for photo in photos]
    places = np.array([north_east_m(told[0].tag.point, one.tag.point) for one in told])
    overlaps = [found for i, j in candidate_pairs(places) if (found := overlap_of(i, j, features)) is not None]
    solution = solve(told, [photo.camera for photo in photos], overlaps)
    assert all(photo is not None for photo in solution.photos)
    # The climb had ended: the ground is seen at one scale to a few per cent, whatever the receiver's altitude says.
    low, middle, high = np.percentile(solution.heights_m, [0, 50, 100])
    assert 40.0 < middle < 62.0 and high / low < 1.15
    assert solution.lever_m[0] < -4.0  # the tags trail
    assert np.median(solution.residuals_m) < 9.0
