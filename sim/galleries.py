"""Galleries of one area: satellite crops and rectified drone views at given places, with their true positions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.camera_model import CameraModel
from runtime.rotations import ned_from_euler, rotation
from runtime.values import Attitude, Frame, Measured, Pose
from runtime.view import rectify
from sim.camera import SimulatedCamera, default_camera
from sim.render import renderer_of
from sim.satellite import satellite_crop
from sim.world.world import AnyWorld

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gallery:
    """N north-up crops of one size of ground, and where each truly is."""

    images: npt.NDArray[np.uint8]  # (N, S, S, 3) RGB
    places_ne_m: Array  # (N, 2) true ground point at each centre, from the world's origin
    side_m: float


@dataclass(frozen=True, slots=True)
class PoseErrors:
    """What the autopilot gets wrong, one sigma each, and how far the aircraft tilts while flying."""

    attitude_deg: float = 1.5
    heading_deg: float = 3.0
    height_share: float = 0.03
    tilt_deg: float = 4.0
    speed_m_s: float = 8.0


def grid(world: AnyWorld, stride_m: float, side_m: float, count: int | None = None) -> Array:
    """(N, 2) places on a square grid, each crop inside the world; `count` keeps those nearest the origin."""
    reach = (world.size_m - side_m) / 2
    steps = np.arange(-math.floor(reach / stride_m), math.floor(reach / stride_m) + 1) * stride_m
    places = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    if count is None:
        return places
    nearest = np.argsort(np.abs(places).max(axis=1), kind="stable")[:count]
    return places[np.sort(nearest)]


def scattered(world: AnyWorld, count: int, side_m: float, seed: int, reach_m: float | None = None) -> Array:
    """(count, 2) places at random, each crop inside the world, or within reach_m of the origin along each axis."""
    reach = (world.size_m - side_m) / 2 if reach_m is None else reach_m
    return np.random.default_rng([world.seed, seed, 21]).uniform(-reach, reach, (count, 2))


def survey(
    south_west_m: tuple[float, float], north_east_m: tuple[float, float], line_spacing_m: float, step_m: float
) -> Array:
    """(N, 2) places along parallel north-south lines over a rectangle, flown there and back."""
    lines = np.arange(south_west_m[1], north_east_m[1] + 1e-6, line_spacing_m)
    steps = np.arange(south_west_m[0], north_east_m[0] + 1e-6, step_m)
    return np.array([(n, e) for i, e in enumerate(lines) for n in (steps if i % 2 == 0 else steps[::-1])])


def satellite_gallery(world: AnyWorld, places_ne_m: Array, side_m: float = 90.0, size_px: int = 256) -> Gallery:
    """Crops of the satellite image at places; the image's own misregistration is left in, unaccounted for."""
    images = [satellite_crop(world, (float(n), float(e)), side_m, size_px) for n, e in places_ne_m]
    return Gallery(np.stack(images), np.asarray(places_ne_m, np.float64), side_m)


def drone_gallery(
    world: AnyWorld,
    places_ne_m: Array,
    side_m: float = 90.0,
    size_px: int = 256,
    seed: int = 0,
    errors: PoseErrors | None = None,
    camera: CameraModel | None = None,
    height_m: float | None = None,
) -> Gallery:
    """What a drone sees at places, rectified with the pose it believes in.

    Headings are random; height_m defaults to 1.4 sides, from where the default camera covers the crop at any heading.
    """
    simulated = SimulatedCamera(renderer_of(world, "flight"), camera or default_camera(), seed)
    rng = np.random.default_rng([world.seed, seed, 22])
    height = 1.4 * side_m if height_m is None else height_m
    images = [
        _view(simulated, (float(n), float(e)), height, side_m, size_px, errors or PoseErrors(), rng)
        for n, e in places_ne_m
    ]
    return Gallery(np.stack(images), np.asarray(places_ne_m, np.float64), side_m)


def _view(
    camera: SimulatedCamera, place_ne_m: tuple[float, float], height_m: float, side_m: float, size_px: int,
    errors: PoseErrors, rng: np.random.Generator,
) -> npt.NDArray[np.uint8]:  # fmt: skip
    """One view whose image centre looks at the place, cut to side_m by a pose that is a little wrong."""
    tilt, wrong = math.radians(errors.tilt_deg), math.radians(errors.attitude_deg)
    roll, pitch, yaw = rng.normal(0, tilt), rng.normal(0, tilt), rng.uniform(0, 2 * math.pi)
    true = ned_from_euler(roll, pitch, yaw)
    axis = (rotation(true) * rotation(camera.model.body_from_camera)).apply([0.0, 0.0, 1.0])
    position = (
        place_ne_m[0] - axis[0] / axis[2] * height_m,
        place_ne_m[1] - axis[1] / axis[2] * height_m,
        -height_m,
    )
    course = rng.uniform(0, 2 * math.pi)
    velocity = (errors.speed_m_s * math.cos(course), errors.speed_m_s * math.sin(course), 0.0)
    image = camera.capture(position, true, velocity, (0.0, 0.0, float(rng.normal(0, 0.1))))
    heading = yaw + rng.normal(0, math.radians(errors.heading_deg))
    believed = ned_from_euler(roll + rng.normal(0, wrong), pitch + rng.normal(0, wrong), heading)
    height = height_m * (1 + rng.normal(0, errors.height_share))
    pose = Pose(
        t_ns=0,
        height_agl_m=Measured(height, errors.height_share * height_m, "simulated"),
        attitude=Attitude(believed, math.radians(errors.heading_deg), "simulated"),
    )
    return rectify(Frame(image, 0, "simulated", 0), camera.model, pose, side_m, size_px).image
