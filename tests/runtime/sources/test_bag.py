"""Bags of ROS 1 and ROS 2, written by rosbags as a camera and MAVROS fill them, and read as film and track."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from runtime.errors import HomingError, ImageError, TelemetryError, UsageError
from runtime.geodesy import distance_m
from runtime.rotations import euler_of
from runtime.sources.bag.bag import Bag, open_bag
from runtime.sources.bag.pictures import picture_of
from runtime.sources.bag.track import ned_from_ros
from runtime.values import GeoPoint
from tests.runtime.sources.logs import LATITUDE, LONGITUDE, latitude_at, north_m, state_at

rosbag1 = pytest.importorskip("rosbags.rosbag1")
rosbag2 = pytest.importorskip("rosbags.rosbag2")
typesys = pytest.importorskip("rosbags.typesys")

START_S = 1_700_000_000
PICTURE = np.random.default_rng(3).integers(0, 255, (48, 64, 3), dtype=np.uint8)
EAST = (math.cos(0.0), 0.0, 0.0, 0.0)  # w, x, y, z of ROS: the nose points east where nothing is turned


@dataclass
class Writer:
    """Messages of a bag of either kind."""

    writer: Any
    store: Any
    ros1: bool
    topics: dict[str, Any]

    def say(self, topic: str, kind: str, t_s: float, message: Any) -> None:
        if topic not in self.topics:
            self.topics[topic] = self.writer.add_connection(topic, kind, typestore=self.store)
        pack = self.store.serialize_ros1 if self.ros1 else self.store.serialize_cdr
        # Written a second late, as a busy computer does: the stamps are what counts.
        self.writer.write(self.topics[topic], round((START_S + t_s + 1.0) * 1e9), bytes(pack(message, kind)))

    def make(self, name: str, **fields: Any) -> Any:
        return self.store.types[name](**fields)

    def header(self, t_s: float) -> Any:
        sec, nanosec = divmod(round((START_S + t_s) * 1e9), 10**9)
        seq = {"seq": 0} if self.ros1 else {}
        stamp = self.make("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
        return self.make("std_msgs/msg/Header", stamp=stamp, frame_id="base_link", **seq)


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    ros1 = path.suffix == ".bag"
    store = typesys.get_typestore(typesys.Stores.ROS1_NOETIC if ros1 else typesys.Stores.ROS2_HUMBLE)
    with rosbag1.Writer(path) if ros1 else rosbag2.Writer(path, version=8) as writer:
        yield Writer(writer, store, ros1, {})


def write_bag(path: Path, seconds: int = 4, cameras: int = 1, fix: int = 0, lens: bool = False) -> Path:
    """A flight north at 5 m/s: pictures at 5 Hz, positions at 10, attitudes and heights."""
    with writing(path) as bag:
        for k in range(seconds * 10):
            t_s = k / 10
            header = bag.header(t_s)
            for camera in range(cameras if k % 2 == 0 else 0):
                image = bag.make("sensor_msgs/msg/Image", header=header, height=48, width=64, encoding="rgb8",
                                 is_bigendian=0, step=192, data=PICTURE.reshape(-1))  # fmt: skip
                bag.say(f"/camera{camera}/image_raw", "sensor_msgs/msg/Image", t_s, image)
            status = bag.make("sensor_msgs/msg/NavSatStatus", status=fix, service=1)
            place = bag.make("sensor_msgs/msg/NavSatFix", header=header, status=status, latitude=latitude_at(t_s),
                             longitude=LONGITUDE, altitude=560.0, position_covariance_type=2,
                             position_covariance=np.diag([1.44, 1.44, 4.0]).reshape(-1))  # fmt: skip
            bag.say("/mavros/global_position/global", "sensor_msgs/msg/NavSatFix", t_s, place)
            vector, quaternion = "geometry_msgs/msg/Vector3", "geometry_msgs/msg/Quaternion"
            zero, nine = bag.make(vector, x=0.0, y=0.0, z=0.0), np.zeros(9)
            w, x, y, z = EAST
            imu = bag.make("sensor_msgs/msg/Imu", header=header, orientation=bag.make(quaternion, x=x, y=y, z=z, w=w),
                           orientation_covariance=nine, angular_velocity=zero, angular_velocity_covariance=nine,
                           linear_acceleration=zero, linear_acceleration_covariance=nine)  # fmt: skip
            bag.say("/mavros/imu/data", "sensor_msgs/msg/Imu", t_s, imu)
            height = bag.make("std_msgs/msg/Float64", data=61.5)
            bag.say("/mavros/global_position/rel_alt", "std_msgs/msg/Float64", t_s - 1.0, height)
        if lens:
            region = bag.make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0,
                              do_rectify=False)  # fmt: skip
            k, r, p = np.array([50.0, 0, 32, 0, 51.0, 24, 0, 0, 1]), np.eye(3).reshape(-1), np.zeros(12)
            names = ("K", "D", "R", "P") if bag.ros1 else ("k", "d", "r", "p")
            matrices = dict(zip(names, (k, np.array([-0.1, 0.01, 0.0, 0.0, 0.0]), r, p), strict=True))
            info = bag.make("sensor_msgs/msg/CameraInfo", header=bag.header(0.0), height=48, width=64,
                            distortion_model="plumb_bob", binning_x=0, binning_y=0, roi=region, **matrices)  # fmt: skip
            bag.say("/camera0/camera_info", "sensor_msgs/msg/CameraInfo", 0.0, info)
    return path


@pytest.mark.parametrize("name", ["flight.bag", "flight"])
def test_a_bag_is_a_film_with_its_track(tmp_path: Path, name: str) -> None:
    with open_bag(write_bag(tmp_path / name, lens=True)) as bag:
        assert bag.size_px == (64, 48) and bag.frames == 20
        track, notes = bag.track()
        times = [t_s for _, t_s in bag.times()]
        image, lens = bag.image(), bag.lens()
    assert times[:3] == pytest.approx([0.0, 0.2, 0.4], abs=1e-6) and notes == []
    assert image is not None and np.array_equal(image, PICTURE)
    assert lens is not None and (lens.fx_px, lens.cy_px, lens.distortion[0]) == (50.0, 24.0, -0.1)
    state = state_at(track, 2.0)
    assert north_m(track, 2.0) == pytest.approx(10.0, abs=0.05)
    assert state.position is not None and state.position.sigma_m == pytest.approx(1.2)
    assert state.pose.height_takeoff_m is not None and state.pose.height_takeoff_m.value == 61.5
    assert state.pose.heading is not None and state.pose.heading.value == pytest.approx(math.pi / 2)
    assert track.utc_start_s == START_S


def test_an_attitude_of_ros_is_turned_into_ours() -> None:
    half = math.radians(90.0) / 2  # ENU: the nose from east to north
    north = ned_from_ros((math.cos(half), 0.0, 0.0, math.sin(half)))
    assert euler_of(north) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    nose_down = math.radians(10.0) / 2  # about the left axis
    roll, pitch, yaw = euler_of(ned_from_ros((math.cos(nose_down), 0.0, math.sin(nose_down), 0.0)))
    assert (roll, math.degrees(pitch), math.degrees(yaw)) == pytest.approx((0.0, -10.0, 90.0), abs=1e-9)


@dataclass
class Raw:
    """sensor_msgs/Image."""

    encoding: str
    data: Any
    width: int
    height: int
    step: int
    is_bigendian: int = 0


def test_the_encodings_of_pictures() -> None:
    bgr = np.ascontiguousarray(PICTURE[..., ::-1])
    padded = np.zeros((48, 200), np.uint8)
    padded[:, :192] = bgr.reshape(48, 192)
    shown = picture_of(Raw("bgr8", padded.reshape(-1), 64, 48, 200))
    assert shown is not None and np.array_equal(shown, PICTURE), "rows may be longer than their pixels"
    grey = picture_of(Raw("mono8", PICTURE[..., 0].reshape(-1), 64, 48, 64))
    wide = (PICTURE[..., 0].astype(">u2") << 8).astype(">u2").view(np.uint8)
    from_wide = picture_of(Raw("mono16", wide.reshape(-1), 64, 48, 128, 1))
    assert grey is not None and from_wide is not None and np.array_equal(grey, from_wide)
    mosaic = np.zeros((48, 64), np.uint8)
    mosaic[0::2, 0::2] = 200  # only red has light
    red = picture_of(Raw("bayer_rggb8", mosaic.reshape(-1), 64, 48, 64))
    assert red is not None and red[10:40, 10:50].mean(axis=(0, 1))[0] > 150 > red[10:40, 10:50].mean(axis=(0, 1))[2]
    assert picture_of(Raw("bgr8", padded.reshape(-1)[:500], 64, 48, 200)) is None, "cut short"
    assert picture_of(Raw("32FC1", padded.reshape(-1), 64, 48, 256)) is None

    @dataclass
    class Compressed:
        data: Any

    jpeg = np.frombuffer(cv2.imencode(".png", bgr)[1].tobytes(), np.uint8)
    decoded = picture_of(Compressed(jpeg))
    assert decoded is not None and np.array_equal(decoded, PICTURE)
    assert picture_of(Compressed(jpeg[:0])) is None


def track_of(path: Path) -> Any:
    with open_bag(path) as bag:
        return bag.track()


def test_what_is_no_use_is_refused_in_a_sentence(tmp_path: Path) -> None:
    two = write_bag(tmp_path / "two.bag", seconds=1, cameras=2)
    with pytest.raises(UsageError, match=r"/camera0/image_raw \(5 pictures\).*--image-topic chooses"), open_bag(two):
        pass
    with pytest.raises(UsageError, match="no pictures of /other"), open_bag(two, "/other"):
        pass
    with open_bag(two, "/camera1/image_raw") as bag:
        assert isinstance(bag, Bag) and bag.frames == 5
    with pytest.raises(TelemetryError, match="holds no positions with a fix"):
        track_of(write_bag(tmp_path / "lost", seconds=1, fix=-1))
    with pytest.raises(ImageError, match="holds no pictures"), open_bag(write_bag(tmp_path / "blind", 1, cameras=0)):
        pass
    text = tmp_path / "text.bag"
    text.write_text("no bag")
    for path, kind, said in (
        (text, ImageError, "cannot be read as a bag"), (tmp_path / "none.bag", ImageError, "no such file"),
        (Path(__file__), UsageError, "bags are a .bag"), (tmp_path, ImageError, "cannot be read as a bag"),
    ):  # fmt: skip
        with pytest.raises(kind, match=said), open_bag(path):
            pass


def test_a_bag_that_was_cut_off_costs_a_sentence_and_no_traceback(tmp_path: Path) -> None:
    whole = write_bag(tmp_path / "whole.bag", seconds=2).read_bytes()
    for share in (0.2, 0.6, 0.95):
        cut = tmp_path / "cut.bag"
        cut.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(HomingError, match="cut.bag: ") as refused:
            track_of(cut)
        assert "\n" not in str(refused.value)


def test_where_it_was_is_the_track_of_the_stamps(tmp_path: Path) -> None:
    track, _ = track_of(write_bag(tmp_path / "flight.bag", seconds=2))
    position = state_at(track, 0.0).position
    assert position is not None and distance_m(position.point, GeoPoint(LATITUDE, LONGITUDE)) < 0.01
