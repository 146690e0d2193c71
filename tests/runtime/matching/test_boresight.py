"""What the poses of a flight's oblique views err by, from views of one ground from different sides."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.geodesy import distance_m, north_east_m, offset
from runtime.history.history import History, StoredEmbedding
from runtime.matching.boresight import Boresights, Overlap, Sight, boresight_of, candidates_of, sight_of
from runtime.place.locator import Locator
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Keyframe, Measured, Pose, Position, PositionSource, ViewKind
from runtime.view import GroundPlane
from tests.runtime.place.fakes import ORIGIN, RUNGS_M, SIZE_PX, Colours, Land, new_history

HEIGHT_M, AWAY_M = 100.0, 100.0
ERRORS = np.array([math.radians(0.9), 0.03, math.radians(3.0), math.radians(-0.4)])  # pitch, scale, heading, roll
SIGMA = np.array([math.radians(1.5), 0.03, math.radians(3.0), math.radians(1.5)])


def sight(number: int, centre_m: tuple[float, float], heading_deg: float, away_m: float = AWAY_M) -> Sight:
    """A view of a place, from a camera that is where it is said to be."""
    ahead = np.array([math.cos(math.radians(heading_deg)), math.sin(math.radians(heading_deg))])
    centre = np.array(centre_m)
    return Sight(number, centre - away_m * ahead, centre, HEIGHT_M, 90.0, 0.3, SIGMA)


def overlap(first: Sight, second: Sight, at_m: tuple[float, float], off_m: NDArray[np.float64]) -> Overlap:
    """Of one place, where views whose poses err have it; the second has it ``off_m`` away besides."""
    place = np.array(at_m)
    return Overlap(first, second, place + first.slopes(place) @ ERRORS, place + second.slopes(place) @ ERRORS + off_m)


def there_and_back(noise_m: float = 0.0) -> list[Overlap]:
    """Of views along two lines flown north and south, and one across."""
    rng, found = np.random.default_rng(3), []
    for k in range(6):
        first = sight(2 * k, (20.0 * k, 0.0), 0.0)
        second = sight(2 * k + 1, (20.0 * k + 8.0, 30.0), 180.0 if k % 3 else 90.0)
        found.append(overlap(first, second, (20.0 * k + 10.0 * (k % 2), 15.0), rng.normal(0, noise_m, 2)))
    return found


def test_slopes_are_what_an_erring_pose_moves_the_ground_by() -> None:
    """Against the ground plane of `runtime.view`, turned and raised by a little."""
    camera = CameraModel.from_hfov(640, 480, 70.0, pitch_deg=-45.0)
    heading, pixels = math.radians(70.0), np.array([[320.0, 240.0], [180.0, 300.0], [500.0, 330.0]])

    def ground_m(pitch: float = 0.0, scale: float = 0.0, turn: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
        attitude = Attitude(ned_from_euler(roll, pitch, heading + turn), 0.05, "test", True)
        pose = Pose(0, height_agl_m=Measured(HEIGHT_M * (1 + scale), 1.0, "test"), attitude=attitude)
        plane = GroundPlane.of(camera, pose)
        assert plane is not None
        return plane.ground_of(pixels)

    true_m, little = ground_m(), 1e-5
    seen = replace(sight(1, (0.0, 0.0), 70.0), camera_m=np.zeros(2), centre_m=true_m[0])
    for column, turned in enumerate(({"pitch": little}, {"scale": little}, {"turn": little}, {"roll": -little})):
        moved = (ground_m(**turned) - true_m) / little
        for place, by in zip(true_m, moved, strict=True):
            assert seen.slopes(place)[:, column] == pytest.approx(by, abs=0.2), turned


def test_views_from_different_sides_tell_what_their_poses_err_by() -> None:
    found = boresight_of(there_and_back())
    assert found is not None
    for heading_deg in (0.0, 90.0, 180.0, 300.0):
        one = sight(9, (10.0, 10.0), heading_deg)
        off_m = one.slopes(one.centre_m) @ ERRORS
        assert np.linalg.norm(off_m) > 6.0
        assert found.shift_m(one) == pytest.approx(off_m, abs=0.8)  # the priors draw by a tenth
        assert found.sigma_m(one) < 2.0


def test_one_overlap_that_is_wrong_does_not_bend_the_rest() -> None:
    wrong = overlap(sight(90, (0.0, 0.0), 0.0), sight(91, (0.0, 0.0), 180.0), (0.0, 0.0), np.array([40.0, -25.0]))
    found, one = boresight_of([*there_and_back(0.5), wrong]), sight(9, (10.0, 10.0), 180.0)
    assert found is not None
    assert np.linalg.norm(found.shift_m(one) - one.slopes(one.centre_m) @ ERRORS) < 2.0


def test_a_few_overlaps_say_nothing() -> None:
    assert boresight_of(there_and_back()[:3]) is None


def test_what_no_common_error_explains_is_left_alone() -> None:
    """As over hills laid flat, or where places were solved badly: of a real flight overlaps lay 20 and 50 m apart."""
    assert boresight_of(there_and_back(3.0)) is not None
    assert boresight_of(there_and_back(15.0)) is None


def test_views_from_one_side_are_not_compared() -> None:
    one_side = [sight(k, (12.0 * k, 0.0), 0.0) for k in range(8)]
    assert candidates_of(one_side) == []
    both = [*one_side, *(sight(20 + k, (12.0 * k, 0.0), 170.0) for k in range(8))]
    pairs = candidates_of(both)
    assert len(pairs) >= 8 and all(min(pair) < 8 <= max(pair) for pair in pairs)
    assert max(sum(k in pair for pair in pairs) for k in range(16)) <= 3


TOWER, LAND = Colours(), Land(300)


def record(history: History, headings_deg: tuple[float, ...], errors: NDArray[np.float64] = ERRORS) -> None:
    """A grid of places, each seen from several sides by a flight whose poses err."""
    for north in np.arange(-48.0, 49.0, 24.0):
        for east in np.arange(-48.0, 49.0, 24.0):
            heading = headings_deg[int(north // 24 + east // 24) % len(headings_deg)]
            seen = sight(0, (north, east), heading)
            said = seen.centre_m + seen.slopes(seen.centre_m) @ errors
            crops = [LAND.cut(north, east, rung, rung / SIZE_PX) for rung in RUNGS_M]
            made = TOWER.embed(ViewKind.DRONE, np.stack(crops))
            assert made.maps is not None
            stored = [
                StoredEmbedding(r, 0.0, v, m) for r, v, m in zip(RUNGS_M, made.vectors, made.maps, strict=True)
            ]
            attitude = Attitude(ned_from_euler(0.0, 0.0, math.radians(heading)), math.radians(3.0), "test", True)
            pose = Pose(0, height_agl_m=Measured(HEIGHT_M, 3.0, "test"), attitude=attitude)
            at = Position.circular(offset(ORIGIN, *seen.camera_m), 0.3, PositionSource.AUTOPILOT)
            crop = LAND.cut(north, east, RUNGS_M[-1], 0.4)
            keyframe = Keyframe(
                0, "survey", ViewKind.DRONE, "", pose, at, offset(ORIGIN, *said), 7.0, RUNGS_M[-1], crop
            )
            history.add(keyframe, stored)


@pytest.fixture
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with new_history(tmp_path_factory.mktemp("boresight") / "a.homing") as made:
        yield made


def test_a_target_is_where_it_is_although_the_poses_of_those_who_saw_it_err(history: History) -> None:
    record(history, (0.0, 180.0))
    answer = Locator(history, TOWER).locate(LAND.target(5.0, -9.0))
    assert answer.place is not None and answer.sigma_m is not None, answer.reason
    assert distance_m(answer.place, offset(ORIGIN, 5.0, -9.0)) < 3.0
    assert answer.sigma_m < 3.0


def test_seen_from_one_side_it_lies_off_and_says_so(history: History) -> None:
    record(history, (0.0,))
    answer = Locator(history, TOWER).locate(LAND.target(5.0, -9.0))
    assert answer.place is not None and answer.sigma_m is not None, answer.reason
    assert 4.0 < distance_m(answer.place, offset(ORIGIN, 5.0, -9.0)) < 2 * answer.sigma_m
    assert answer.sigma_m > 6.0


def test_what_comes_later_is_taken_account_of(history: History) -> None:
    record(history, (0.0,))
    boresights = Boresights(history)
    boresights.refresh(history.last_id())
    before = history.last_id()
    assert not boresights.shifts_m(np.array([1, before])).any() and math.isinf(boresights.sigma_m(1))
    assert boresights.of_flight("survey") is None
    record(history, (180.0,))
    boresights.refresh(history.last_id())
    first = history.keyframe(1, crop=False)
    north, east = north_east_m(ORIGIN, first.ground)
    assert boresights.shift_m(1) == pytest.approx([north + 48.0, east + 48.0], abs=2.5)
    assert boresights.sigma_m(1) < 3.0
    found, seen = boresights.of_flight("survey"), sight_of(first, ORIGIN)
    assert found is not None and seen is not None
    assert boresights.shift_m(1) == pytest.approx(found.shift_m(seen), abs=0.1)
    assert boresights.of_flight("another") is None


def test_a_view_straight_down_is_left_as_it_is(history: History) -> None:
    record(history, (0.0,))
    one = history.keyframe(1, crop=False)
    assert one.position is not None and sight_of(one, ORIGIN) is not None
    below = replace(one, position=replace(one.position, point=one.ground))
    assert sight_of(below, ORIGIN) is None
    assert sight_of(replace(one, position=None), ORIGIN) is None
