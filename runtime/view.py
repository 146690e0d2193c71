"""From a frame and a pose to a north-up, nadir crop of a known footprint, by the ground-plane homography.

The ground is taken as the plane ``height_agl_m`` below the camera. A crop pixel is carried to the ground, from there
into the camera and, through its distortion, to the frame; nothing is resampled twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.rotations import rotation
from runtime.values import Frame, ImageRGB, Measured, Pose, View

_LATTICE = 17  # projected points per side of a crop; between them the map is smooth enough to interpolate
_NO_SECOND_MAP: Any = None  # cv2.remap's first map holds x and y together, which takes half the time of two
_COARSEST_CROP_PX = 2.0  # crop pixels that one frame pixel may cover on the ground: coarser shows nothing to compare
_COARSEST_NADIR_PX = 3.0  # and never less than so many frame pixels straight down: a small frame is not refused for it
_MOST_AHEAD_RAD = math.radians(47.0)  # off straight down, of what crops are cut about: their far half is sharp still
_LEAST_WITHIN = 0.25  # of the field of view: the crop's centre stays so far from the picture's edge
_MAX_RECTIFIED_RAD = math.radians(85.0)  # of tilt: beyond it the axis may miss the ground
_MAX_TILT_RAD = math.radians(75.0)  # beyond it only lower rows see ground, and a degree moves it by 6 m in 100
_SIDES = 0.85 ** np.arange(1, 25)  # of a square's largest side, tried from the largest on: down to 2 %
_MAX_SUPERSAMPLING = 4  # a crop much coarser than the frame is averaged, not point-sampled


@dataclass(frozen=True, slots=True)
class GroundPlane:
    """A camera ``height_agl_m`` above flat ground; ground points are (north, east) metres from its nadir."""

    camera: CameraModel
    ned_from_camera: NDArray[np.float64]  # (3, 3)
    height_agl_m: float

    @classmethod
    def of(cls, camera: CameraModel, pose: Pose) -> GroundPlane | None:
        """The plane below ``pose``, or None when attitude or height above ground is unknown."""
        if pose.ned_from_body is None or pose.height_agl_m is None or pose.height_agl_m.value <= 0:
            return None
        ned_from_camera = rotation(pose.ned_from_body) * rotation(camera.body_from_camera)
        return cls(camera, ned_from_camera.as_matrix(), pose.height_agl_m.value)

    @property
    def tilt_rad(self) -> float:
        """Angle between the optical axis and straight down."""
        return math.acos(float(np.clip(self.ned_from_camera[2, 2], -1.0, 1.0)))

    def pixels_of(self, ground_ne_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) pixels, through the lens, of (N, 2) ground points."""
        down = np.full((len(ground_ne_m), 1), self.height_agl_m)
        points = np.hstack([ground_ne_m, down]) @ self.ned_from_camera  # rows times R is R^T times columns
        pixels, _ = cv2.projectPoints(
            points, np.zeros(3), np.zeros(3), self.camera.matrix, np.array(self.camera.distortion)
        )
        return np.asarray(pixels.reshape(-1, 2), dtype=np.float64)

    def ground_of(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) ground points of (N, 2) pixels; rows above the horizon are NaN."""
        flat = cv2.undistortPoints(
            pixels.reshape(-1, 1, 2).astype(np.float64), self.camera.matrix, np.array(self.camera.distortion)
        ).reshape(-1, 2)
        rays = np.hstack([flat, np.ones((len(flat), 1))]) @ self.ned_from_camera.T
        down = np.where(rays[:, 2:] > 1e-6, rays[:, 2:], np.nan)
        return np.asarray(rays[:, :2] / down * self.height_agl_m, dtype=np.float64)

    def ground_of_axis(self) -> tuple[float, float]:
        """(north, east) of the ground point at the image's centre."""
        north, east = self.ground_of(np.array([[self.camera.width_px / 2, self.camera.height_px / 2]]))[0]
        return float(north), float(east)

    def crop_centre(self) -> tuple[float, float]:
        """(north, east) of the ground point that crops are cut about: the one at the image's centre, or where the
        camera looks further ahead than 47 degrees one before it that is seen sharply, well inside the picture."""
        ahead_rad = self.tilt_rad
        focal_px = min(self.camera.fx_px, self.camera.fy_px)
        half_view_rad = math.atan(min(self.camera.width_px, self.camera.height_px) / 2 / focal_px)
        nearer_rad = max(_MOST_AHEAD_RAD, ahead_rad - 2 * _LEAST_WITHIN * half_view_rad)
        if ahead_rad <= nearer_rad:
            return self.ground_of_axis()
        away_m = self.height_agl_m * math.tan(nearer_rad)
        north, east = self.ned_from_camera[:2, 2] / math.sin(ahead_rad)
        return float(north * away_m), float(east * away_m)

    def metres_per_pixel(self, ground_ne_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) metres of ground that one pixel covers at (N, 2) ground points, along the line of sight, where it covers
        the most; infinite behind the camera. Distortion is left out."""
        down = np.full((len(ground_ne_m), 1), self.height_agl_m)
        rays = np.hstack([ground_ne_m, down])
        slant_m = np.linalg.norm(rays, axis=1)
        cos_off_axis = rays @ self.ned_from_camera[:, 2] / slant_m
        cos_off_nadir = self.height_agl_m / slant_m
        focal_px = min(self.camera.fx_px, self.camera.fy_px)
        metres = self.height_agl_m * cos_off_axis**2 / (focal_px * cos_off_nadir**2)
        return np.asarray(np.where(cos_off_axis > 0, metres, np.inf))

    def visible_footprint_m(self, min_coverage: float = 0.9, size_px: int = 256) -> float:
        """Side of the largest north-up square about `crop_centre` of which ``min_coverage`` is seen sharply enough
        for a crop of ``size_px``; 0 where the camera looks too far ahead to show any."""
        if self.tilt_rad > _MAX_TILT_RAD:
            return 0.0
        north, east = self.crop_centre()
        low, high = 0.0, 4.0 * self.height_agl_m
        for side_m in high * _SIDES:  # a large square may do where a small one is too fine
            if self.coverage(north, east, side_m, size_px) >= min_coverage:
                low = side_m
                break
            high = side_m
        for _ in range(8):  # bisection to a thousandth of the height
            middle = (low + high) / 2
            enough = self.coverage(north, east, middle, size_px) >= min_coverage
            low, high = (middle, high) if enough else (low, middle)
        return low

    def coverage(self, north_m: float, east_m: float, side_m: float, size_px: int) -> float:
        """Share of a north-up square of ``side_m`` about a ground point that the frame shows sharply enough for a crop
        of ``size_px``."""
        return float(self.shows(_lattice(north_m, east_m, side_m, _LATTICE), side_m, size_px).mean())

    def shows(self, ground_ne_m: NDArray[np.float64], side_m: float, size_px: int) -> NDArray[np.bool_]:
        """(N,) whether each of (N, 2) ground points lies in the frame and is seen sharply enough for a crop of
        ``side_m`` and ``size_px``: the rows near the horizon show nothing of use."""
        pixels = self.pixels_of(ground_ne_m)
        inside = (pixels >= 0).all(axis=1) & (pixels <= [self.camera.width_px, self.camera.height_px]).all(axis=1)
        nadir_m = self.height_agl_m / min(self.camera.fx_px, self.camera.fy_px)
        coarsest_m = max(_COARSEST_CROP_PX * side_m / size_px, _COARSEST_NADIR_PX * nadir_m)
        return np.asarray(inside & (self.metres_per_pixel(ground_ne_m) <= coarsest_m))

    def ground_sigma_m(self, tilt_sigma_rad: float, height_sigma_m: float, heading_sigma_rad: float) -> float:
        """1-sigma of the ground point that crops are cut about against the camera, along the line of sight or across
        it, whichever is larger, in metres: it grows with the square of the tilt's secant."""
        away_m = math.hypot(*self.crop_centre())
        tilt_rad = min(math.atan2(away_m, self.height_agl_m), _MAX_RECTIFIED_RAD)
        along_m = math.hypot(
            self.height_agl_m * tilt_sigma_rad / math.cos(tilt_rad) ** 2, math.tan(tilt_rad) * height_sigma_m
        )
        across_m = math.hypot(self.height_agl_m * tilt_sigma_rad / math.cos(tilt_rad), away_m * heading_sigma_rad)
        return max(along_m, across_m)


