"""What is seen to be wrong with pictures, tracks and motions, by name: thresholds in one place."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.odometry.picture import Picture
from runtime.odometry.plane_motion import PlaneMotion, Prior
from runtime.odometry.posed import PosedPicture
from runtime.odometry.reference import Last, Reference
from runtime.odometry.tracks import Tracks, guess_by_descriptors
from runtime.values import Displacement, OdometryFault

Array = NDArray[np.float64]

LEAST_GROUND = 0.3  # of the picture: with less of it the ground is a strip near the horizon
LEAST_FEATURES = 12  # half as many again as a homography needs, twice
_SAME_LEVELS = 0.2  # mean difference of grey values: a living sensor's noise alone differs by more
_BLURRED = 0.35  # of the reference's sharpness
_LEAST_SHARE = 0.4  # of the tracked features that move as level ground
_LEAST_CELLS, _CELLS = 5, 4  # of a 4 x 4 grid over the picture that the agreeing features lie in
_LEAST_LIKENESS = 0.68  # of two pictures laid on each other: 0.74 or more of ground that moved so, else 0.5 to 0.7
_STILL_PX = 1.5  # a feature that moves less, while the ground moves by _MOVES_PX, goes with the aircraft
_MOVES_PX = 6.0
_WITH_AIRCRAFT_SHARE = 0.5  # of the features that are not ground
_MAX_ACCELERATION_M_S2 = 10.0  # a drone tilted by 45 degrees
_JUMP_SIGMAS = 2.0  # of what is measured against the reference: from frame to frame most of that error stays
_JUMP_SHARE = 0.002  # of the height: what a late stamp of a turning camera moves
_ATTITUDE_SIGMAS = 4.0
_TURNED_OVER_RAD = math.radians(120.0)  # nearer to upside down than to upright, whatever the heading's error
_ASSUMED_SIGMA_RAD = math.radians(3.0)  # of a tilt: this unsure it was assumed, and nothing disagrees with it
_LEAST_ATTITUDE_SIGMA_RAD = math.radians(1.0)  # stamps that are 0.1 s off turn a gust into 3 degrees


def same_picture(before: Picture, now: Picture) -> bool:
    """Whether a camera hands out the same picture again, perhaps compressed anew."""
    if before.probe.shape != now.probe.shape:
        return False
    return float(cv2.absdiff(before.probe, now.probe).mean()) < _SAME_LEVELS


def of_reference(picture: Picture, features: NDArray[np.float32]) -> tuple[OdometryFault, ...]:
    """Whether a picture shows enough to track."""
    if len(features) < 2 * LEAST_FEATURES or _cells(features, picture.size_px) < _LEAST_CELLS:
        return (OdometryFault.TEXTURELESS,)
    return ()


def upside_down(reference: PosedPicture, now: PosedPicture) -> bool:
    """Whether the picture turned about the camera's axis by far more than the aircraft did: it stands on its head, and
    what is measured by it from now on would be the way back."""
    if math.isinf(now.heading_sigma_rad):
        return False
    found = guess_by_descriptors(reference.picture, now.picture)
    if found is None:
        return False
    turned_rad = abs(math.atan2(found[1, 0] - found[0, 1], found[0, 0] + found[1, 1]))
    yawed_rad = abs(math.remainder(now.yaw_rad - reference.yaw_rad, math.tau))
    return turned_rad - yawed_rad > _TURNED_OVER_RAD


def of_lost(reference: Picture, now: Picture) -> tuple[OdometryFault, ...]:
    """Why next to nothing of the reference was found again."""
    coarse = cv2.meanStdDev(now.grey)[1][0, 0] / max(cv2.meanStdDev(reference.grey)[1][0, 0], 1e-3)
    if now.sharpness < _BLURRED * reference.sharpness and coarse > _BLURRED:  # blur takes the fine contrast alone
        return (OdometryFault.BLURRED,)
    return of_reference(now, now.corners()) or (OdometryFault.NO_OVERLAP,)


def of_tracks(
    reference: Reference, posed: PosedPicture, tracks: Tracks, motion: PlaneMotion
) -> tuple[OdometryFault, ...]:
    """Whether what was tracked is the ground, and enough of it."""
    faults: list[OdometryFault] = []
    agreeing = motion.inside
    if posed.picture.sharpness < _BLURRED * reference.posed.picture.sharpness:
        faults.append(OdometryFault.BLURRED)
    moved_px = float(np.linalg.norm(motion.state[:2])) * posed.picture.camera.fx_px
    on_sensor, still = _moving_with_aircraft(reference, posed, tracks)
    if _turned_px(reference, posed) > _MOVES_PX and on_sensor[agreeing].mean() > _WITH_AIRCRAFT_SHARE:
        faults.append(OdometryFault.MOVES_WITH_AIRCRAFT)
    elif agreeing.sum() < max(LEAST_FEATURES, _LEAST_SHARE * len(agreeing)):
        with_aircraft = moved_px > _MOVES_PX and still[~agreeing].mean() > _WITH_AIRCRAFT_SHARE
        faults.append(OdometryFault.MOVES_WITH_AIRCRAFT if with_aircraft else OdometryFault.MOVING_OBJECTS)
    elif _cells(tracks.pixels[agreeing], posed.picture.size_px) < _LEAST_CELLS:
        with_aircraft = still[agreeing].mean() > _WITH_AIRCRAFT_SHARE
        faults.append(OdometryFault.MOVES_WITH_AIRCRAFT if with_aircraft else OdometryFault.TEXTURELESS)
    return tuple(faults)


def of_likeness(reference: PosedPicture, posed: PosedPicture, posed_from_reference: Array) -> tuple[OdometryFault, ...]:
    """Whether the ground itself moved as the features did: many cars have more corners than the road that they cover a
    tenth of."""
    if reference.picture.likeness(posed.picture, posed_from_reference) < _LEAST_LIKENESS:
        return (OdometryFault.MOVING_OBJECTS,)
    return ()


def of_motion(
    prior: Prior, motion: PlaneMotion, measured: Displacement, last: Last | None, height_m: float
) -> tuple[OdometryFault, ...]:
    """Whether an aircraft may move so, and whether the pose agrees."""
    faults: list[OdometryFault] = []
    if last is not None and last.speed_m_s is not None and _jumps(measured, last, height_m):
        faults.append(OdometryFault.JUMP)
    tilt_rad, heading_rad = prior.tilt_sigma_rad, prior.heading_sigma_rad
    sigmas = np.maximum(_LEAST_ATTITUDE_SIGMA_RAD, [tilt_rad, tilt_rad, heading_rad])
    if prior.tilt_sigma_rad < _ASSUMED_SIGMA_RAD and (np.abs(motion.state[3:6]) > _ATTITUDE_SIGMAS * sigmas).any():
        faults.append(OdometryFault.ATTITUDE)
    return tuple(faults)


def _jumps(measured: Displacement, last: Last, height_m: float) -> bool:
    assert last.speed_m_s is not None
    ahead_s = (measured.to_t_ns - last.t_ns) * 1e-9
    expected_m = last.north_east_m + last.speed_m_s * ahead_s
    off_m = float(np.linalg.norm(np.array([measured.north_m, measured.east_m]) - expected_m))
    (north, _), (_, east) = measured.random_covariance_m2
    noise_m = _JUMP_SIGMAS * math.sqrt(north + east) + _JUMP_SHARE * height_m
    return off_m > _MAX_ACCELERATION_M_S2 * ahead_s**2 + noise_m


def _turned_px(reference: Reference, posed: PosedPicture) -> float:
    """How far what is seen must move in the picture by the turn of the poses alone (median)."""
    turn = posed.ned_from_camera.T @ reference.posed.ned_from_camera
    turned = np.hstack([reference.rays, np.ones((len(reference.rays), 1))]) @ turn.T
    moved = turned[:, :2] / np.maximum(turned[:, 2:], 0.1) - reference.rays
    return float(np.median(np.linalg.norm(moved, axis=1))) * posed.picture.camera.fx_px


def _moving_with_aircraft(
    reference: Reference, posed: PosedPicture, tracks: Tracks
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,) whether each track stays where it was on the sensor, as dirt does, and whether it does so or stays below the
    aircraft, as its shadow does."""
    on_sensor = np.linalg.norm(tracks.pixels - reference.features[tracks.index], axis=1) < _STILL_PX
    level, _ = posed.level(posed.picture.rays(tracks.pixels))
    moved_px = np.linalg.norm(level - reference.level[tracks.index], axis=1) * posed.picture.camera.fx_px
    return on_sensor, np.asarray(on_sensor | (moved_px < _STILL_PX))


def _cells(pixels: NDArray[np.floating], size_px: tuple[int, int]) -> int:
    """How many cells of a grid over the picture hold some of the (N, 2) pixels."""
    cells = np.clip(pixels / np.array(size_px) * _CELLS, 0, _CELLS - 1).astype(int)
    return len(np.unique(cells[:, 0] * _CELLS + cells[:, 1]))
