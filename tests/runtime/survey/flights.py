"""Synthetic flights over a flat picture: what a camera sees from known poses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.geodesy import offset
from runtime.rotations import ned_from_euler
from runtime.survey.anchor import Tagged
from runtime.survey.overlaps import Features, Overlap, alike, matched
from runtime.values import Attitude, GeoPoint, Measured, Pose, Position, PositionSource
from runtime.view import GroundPlane

ORIGIN = GeoPoint(48.2, 11.6)
CAMERA = CameraModel.from_hfov(480, 360, 69.0)


def overlap_of(first: int, second: int, features: Sequence[Features]) -> Overlap | None:
    """Two photos' overlap, where they look straight down; None where they do not show the same plane."""
    found = matched(first, second, features)
    return None if found is None or not alike(found, features) else found.thinned()


@dataclass(frozen=True)
class Truth:
    """Where and how a photo was really taken; metres from `ORIGIN`, radians."""

    t_s: float
    north_m: float
    east_m: float
    height_m: float
    heading: float
    pitch: float = 0.0
    roll: float = 0.0

    @property
    def pose(self) -> Pose:
        """As a complete pose."""
        return Pose(
            t_ns=round(self.t_s * 1e9),
            height_agl_m=Measured(self.height_m, 0.1, "truth"),
            attitude=Attitude(ned_from_euler(self.roll, self.pitch, self.heading), 0.01, "truth"),
        )

    @property
    def point(self) -> GeoPoint:
        """Where the camera was."""
        return offset(ORIGIN, self.north_m, self.east_m)

    @property
    def position(self) -> Position:
        """As a receiver says it."""
        return Position.circular(self.point, 3.0, PositionSource.TAG)

    def plane(self, camera: CameraModel) -> GroundPlane:
        """The ground below, as the camera sees it."""
        plane = GroundPlane.of(camera, self.pose)
        assert plane is not None
        return plane


def lawnmower(lines: int, per_line: int, spacing_m: float = 12.0, apart_m: float = 22.0, seed: int = 3) -> list[Truth]:
    """Lines flown to and fro, north-east and back, nose forward, with gusts."""
    rng = np.random.default_rng(seed)
    along = math.radians(20.0)
    flown = []
    for line in range(lines):
        for k in range(per_line):
            step = k if line % 2 == 0 else per_line - 1 - k
            x, y = (step - per_line / 2) * spacing_m, (line - lines / 2) * apart_m
            flown.append(
                Truth(
                    t_s=3.0 * len(flown),
                    north_m=x * math.cos(along) - y * math.sin(along) + rng.normal(0, 0.5),
                    east_m=x * math.sin(along) + y * math.cos(along) + rng.normal(0, 0.5),
                    height_m=45.0 + rng.normal(0, 2.0),
                    heading=along + (math.pi if line % 2 else 0.0) + rng.normal(0, 0.05),
                    pitch=rng.normal(0, 0.04),
                    roll=rng.normal(0, 0.04),
                )
            )
    return flown


def photograph(ground: NDArray[np.uint8], gsd_m: float, truth: Truth, camera: CameraModel) -> NDArray[np.uint8]:
    """The camera's image of a north-up picture whose middle lies at `ORIGIN`."""
    corners = np.array([[-20.0, -20.0], [-20.0, 20.0], [20.0, 20.0], [20.0, -20.0]])  # below the camera
    pixels = truth.plane(camera).pixels_of(corners)
    height, width = ground.shape[:2]
    picture = np.stack(
        [
            width / 2 + (corners[:, 1] + truth.east_m) / gsd_m,
            height / 2 - (corners[:, 0] + truth.north_m) / gsd_m,
        ],
        axis=1,
    )
    onto = cv2.getPerspectiveTransform(picture.astype(np.float32), pixels.astype(np.float32))
    shrink = truth.height_m / camera.fx_px / gsd_m
    soft = cv2.GaussianBlur(ground, (0, 0), 0.5 * shrink) if shrink > 1.2 else ground
    seen = cv2.warpPerspective(soft, onto, (camera.width_px, camera.height_px), flags=cv2.INTER_LINEAR)
    return np.asarray(seen, dtype=np.uint8)


def tagged(
    flown: Sequence[Truth], noise_m: float, lag_s: float = 0.0, drift_m_s: float = 0.0, seed: int = 5
) -> list[Tagged]:
    """What a plain camera with GPS writes: only a time and a noisy, trailing, drifting position."""
    rng = np.random.default_rng(seed)
    middle_s = (flown[0].t_s + flown[-1].t_s) / 2
    told = []
    for before, here in zip([flown[0], *flown[:-1]], flown, strict=True):
        elapsed_s = here.t_s - before.t_s
        share = lag_s / elapsed_s if elapsed_s else 0.0
        drift_m = drift_m_s * (here.t_s - middle_s)
        north_m = here.north_m + share * (before.north_m - here.north_m) + drift_m + rng.normal(0, noise_m)
        east_m = here.east_m + share * (before.east_m - here.east_m) + rng.normal(0, noise_m)
        tag = Position.circular(offset(ORIGIN, north_m, east_m), 3.0, PositionSource.TAG)
        told.append(Tagged(Pose(t_ns=round(here.t_s * 1e9)), tag))
    return told


def exact_overlaps(
    flown: Sequence[Truth],
    noise_px: float = 0.3,
    seed: int = 1,
    camera: CameraModel = CAMERA,
    reach_m: float = 25.0,
) -> list[Overlap]:
    """What matching would find, without the images: ground points that two photos see, within ``reach_m`` of one."""
    rng = np.random.default_rng(seed)
    found = []
    for i, first in enumerate(flown):
        for j in range(i + 1, len(flown)):
            second = flown[j]
            points = rng.uniform(-reach_m, reach_m, (40, 2)) + [first.north_m, first.east_m]
            a = first.plane(camera).pixels_of(points - [first.north_m, first.east_m])
            b = second.plane(camera).pixels_of(points - [second.north_m, second.east_m])
            size = np.array([camera.width_px, camera.height_px])
            inside = ((a >= 0) & (a < size) & (b >= 0) & (b < size)).all(axis=1)
            if inside.sum() >= 8:
                jitter = rng.normal(0, noise_px, (2, 8, 2))
                found.append(Overlap(i, j, a[inside][:8] + jitter[0], b[inside][:8] + jitter[1], int(inside.sum())))
    return found
