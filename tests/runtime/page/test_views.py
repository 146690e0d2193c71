"""What was recognised lies on the keyframe's own ground, north-up; and what is not seen is grey."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from runtime.camera_model import CameraModel
from runtime.geodesy import offset
from runtime.page.views import LIVE_SIDE_PX, Views
from runtime.rotations import ned_from_euler
from runtime.values import (
    Attitude,
    Fix,
    Frame,
    GeoPoint,
    Hypothesis,
    Keyframe,
    Measured,
    Pose,
    Sighting,
    ViewKind,
    circular,
)

HERE = GeoPoint(60.0, 22.0)
CAMERA = CameraModel.from_hfov(640, 480, 90.0)
HEIGHT_M = 100.0  # so a pixel is 0.3125 m


class History:
    """One keyframe of 100 m, ``north_m`` and ``east_m`` from the aircraft."""

    def __init__(self, north_m: float, east_m: float) -> None:
        self.asked = 0
        ground = offset(HERE, north_m, east_m)
        crop = np.zeros((256, 256, 3), np.uint8)
        self.only = Keyframe(7, "f", ViewKind.DRONE, "k", Pose(0), None, ground, 1.0, 100.0, crop)

    def keyframe(self, keyframe_id: int, *, crop: bool = True) -> Keyframe:
        self.asked += 1
        return self.only


def sighting(image: np.ndarray, heading_deg: float = 0.0, height_m: float | None = HEIGHT_M) -> Sighting:
    level = Attitude(ned_from_euler(0.0, 0.0, np.deg2rad(heading_deg)), 0.01, "test")
    agl = None if height_m is None else Measured(height_m, 1.0, "test")
    pose = Pose(0, height_agl_m=agl, attitude=level)
    at = Hypothesis(HERE, HERE, circular(1.0), (7,), 30, 20.0, 0.9)
    return Sighting(Frame(image, 5, "test", 1), pose, Fix.at(5, at, ""))


def shown(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def marked(row: int, column: int) -> np.ndarray:
    """A dark frame with a bright red patch about a pixel."""
    image = np.full((480, 640, 3), 40, np.uint8)
    image[row - 12 : row + 12, column - 12 : column + 12] = (250, 20, 20)
    return image


def place_of_mark(picture: np.ndarray) -> tuple[float, float]:
    """(north, east) in metres from the middle of a north-up crop of 100 m."""
    rows, columns = np.nonzero(picture[:, :, 0] - picture[:, :, 1] > 120)
    metre = picture.shape[0] / 100.0
    return (picture.shape[0] / 2 - rows.mean()) / metre, (columns.mean() - picture.shape[1] / 2) / metre


def test_a_thing_on_the_ground_is_where_the_keyframe_has_it() -> None:
    ahead = marked(240 - 64, 320)  # 20 m ahead of the nose
    for heading_deg, north_m, east_m in ((0.0, 20.0, 0.0), (90.0, 0.0, 20.0), (180.0, -20.0, 0.0)):
        history = History(5.0, -10.0)
        picture = shown(Views(history, CAMERA).matched(sighting(ahead, heading_deg)))
        assert place_of_mark(picture) == pytest.approx((north_m - 5.0, east_m + 10.0), abs=1.0)


def test_ground_that_the_frame_does_not_show_is_grey() -> None:
    picture = shown(Views(History(0.0, 100.0), CAMERA).matched(sighting(np.full((480, 640, 3), 250, np.uint8))))
    assert np.abs(picture[160, 300] - 128).max() < 6 and picture[160, 20].min() > 240


def test_without_a_height_the_frame_is_given_as_it_is() -> None:
    history = History(0.0, 0.0)
    picture = shown(Views(history, CAMERA).matched(sighting(marked(240, 320), height_m=None)))
    assert picture.shape == (240, 320, 3) and history.asked == 0


def test_a_large_frame_is_sent_small_and_made_once() -> None:
    history = History(0.0, 0.0)
    views = Views(history, CAMERA)
    frame = Frame(np.zeros((3000, 4000, 3), np.uint8), 5, "test", 1)
    assert shown(views.live(frame)).shape == (480, LIVE_SIDE_PX, 3)
    assert views.live(frame) is views.live(frame)
    assert views.keyframe(7, 96) == views.keyframe(7, 96) and history.asked == 1
    assert shown(views.keyframe(7, 96)).shape == (96, 96, 3)
