"""A bag of ROS 1 (.bag) or ROS 2 (a folder, an .mcap or a .db3) as a film with its track, read by rosbags.

Times are the messages' own stamps, which a driver gives at the exposure; without one, when the bag had the message.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.camera_model import CameraModel
from runtime.counted import counted
from runtime.errors import HomingError, ImageError, TelemetryError, UsageError
from runtime.reports import values
from runtime.sources.bag.pictures import picture_of
from runtime.sources.bag.track import place_of, turn_of, with_heights
from runtime.sources.track import PlaceSample, Track, TurnSample
from runtime.values import ImageRGB, PositionSource

_PICTURES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_PLACE, _LENS, _RANGE = "sensor_msgs/msg/NavSatFix", "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/Range"
_IMU, _ODOMETRY, _POSE = "sensor_msgs/msg/Imu", "nav_msgs/msg/Odometry", "geometry_msgs/msg/PoseStamped"
_HEIGHT, _HEIGHT_NAME = "std_msgs/msg/Float64", "rel_alt"  # MAVROS' height above take-off, which has no stamp
_TELLING = (_PLACE, _IMU, _ODOMETRY, _POSE, _RANGE, _HEIGHT)
_SUFFIXES = (".bag", ".mcap", ".db3")
_PLUMB_BOB = 5  # coefficients of OpenCV's model: k1, k2, p1, p2, k3


class Bag:
    """An open bag; its frames go forwards only. Make one with `open_bag`."""

    def __init__(self, path: Path, reader: Any, topic: str | None) -> None:
        self.path = path
        self._reader = reader
        self._pictures = _chosen(path, reader, topic)
        self._start_ns = self._first_ns()
        self._last: Any = None
        self._size: tuple[int, int] | None = None

    @property
    def frames(self) -> int:
        """How many pictures it holds of the topic that is read."""
        return sum(int(one.msgcount) for one in self._pictures)

    @property
    def length_s(self) -> float:
        """From its first message to its last."""
        return float(self._reader.duration) * 1e-9

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of its first picture that can be decoded.

        Raises:
            ImageError: none can.
        """
        if self._size is None:
            for _ in self.times():
                image = self.image()
                if image is not None:
                    self._size = image.shape[1], image.shape[0]
                    break
            else:
                raise ImageError(f"{self.path}: none of its pictures can be decoded.")
        return self._size

    def times(self) -> Iterator[tuple[int, float]]:
        """Number and time in seconds of one picture after the other; `image` gives the pixels of the last."""
        for index, (message, t_s) in enumerate(self._messages(self._pictures)):
            self._last = message
            yield index, t_s

    def image(self) -> ImageRGB | None:
        """Pixels of the picture last stepped to; None where it cannot be decoded."""
        return None if self._last is None else picture_of(self._last)

    def track(self) -> tuple[Track, list[str]]:
        """Where it was over its time, by its NavSatFix of the most positions; its attitude by Imu, else Odometry or
        PoseStamped; and sentences on what is read and what is not.

        Raises:
            TelemetryError: it holds no position.
        """
        said = self._said()
        places = {topic: kept for topic, kept in said.places.items() if kept}
        if not places:
            lost = " with a fix" if said.places else ""
            raise TelemetryError(f"{self.path}: holds no positions{lost} (sensor_msgs/NavSatFix); give --telemetry.")
        topic = max(places, key=lambda one: len(places[one]))
        turned = next((kept for kind in (_IMU, _ODOMETRY, _POSE) if (kept := said.turns[kind])), [])
        notes = []
        if len(places) > 1:
            others = ", ".join(sorted(places.keys() - {topic}))
            notes.append(f"{self.path}: positions are those of {topic}, which has the most; not of {others}.")
        if not turned:
            notes.append(f"{self.path}: says no attitude (Imu, Odometry or PoseStamped).")
        heights = said.above_takeoff or said.above_origin
        placed = with_heights(places[topic], heights, said.above_ground)
        utc_s = values.utc_s(self._start_ns * 1e-9)
        return Track(placed, turned, self.path.name, "bag", PositionSource.GPS, utc_start_s=utc_s), notes

    def lens(self) -> CameraModel | None:
        """The camera as its CameraInfo has it calibrated, looking straight down; None where there is none, or one that
        OpenCV's five coefficients do not describe."""
        folders = {one.topic.rpartition("/")[0].removesuffix("/image_raw") for one in self._pictures}
        infos = [one for one in self._reader.connections if one.msgtype == _LENS]
        beside = [one for one in infos if one.topic.rpartition("/")[0] in folders] or (infos if len(infos) == 1 else [])
        for message, _ in self._messages(beside):
            k, d = (message.k, message.d) if hasattr(message, "k") else (message.K, message.D)  # ROS 2, ROS 1
            if not (k[0] > 0 and k[4] > 0 and message.width and message.height and len(d) <= _PLUMB_BOB):
                return None
            distortion = (*(float(one) for one in d), *(0.0,) * (_PLUMB_BOB - len(d)))
            return CameraModel(int(message.width), int(message.height), float(k[0]), float(k[4]), float(k[2]),
                               float(k[5]), distortion)  # fmt: skip
        return None

    def _said(self) -> _Said:
        said, found = _Said({}, {kind: [] for kind in (_IMU, _ODOMETRY, _POSE)}, [], [], []), self._reader.connections
        wanted = [one for one in found if one.msgtype in _TELLING]
        wanted = [one for one in wanted if one.msgtype != _HEIGHT or one.topic.endswith(_HEIGHT_NAME)]
        for connection in wanted:
            for message, t_s in self._messages([connection]):
                said.take(connection.topic, connection.msgtype, message, t_s)
        for heights in (said.above_takeoff, said.above_origin, said.above_ground):
            heights.sort()
        return said

    def _messages(self, connections: Sequence[Any]) -> Iterator[tuple[Any, float]]:
        """(message, seconds) of some topics, as far as the bag can be read."""
        if not connections:
            return
        try:
            for connection, t_ns, raw in self._reader.messages(connections=connections):
                message = self._reader.deserialize(raw, connection.msgtype)
                yield message, ((_stamp_ns(message) or t_ns) - self._start_ns) * 1e-9
        except Exception as error:  # whatever a damaged chunk or definition makes rosbags raise
            if isinstance(error, HomingError):
                raise
            raise TelemetryError(f"{self.path}: is damaged ({type(error).__name__}: {error}).") from None

    def _first_ns(self) -> int:
        """Of the first picture, by its own stamp."""
        self._start_ns = 0
        for message, _ in self._messages(self._pictures):
            return _stamp_ns(message) or int(self._reader.start_time)
        raise ImageError(f"{self.path}: holds no pictures.")