def ahead_per_m(camera: CameraModel, pose: Pose) -> tuple[float, float] | None:
    """(north, east) metres, from a metre above the ground, to the middle of what a camera sees of it; None where the
    pose's heading is unknown or the camera sees no ground."""
    if pose.heading is None:
        return None
    plane = GroundPlane.of(camera, replace(pose, height_agl_m=Measured(1.0, 1.0, "unit")))
    ahead = None if plane is None else plane.crop_centre()
    return ahead if ahead is not None and all(map(math.isfinite, ahead)) else None


def rectify(frame: Frame, camera: CameraModel, pose: Pose, footprint_m: float, size_px: int) -> View:
    """The north-up nadir crop of ``footprint_m`` about the plane's `GroundPlane.crop_centre`.

    Without attitude, height or heading it is the plain centre crop, and says so (``rectified`` False).

    Returns:
        View with ``image`` (size_px, size_px, 3) uint8 RGB.
    """
    camera = camera.scaled_to(frame.image.shape[1], frame.image.shape[0])
    plane = GroundPlane.of(camera, pose)
    if plane is None or plane.tilt_rad > _MAX_RECTIFIED_RAD:
        return centre_crop(frame, size_px)
    north, east = plane.crop_centre()
    image = _warp(frame.image, plane, north, east, footprint_m, size_px)
    return View(
        image=image,
        footprint_m=footprint_m,
        rectified=True,
        north_up=pose.heading is not None,
        aircraft_ne_m=(-north, -east),
        t_ns=frame.t_ns,
    )


