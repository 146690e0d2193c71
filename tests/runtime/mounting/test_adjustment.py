"""A mount and a delay that are known are found again to within their sigmas; what a flight does not show is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from runtime.camera_model import body_from_mount, mount_of
from runtime.errors import CalibrationError
from runtime.mounting.adjustment import Adjusted, Adjustment, _regular, turned_by
from runtime.mounting.judged import enough_pairs, shown
from runtime.rotations import rotation
from tests.runtime.mounting.flown import Flown, brisk, off_by, straight

ALL, NOTHING = np.ones(6, bool), frozenset[str]()
DOWN = body_from_mount(-90.0)


def solved(flown: Flown, mount: tuple[float, float, float, float] = DOWN, pairs: int = 24) -> Adjusted:
    return Adjustment(flown.pairs(pairs), flown.state, mount, 0.0, ALL).solve()


@pytest.mark.parametrize("pitch_deg, down_deg", [(-90.0, 3.0), (-45.0, 178.0)], ids=["down", "ahead, and reversed"])
def test_a_known_mount_and_delay_are_found(pitch_deg: float, down_deg: float) -> None:
    begun = body_from_mount(pitch_deg)
    true = off_by(begun, 2.0, -1.5, down_deg)
    told = solved(Flown(brisk, true, 0.12), begun)
    off_deg = np.degrees((told.body_from_camera * true.inv()).as_rotvec())
    assert math.hypot(*off_deg[:2]) < 3.0 * math.degrees(told.tilt_sigma_rad) and abs(off_deg[2]) < 1.0
    assert told.delay_s == pytest.approx(0.12, abs=3.0 * told.delay_sigma_s) and told.delay_sigma_s < 0.02
    assert np.argmin(told.costs) == np.argmin(np.abs(told.delays_s - 0.12))
    shown(told, NOTHING)
    assert math.degrees(turned_by(told, begun)[1]) == pytest.approx(down_deg, abs=1.5)


def test_a_flight_on_rails_shows_neither_tilt_nor_delay() -> None:
    told = solved(Flown(straight, off_by(DOWN, 2.0, 0.0, 0.0), 0.12))
    with pytest.raises(CalibrationError) as refused:
        shown(told, NOTHING)
    said = str(refused.value)
    assert "how the camera is tilted (to" in said and "how late its frames are stamped" in said
    assert "its nose turned by 0 deg in all" in said and "--keep" in said and said.count(". ") == 0
    shown(replace(told, tilt_sigma_rad=0.0), frozenset({"delay", "turn"}))


def test_what_is_kept_does_not_move() -> None:
    flown = Flown(brisk, off_by(DOWN, 2.0, -1.5, 0.0), 0.05)
    free = np.array([True, True, True, False, True, True])
    told = Adjustment(flown.pairs(16), flown.state, DOWN, 0.05, free).solve()
    assert told.delay_s == 0.05 and told.delay_sigma_s == 0.0
    assert math.degrees(turned_by(told, DOWN)[0]) == pytest.approx(2.5, abs=0.6)


def test_what_contradicts_its_log_or_is_too_little_is_refused() -> None:
    told = solved(Flown(brisk, off_by(DOWN, 0.0, 0.0, 0.0), 0.0), pairs=16)
    with pytest.raises(CalibrationError, match="a gimbal holds the camera"):
        shown(replace(told, left_over_rad=np.full((16, 3), 0.05)), NOTHING)
    with pytest.raises(CalibrationError, match="7 pairs of the 30 pictures"):
        enough_pairs(7, 30)


def test_angles_of_a_mount_make_it_again() -> None:
    for angles in ((-90.0, 0.0, 12.0), (-45.0, 3.0, -170.0), (0.0, 0.0, 0.0), (-89.0, 2.0, 1.0)):
        mount = body_from_mount(angles[0], angles[1], angles[2])
        pitch, roll, yaw = mount_of(mount)
        again = body_from_mount(pitch, roll, yaw)
        assert (rotation(again) * rotation(mount).inv()).magnitude() < 1e-7
    assert mount_of(body_from_mount(-45.0, 3.0, -170.0)) == pytest.approx((-45.0, 3.0, -170.0))


def test_a_start_that_is_so_far_off_that_its_numbers_outgrow_a_prior_is_no_error() -> None:
    """A picture turned by 180 degrees from where it lies: slopes of 1e10, all along one direction."""
    slopes = np.linspace(1.0, 2.0, 8) * 1e10
    normal = (slopes[:, None] * slopes[None, :])[None]
    assert np.linalg.matrix_rank(normal[0] + 1e-9 * np.eye(8)) < 8
    assert np.isfinite(np.linalg.solve(_regular(normal), np.ones((1, 8, 1)))).all()
