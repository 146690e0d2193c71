"""Flights with known truth: what odometry and fixes would say of them, with the errors that both have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.localizer.updates import Place
from runtime.values import Displacement

Array = NDArray[np.float64]
FRAME_S, FIX_S = 0.1, 0.5
REFERENCE_M = 25.0  # odometry takes a new reference picture after this way


@dataclass(frozen=True, slots=True)
class Errors:
    """Of odometry: a factor on lengths, a turn, and each displacement's own sigma; of fixes: their own sigma, that of
    what successive ones share over ``reach_m`` of flight, and the share that is anywhere within ``area_m``."""

    scale: float = 0.05
    heading_rad: float = math.radians(3.0)
    random_m: float = 0.15
    fix_m: float = 1.5
    shared_m: float = 1.5
    reach_m: float = 150.0
    wrong: float = 0.0
    area_m: float = 1000.0


@dataclass(frozen=True, slots=True)
class FixSeen:
    """A fix exposed at ``t_ns`` of the place ``place``."""

    t_ns: int
    place: Place


@dataclass(frozen=True, slots=True)
class Flown:
    """``true_m`` (N, 2) north and east every FRAME_S; what odometry says of each frame; the fixes."""

    true_m: Array
    displacements: list[Displacement]
    fixes: list[FixSeen]


def t_ns_of(frame: int) -> int:
    """The instant of a frame."""
    return round(frame * FRAME_S * 1e9)


def flown(random: np.random.Generator, seconds: float, errors: Errors | None = None, speed_m_s: float = 8.0) -> Flown:
    """A flight that wanders at about ``speed_m_s``."""
    errors = errors or Errors()
    count = round(seconds / FRAME_S) + 1
    course = np.cumsum(random.normal(0.0, 0.06, count)) + random.uniform(0, math.tau)
    steps = np.stack([np.cos(course), np.sin(course)], axis=1) * speed_m_s * FRAME_S
    true_m = random.uniform(-300.0, 300.0, 2) + np.cumsum(steps, axis=0)
    return Flown(true_m, _displacements(random, true_m, errors), _fixes(random, true_m, errors))


def displacement(from_frame: int, to_frame: int, way_m: Array, random_m: float) -> Displacement:
    """What odometry says of a way, when its own error is ``random_m`` an axis."""
    return Displacement(
        from_t_ns=t_ns_of(from_frame),
        to_t_ns=t_ns_of(to_frame),
        north_m=float(way_m[0]),
        east_m=float(way_m[1]),
        random_covariance_m2=((random_m**2, 0.0), (0.0, random_m**2)),
        scale_sigma=0.05,
        heading_sigma_rad=0.05,
        turn_rad=0.0,
        turn_sigma_rad=0.01,
        height_ratio=1.0,
        height_ratio_sigma=0.01,
    )


def _displacements(random: np.random.Generator, true_m: Array, errors: Errors) -> list[Displacement]:
    cosine, sine = math.cos(errors.heading_rad), math.sin(errors.heading_rad)
    seen_from_true = (1.0 + errors.scale) * np.array([[cosine, -sine], [sine, cosine]])
    said, reference = [], 0
    for frame in range(1, len(true_m)):
        way = seen_from_true @ (true_m[frame] - true_m[reference]) + random.normal(0.0, errors.random_m, 2)
        said.append(displacement(reference, frame, way, errors.random_m))
        if np.hypot(*(true_m[frame] - true_m[reference])) > REFERENCE_M:
            reference = frame
    return said


def _fixes(random: np.random.Generator, true_m: Array, errors: Errors) -> list[FixSeen]:
    every = round(FIX_S / FRAME_S)
    shared = random.normal(0.0, errors.shared_m, 2)
    fixes = []
    for frame in range(0, len(true_m), every):
        before = max(0, frame - every)
        kept = math.exp(-float(np.hypot(*(true_m[frame] - true_m[before]))) / errors.reach_m)
        shared = kept * shared + math.sqrt(1.0 - kept**2) * random.normal(0.0, errors.shared_m, 2)
        at = true_m[frame] + shared + random.normal(0.0, errors.fix_m, 2)
        if random.random() < errors.wrong:
            at = random.uniform(-errors.area_m / 2, errors.area_m / 2, 2)
        fixes.append(FixSeen(t_ns_of(frame), Place(at, np.eye(2) * errors.fix_m**2)))
    return fixes
