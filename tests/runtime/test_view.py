"""The ground-plane homography, against a slow pixel-by-pixel projection and against known geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.camera_model import CameraModel, body_from_mount
from runtime.geodesy import distance_m, north_east_m, offset
from runtime.rotations import ned_from_euler, rotation
from runtime.values import Attitude, Frame, GeoPoint, Measured, Pose, yaw_of
from runtime.view import GroundPlane, rectify

HOME = GeoPoint(60.4, 22.4)


def pose(roll_deg: float = 0.0, pitch_deg: float = 0.0, yaw_deg: float = 0.0, height_m: float = 100.0) -> Pose:
    turned = ned_from_euler(math.radians(roll_deg), math.radians(pitch_deg), math.radians(yaw_deg))
    return Pose(0, height_agl_m=Measured(height_m, 1.0, "test"), attitude=Attitude(turned, 0.05, "test"))


def checkered_ground(plane: GroundPlane, width: int, height: int) -> np.ndarray:
    """What the camera sees of a ground whose colour encodes (north, east): red = 128 + north, green = 128 + east."""
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    ground = plane.ground_of(np.stack([columns.ravel(), rows.ravel()], axis=1))
    colour = np.zeros((height * width, 3))
    colour[:, :2] = 128 + ground
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8).reshape(height, width, 3)


def test_north_is_up_and_east_is_right_whatever_the_heading() -> None:
    camera = CameraModel.from_hfov(640, 480, 70.0)
    for yaw_deg in (0.0, 45.0, 200.0):
        plane = GroundPlane.of(camera, pose(yaw_deg=yaw_deg))
        assert plane is not None
        frame = Frame(checkered_ground(plane, 640, 480), 0, "test", 0)
        view = rectify(frame, camera, pose(yaw_deg=yaw_deg), 60.0, 120)
        assert view.rectified and plane.coverage(*plane.ground_of_axis(), 60.0, 120) == 1.0
        north, east = view.image[..., 0].astype(int) - 128, view.image[..., 1].astype(int) - 128
        assert north[0].mean() == pytest.approx(29.75, abs=0.6) and north[-1].mean() == pytest.approx(-29.75, abs=0.6)
        assert east[:, -1].mean() == pytest.approx(29.75, abs=0.6) and east[:, 0].mean() == pytest.approx(
            -29.75, abs=0.6
        )


def test_a_tilted_distorted_camera_gives_the_same_ground() -> None:
    straight = CameraModel.from_hfov(640, 480, 70.0)
    camera = CameraModel(
        640, 480, straight.fx_px, straight.fy_px, 322.0, 238.0, (-0.12, 0.03, 0.001, -0.0005, 0.0),
        body_from_mount(-80.0),
    )  # fmt: skip
    tilted = pose(roll_deg=4.0, pitch_deg=-3.0, yaw_deg=30.0)
    plane = GroundPlane.of(camera, tilted)
    assert plane is not None
    view = rectify(Frame(checkered_ground(plane, 640, 480), 0, "test", 0), camera, tilted, 50.0, 100)
    centre_north, centre_east = plane.ground_of_axis()
    steps = (np.arange(100) + 0.5) / 100 * 50.0 - 25.0
    assert np.abs(view.image[..., 0] - (128 + centre_north - steps[:, None])).max() < 2.0
    assert np.abs(view.image[..., 1] - (128 + centre_east + steps[None, :])).max() < 2.0
    assert view.aircraft_ne_m == pytest.approx((-centre_north, -centre_east), abs=0.01)


def test_projection_agrees_with_the_pinhole_written_out() -> None:
    camera = CameraModel.from_hfov(640, 480, 70.0)
    plane = GroundPlane.of(camera, pose(roll_deg=5.0, pitch_deg=7.0, yaw_deg=-60.0))
    assert plane is not None
    ground = np.array([[12.0, -7.0], [-30.0, 18.0]])
    for (north, east), pixel in zip(ground, plane.pixels_of(ground), strict=True):
        x, y, z = plane.ned_from_camera.T @ np.array([north, east, 100.0])
        assert pixel == pytest.approx([camera.fx_px * x / z + 320, camera.fy_px * y / z + 240])
    assert plane.ground_of(plane.pixels_of(ground)) == pytest.approx(ground, abs=1e-6)


def test_without_height_the_centre_crop_says_so() -> None:
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 5, "test", 0)
    view = rectify(frame, CameraModel.from_hfov(640, 480, 70.0), Pose(5), 90.0, 64)
    assert not view.rectified and view.footprint_m is None and view.image.shape == (64, 64, 3) and view.t_ns == 5


def test_visible_footprint_fits_the_short_side() -> None:
    plane = GroundPlane.of(CameraModel.from_hfov(640, 480, 70.0), pose())
    assert plane is not None
    short_side = 2 * 100 * math.tan(math.radians(35)) * 480 / 640
    assert plane.visible_footprint_m(min_coverage=1.0) == pytest.approx(short_side, rel=0.01)


def test_attitude_conventions() -> None:
    assert yaw_of(ned_from_euler(0.1, -0.2, 1.3)) == pytest.approx(1.3)
    # Nose up: the body's forward axis points above the horizon, NED down is positive.
    assert rotation(ned_from_euler(0.0, 0.3, 0.0)).apply([1, 0, 0])[2] == pytest.approx(-math.sin(0.3))
    down = rotation(body_from_mount(-90.0)).apply([[0, 0, 1], [0, -1, 0]])
    assert down == pytest.approx(np.array([[0, 0, 1], [1, 0, 0]]), abs=1e-9)  # axis down, image top forward


def test_geodesy_round_trip() -> None:
    there = offset(HOME, 120.0, -45.0)
    assert north_east_m(HOME, there) == pytest.approx((120.0, -45.0), abs=0.01)
    assert distance_m(HOME, there) == pytest.approx(math.hypot(120, 45), abs=0.01)


def test_metres_per_pixel_are_what_neighbouring_pixels_say() -> None:
    camera = CameraModel.from_hfov(640, 480, 70.0, pitch_deg=-50.0)
    plane = GroundPlane.of(camera, pose(yaw_deg=30.0))
    assert plane is not None
    column = np.full(9, 320.0)
    rows = np.linspace(40.0, 440.0, 9)
    at, next_row = (plane.ground_of(np.stack([column, rows + step], axis=1)) for step in (-0.5, 0.5))
    middle = plane.ground_of(np.stack([column, rows], axis=1))
    apart_m = np.linalg.norm(at - next_row, axis=1)  # slow and obvious: along the line of sight
    assert plane.metres_per_pixel(middle) == pytest.approx(apart_m, rel=0.02)
    assert plane.metres_per_pixel(-middle * 40.0).tolist() == [math.inf] * 9  # behind the camera


def test_a_camera_that_looks_at_the_horizon_shows_no_footprint() -> None:
    shown = {}
    for pitch_deg in (-90.0, -60.0, -45.0, -20.0, -5.0, 10.0):
        plane = GroundPlane.of(CameraModel.from_hfov(640, 480, 70.0, pitch_deg=pitch_deg), pose())
        assert plane is not None
        shown[pitch_deg] = plane.visible_footprint_m()
    assert shown[-90.0] == pytest.approx(shown[-60.0], rel=0.35) and shown[-45.0] > 60.0
    assert shown[-20.0] < 25.0 and shown[-5.0] == shown[10.0] == 0.0


def test_a_camera_that_looks_far_ahead_is_cut_about_the_nearer_ground_that_it_sees_sharply() -> None:
    ahead = Pose(0, height_agl_m=Measured(60.0, 1.0, "test"), attitude=Attitude.level(Measured(0.5, 0.01, "test")))
    for pitch_deg, off_deg in ((-90.0, 0.0), (-45.0, 45.0), (-37.0, 47.0), (-30.0, 47.0)):
        plane = GroundPlane.of(CameraModel.from_hfov(640, 480, 70.0, pitch_deg), ahead)
        assert plane is not None
        north, east = plane.crop_centre()
        assert math.hypot(north, east) == pytest.approx(60.0 * math.tan(math.radians(off_deg)), rel=1e-3, abs=1e-3)
        if off_deg:
            assert math.atan2(east, north) == pytest.approx(0.5, abs=1e-6)
        assert plane.visible_footprint_m() > 40.0  # about its centre the last one shows nothing sharply
    narrow = GroundPlane.of(CameraModel.from_hfov(640, 480, 20.0, -25.0), ahead)
    assert narrow is not None and narrow.coverage(*narrow.crop_centre(), 20.0, 64) > 0.9  # not outside its picture