@dataclass(frozen=True, slots=True)
class _Said:
    """``places`` by topic, ``turns`` by the kind of message; heights above the take-off, above the origin of the local
    frame, and above ground."""

    places: dict[str, list[PlaceSample]]
    turns: dict[str, list[TurnSample]]
    above_takeoff: list[tuple[float, float]]
    above_origin: list[tuple[float, float]]
    above_ground: list[tuple[float, float]]

    def take(self, topic: str, kind: str, message: Any, t_s: float) -> None:
        """One message."""
        if kind == _PLACE:
            place = place_of(t_s, message)
            self.places.setdefault(topic, []).extend([] if place is None else [place])
        elif kind == _HEIGHT:
            self._height(self.above_takeoff, t_s, message.data)
        elif kind == _RANGE:
            if message.min_range <= message.range <= message.max_range:
                self._height(self.above_ground, t_s, message.range)
        else:
            pose = message.pose.pose if kind == _ODOMETRY else message if kind == _IMU else message.pose
            turn = turn_of(t_s, pose.orientation)
            self.turns[kind].extend([] if turn is None else [turn])
            if kind == _ODOMETRY:
                self._height(self.above_origin, t_s, pose.position.z)

    @staticmethod
    def _height(heights: list[tuple[float, float]], t_s: float, height: float) -> None:
        height_m = values.height_m(float(height)) if math.isfinite(height) else None
        if height_m is not None:
            heights.append((t_s, height_m))


@contextmanager
def open_bag(path: Path, topic: str | None = None) -> Iterator[Bag]:
    """Open a bag; ``topic``: whose pictures are read, where it holds those of several cameras.

    Raises:
        ImageError: it is missing, no bag, damaged, or holds no pictures.
        UsageError: there is no such topic, or several and none was chosen.
        HomingError: rosbags is not installed.
    """
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError:
        raise HomingError("Reading a bag needs rosbags; install it with `pip install homing[ros]`.") from None
    if not path.exists():
        raise ImageError(f"{path}: no such file.")
    if path.is_file() and path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path}: bags are a .bag, an .mcap, a .db3, or the folder of a ROS 2 bag.")
    try:
        reader = AnyReader([path], default_typestore=get_typestore(Stores.LATEST))
        reader.open()
    except Exception as error:  # whatever a damaged index or a foreign file makes it raise
        raise ImageError(f"{path}: cannot be read as a bag ({_first_line(error)}).") from None
    try:
        yield Bag(path, reader, topic)
    finally:
        reader.close()


def _chosen(path: Path, reader: Any, topic: str | None) -> list[Any]:
    pictures = [one for one in reader.connections if one.msgtype in _PICTURES and one.msgcount]
    counts: Counter[str] = Counter()
    for one in pictures:
        counts[one.topic] += one.msgcount
    if not counts:
        raise ImageError(f"{path}: holds no pictures (sensor_msgs/Image or CompressedImage).")
    names = ", ".join(f"{name} ({counted(count, 'picture')})" for name, count in sorted(counts.items()))
    if topic is not None and topic not in counts:
        raise UsageError(f"{path}: holds no pictures of {topic}, but of {names}.")
    if topic is None and len(counts) > 1:
        raise UsageError(f"{path}: holds pictures of {names}; --image-topic chooses.")
    return [one for one in pictures if one.topic == (topic or next(iter(counts)))]


def _stamp_ns(message: Any) -> int:
    """A message's own stamp; 0 without one. ROS 1 calls its parts otherwise."""
    stamp = getattr(getattr(message, "header", None), "stamp", None)
    if stamp is None:
        return 0
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
