"""Rendered flights over a small town with known motion, and what can go wrong with their pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import count

import cv2
import numpy as np

from runtime.camera_model import CameraModel
from runtime.odometry.odometer import Odometer
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Displacement, Frame, ImageRGB, Measured, Odometry, OdometryFault, Pose
from sim.camera import SimulatedCamera, default_camera
from sim.render import Renderer
from sim.world.world import World

# From seconds to north, east, height, roll, pitch, yaw.
Way = Callable[[float], tuple[float, float, float, float, float, float]]
Spoil = Callable[[int, ImageRGB], ImageRGB]


@cache
def town() -> Renderer:
    """The scene all flights are over; made once for a process."""
    return Renderer(World.generate(900, 240.0).scene("flight"))


@dataclass(frozen=True, slots=True)
class Step:
    """One frame of a flight: what odometry said, and how far its displacement is from the truth."""

    answer: Odometry
    error_m: float

    @property
    def displacement(self) -> Displacement:
        """The displacement, which must be there."""
        assert self.answer.displacement is not None, self.answer
        return self.answer.displacement

    @property
    def faults(self) -> set[OdometryFault]:
        """What is wrong, by name."""
        return set(self.answer.faults)


def fly(
    way: Way, frames: int, spoil: Spoil | None = None, camera: CameraModel | None = None, rate_hz: float = 25.0
) -> list[Step]:
    """Flies ``way`` with a camera of ordinary faults and poses that are right but for 0.2 degrees of tilt."""
    camera = camera or default_camera()
    odometer, places, steps = Odometer(camera), {}, []
    for frame, pose in recorded(way, frames, camera, rate_hz):
        places[frame.t_ns] = np.array(way(frame.t_ns * 1e-9)[:2])
        if spoil is not None:
            frame = Frame(spoil(frame.index, frame.image), frame.t_ns, frame.source, frame.index)
        answer = odometer.update(frame, pose)
        error_m = math.nan
        if (moved := answer.displacement) is not None:
            true = places[moved.to_t_ns] - places[moved.from_t_ns]
            error_m = float(np.linalg.norm([moved.north_m - true[0], moved.east_m - true[1]]))
        steps.append(Step(answer, error_m))
    return steps


def recorded(way: Way, frames: int, camera: CameraModel, rate_hz: float) -> Iterator[tuple[Frame, Pose]]:
    """Frames and poses of a flight; the pictures of the last few flights are kept."""
    taken, more = _kept(way, camera, rate_hz)
    for index in range(frames):
        if index == len(taken):
            taken.append(next(more))
        yield taken[index]


@lru_cache(maxsize=4)
def _kept(
    way: Way, camera: CameraModel, rate_hz: float
) -> tuple[list[tuple[Frame, Pose]], Iterator[tuple[Frame, Pose]]]:
    return [], _taken(way, camera, rate_hz)


def _taken(way: Way, camera: CameraModel, rate_hz: float) -> Iterator[tuple[Frame, Pose]]:
    simulated, rng = SimulatedCamera(town(), camera, 1), np.random.default_rng(0)
    for index in count():
        t_s = index / rate_hz
        north, east, height, roll, pitch, yaw = way(t_s)
        ahead = way(t_s + 0.01)
        velocity = tuple((ahead[axis] - way(t_s)[axis]) / 0.01 for axis in range(3))
        image = simulated.capture(
            (north, east, -height), ned_from_euler(roll, pitch, yaw), (velocity[0], velocity[1], -velocity[2])
        )
        image.flags.writeable = False  # it is shown again
        t_ns = round(t_s * 1e9)
        yield Frame(image, t_ns, "rendered", index), pose_of(t_ns, height, roll, pitch, yaw, rng.normal(0, 0.0035, 2))


def pose_of(t_ns: int, height: float, roll: float, pitch: float, yaw: float, wrong: np.ndarray) -> Pose:
    """The pose that telemetry claims."""
    return Pose(
        t_ns,
        height_agl_m=Measured(height, 0.03 * height, "test"),
        attitude=Attitude(ned_from_euler(roll + wrong[0], pitch + wrong[1], yaw), 0.03, "test"),
    )


@cache
def straight(speed_m_s: float = 8.0, height_m: float = 60.0, yaw_rate: float = 0.0, climb_m_s: float = 0.0) -> Way:
    """North by north-east, swaying as a multirotor in wind does."""

    def way(t_s: float) -> tuple[float, float, float, float, float, float]:
        north, east = speed_m_s * t_s - 20.0, 0.4 * speed_m_s * t_s - 8.0
        roll, pitch = 0.06 * math.sin(2 * t_s), 0.05 * math.sin(3 * t_s)
        return north, east, height_m + climb_m_s * t_s, roll, pitch, 0.3 + yaw_rate * t_s

    return way


def during(first: int, last: int, spoil: Spoil) -> Spoil:
    """Spoils frames ``first`` to ``last`` - 1 alone."""
    return lambda index, image: spoil(index, image) if first <= index < last else image


def bare(index: int, image: ImageRGB) -> ImageRGB:
    """Ground without anything on it, seen by a sensor with its noise and through a codec with its blocks."""
    noise = np.random.default_rng(index).normal(0, 2.5, image.shape)
    flat = np.clip(110 + noise, 0, 255).astype(np.uint8)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", flat, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], 1), np.uint8)


def blurred(index: int, image: ImageRGB) -> ImageRGB:
    """Out of focus by 3 pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 3.0), np.uint8)


def shadowed(image: ImageRGB, reach_px: int = 28) -> ImageRGB:
    """With the aircraft's own shadow, which stays where it is in the picture."""
    dark = np.zeros(image.shape[:2], np.float32)
    for angle_deg in (0, 45, 90, 135):
        cv2.ellipse(dark, (340, 260), (reach_px, reach_px // 4), angle_deg, 0, 360, 1.0, -1)
    dark = np.asarray(cv2.GaussianBlur(dark, (0, 0), 1.5), np.float32)
    return np.asarray(image * (1 - 0.6 * dark[..., None]), np.uint8)


def boxed(image: ImageRGB, count: int, shift_px: float = 0.0) -> ImageRGB:
    """With boxes over the picture: dirt where ``shift_px`` stays 0, cars where it grows."""
    out, rng = image.copy(), np.random.default_rng(3)
    for _ in range(count):
        x, y = int((rng.uniform(0, 640) + shift_px) % 640), int(rng.uniform(0, 480))
        width, colour = int(rng.integers(8, 20)), rng.integers(0, 255, 3).tolist()
        cv2.rectangle(out, (x, y), (x + 2 * width, y + width), colour, -1)
        cv2.rectangle(out, (x + width // 2, y + 2), (x + width, y + width - 2), (20, 20, 20), -1)
    return out


def clouded(index: int, image: ImageRGB) -> ImageRGB:
    """With the shadows of clouds, which drift at 5 pixels a frame."""
    rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(np.float32)
    columns = columns - 5.0 * index
    waves = np.sin(columns / 61) + np.sin(rows / 47 + 1) + np.sin((columns + rows) / 83)
    return np.asarray(image * (1 - 0.55 / (1 + np.exp(-8 * waves)))[..., None], np.uint8)