def rectify_about(
    frame: Frame, camera: CameraModel, pose: Pose, centre_ne_m: tuple[float, float], footprint_m: float, size_px: int
) -> ImageRGB:
    """The north-up nadir crop of ``footprint_m`` about a point (north, east) of the one below the camera; attitude and
    height must be known."""
    plane = GroundPlane.of(camera.scaled_to(frame.image.shape[1], frame.image.shape[0]), pose)
    assert plane is not None
    return _warp(frame.image, plane, *centre_ne_m, footprint_m, size_px)


def centre_crop(frame: Frame, size_px: int) -> View:
    """The largest centred square of a frame of unknown scale, resized."""
    height, width = frame.image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = frame.image[top : top + side, left : left + side]
    shrinking = cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR
    image = cv2.resize(square, (size_px, size_px), interpolation=shrinking)
    return View(np.asarray(image, dtype=np.uint8), None, False, False, None, frame.t_ns)


def turned(image: ImageRGB, clockwise_rad: float) -> ImageRGB:
    """A square crop turned about its centre; what comes in from outside is the nearest border pixel."""
    size = image.shape[0]
    turn = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), -math.degrees(clockwise_rad), 1.0)
    rotated = cv2.warpAffine(image, turn, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(rotated, dtype=np.uint8)


def _lattice(north_m: float, east_m: float, side_m: float, count: int) -> NDArray[np.float64]:
    """(count * count, 2) ground points over a north-up square, row by row from its north-west corner."""
    steps = np.linspace(-side_m / 2, side_m / 2, count)
    east, north = np.meshgrid(steps, -steps)
    return np.stack([north_m + north.ravel(), east_m + east.ravel()], axis=1)


@lru_cache(maxsize=4)  # a network's crops have one or two sizes, and making the maps takes as long as using them
def _between_nodes(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Columns and rows of the lattice, (side, side) each, at which the pixels of a crop lie: nodes stand on the crop's
    outer edges, pixel centres half a pixel inside them."""
    at = ((np.arange(side, dtype=np.float32) + 0.5) / side * (_LATTICE - 1)).astype(np.float32)
    columns, rows = np.meshgrid(at, at)
    return columns, rows


def _warp(
    image: ImageRGB, plane: GroundPlane, north_m: float, east_m: float, footprint_m: float, size_px: int
) -> ImageRGB:
    pixels = plane.pixels_of(_lattice(north_m, east_m, footprint_m, _LATTICE)).reshape(_LATTICE, _LATTICE, 2)
    corners = pixels[[0, 0, -1, -1], [0, -1, -1, 0]]
    span_px = float(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1).max())  # the longest side
    oversampling = int(np.clip(math.ceil(span_px / size_px), 1, _MAX_SUPERSAMPLING))
    side = size_px * oversampling
    lookup = cv2.remap(pixels.astype(np.float32) - 0.5, *_between_nodes(side), cv2.INTER_LINEAR)
    warped = cv2.remap(image, lookup, _NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if oversampling > 1:
        warped = cv2.resize(warped, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(warped, dtype=np.uint8)
