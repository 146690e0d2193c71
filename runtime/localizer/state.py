"""The filter's state: what each number is, how it moves by itself, and what a measurement expects of it.

Metres north and east of a fixed point, in this order: position, velocity, the error that successive fixes share, the
natural log of odometry's scale error, odometry's heading error (radians clockwise), and the position at the instant of
odometry's reference picture (a stochastic clone: Roumeliotis and Burdick, ICRA 2002); then, in radians, by how much the
attitude errs in the frame of the body, forward and to the right, which shows in fixes as the aircraft turns.
"""

from __future__ import annotations

import math

import numpy as np

from runtime.localizer.gaussian_sum import Array, GaussianSum
from runtime.localizer.parameters import FilterParameters, FixModel, OdometryModel

POSITION, VELOCITY, SHARED, REFERENCE = slice(0, 2), slice(2, 4), slice(4, 6), slice(8, 10)
TILT = slice(10, 12)
SCALE, HEADING, SIZE = 6, 7, 12
PLACE = 4  # the leading numbers by which two places are told apart: position and velocity
_ANYWHERE_M2 = 1e9  # variance of a position that nothing is known of: 30 km; far more would cost digits


def unknown(parameters: FilterParameters) -> GaussianSum:
    """One component a level that may be anywhere, weighted by how likely its level is beforehand."""
    model = parameters.fixes
    logs = model.prior_logs
    count = len(logs)
    covariances = np.zeros((count, SIZE, SIZE))
    covariances[:, VELOCITY, VELOCITY] = np.eye(2) * parameters.motion.speed_sigma_m_s**2
    covariances[:, SCALE, SCALE] = parameters.odometry.scale_sigma**2
    covariances[:, HEADING, HEADING] = parameters.odometry.heading_sigma_rad**2
    covariances[:, TILT, TILT] = np.eye(2) * model.tilt_sigma_rad**2
    belief = GaussianSum(logs, np.zeros((count, SIZE)), covariances, np.arange(count))
    return anywhere(belief, model).normalised()[0]


def anywhere(belief: GaussianSum, model: FixModel) -> GaussianSum:
    """The same belief with its position forgotten; how it moves, and odometry's errors, are kept.

    The reference's position keeps its offset from the position, and the shared error is that of a first fix.
    """
    means, covariances = belief.means.copy(), belief.covariances.copy()
    means[:, SHARED] = 0.0
    covariances[:, SHARED, :] = covariances[:, :, SHARED] = 0.0
    covariances[:, SHARED, SHARED] = np.eye(2) * shared_variance_m2(belief, model)[:, None, None]
    for rows in (POSITION, REFERENCE):
        for columns in (POSITION, REFERENCE):
            covariances[:, rows, columns] += np.eye(2) * _ANYWHERE_M2
    return GaussianSum(belief.log_weights, means, covariances, belief.levels)


def anywhere_around(north_east_m: Array, parameters: FilterParameters) -> GaussianSum:
    """The belief of an aircraft that may be anywhere on the searched area: a Gaussian around a point of it that is, at
    the point, as dense as all the area is on average."""
    variance_m2 = parameters.fixes.area_m2 / (2.0 * math.pi)
    speeds = np.eye(2) * parameters.motion.speed_sigma_m_s**2
    return known(parameters, north_east_m, math.sqrt(variance_m2), np.zeros(2), speeds)


def shared_variance_m2(belief: GaussianSum, model: FixModel) -> Array:
    """(K,) stationary variance per axis of the error that successive fixes share, by each component's level."""
    variances: Array = (model.factors[1][belief.levels] * model.shared_sigma_m) ** 2
    return variances


def coasted(belief: GaussianSum, seconds: float, parameters: FilterParameters) -> GaussianSum:
    """The belief ``seconds`` later when nothing was measured: constant velocity, pushed by white acceleration."""
    motion, odometry, fixes = parameters.motion, parameters.odometry, parameters.fixes
    speeds = np.hypot(*belief.means[:, VELOCITY].T)
    kept = np.exp(-seconds * speeds / fixes.shared_reach_m)
    renewed_m2 = shared_variance_m2(belief, fixes) * (1.0 - kept**2)
    psd = motion.acceleration_psd
    transitions, noises = np.zeros((2, len(belief), SIZE, SIZE))
    _diagonal(transitions)[:] = 1.0
    for axis in (0, 1):
        position, velocity, shared = POSITION.start + axis, VELOCITY.start + axis, SHARED.start + axis
        transitions[:, position, velocity] = seconds
        transitions[:, shared, shared] = kept
        noises[:, position, position] = psd * seconds**3 / 3.0
        noises[:, position, velocity] = noises[:, velocity, position] = psd * seconds**2 / 2.0
        noises[:, velocity, velocity] = psd * seconds
        noises[:, shared, shared] = renewed_m2
    noises[:, SCALE, SCALE] = odometry.scale_walk**2 * seconds
    noises[:, HEADING, HEADING] = odometry.heading_walk_rad**2 * seconds
    return belief.moved(transitions, noises)


def _diagonal(matrices: Array) -> Array:
    """(K, SIZE) the diagonals of (K, SIZE, SIZE), to be written to."""
    return matrices.reshape(len(matrices), -1)[:, :: SIZE + 1]


def turned(belief: GaussianSum, angle_rad: float) -> GaussianSum:
    """The belief after the velocity turned clockwise with the airframe, as an aeroplane's does."""
    transition = np.eye(SIZE)
    transition[VELOCITY, VELOCITY] = clockwise(angle_rad)
    return belief.moved(transition, np.zeros((SIZE, SIZE)))


def referenced(belief: GaussianSum) -> GaussianSum:
    """The belief with the present position as odometry's reference."""
    transition = np.eye(SIZE)
    transition[REFERENCE] = 0.0
    transition[REFERENCE, POSITION] = np.eye(2)
    return belief.moved(transition, np.zeros((SIZE, SIZE)))


def manoeuvred(belief: GaussianSum, seconds: float, odometry: OdometryModel) -> GaussianSum:
    """The belief of one who holds it possible that the aircraft turned or braked hard in the last ``seconds``."""
    noise = np.zeros((SIZE, SIZE))
    psd = np.eye(2) * odometry.manoeuvre_m_s2**2 * seconds
    noise[POSITION, POSITION] = psd * seconds**3 / 3.0
    noise[POSITION, VELOCITY] = noise[VELOCITY, POSITION] = psd * seconds**2 / 2.0
    noise[VELOCITY, VELOCITY] = psd * seconds
    return belief.moved(np.eye(SIZE), noise)


def fix_slopes(tilt_slopes_m: Array) -> Array:
    """(2, SIZE) what a fix sees: position, shared error and the attitude's, by its ``tilt_slopes_m`` (2, 2)."""
    slopes = np.zeros((2, SIZE))
    slopes[:, POSITION] = slopes[:, SHARED] = np.eye(2)
    slopes[:, TILT] = tilt_slopes_m
    return slopes


def expected_displacement(belief: GaussianSum) -> tuple[Array, Array]:
    """What odometry should say of the way since its reference: (K, 2) metres, and its slopes (K, 2, SIZE)."""
    way = belief.means[:, POSITION] - belief.means[:, REFERENCE]
    factors = np.exp(belief.means[:, SCALE])[:, None, None]
    turns = factors * np.stack([clockwise(angle) for angle in belief.means[:, HEADING]])
    seen = (turns @ way[:, :, None])[:, :, 0]
    slopes = np.zeros((len(belief), 2, SIZE))
    slopes[:, :, POSITION] = turns
    slopes[:, :, REFERENCE] = -turns
    slopes[:, :, SCALE] = seen
    slopes[:, :, HEADING] = np.stack([-seen[:, 1], seen[:, 0]], axis=1)
    return seen, slopes


def clockwise(angle_rad: float) -> Array:
    """(2, 2) the matrix that turns (north, east) clockwise, seen from above."""
    cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[cosine, -sine], [sine, cosine]])


def known(
    parameters: FilterParameters, north_east_m: Array, sigma_m: float, velocity_m_s: Array, covariance_m2_s2: Array
) -> GaussianSum:
    """One component a level for a start whose position and velocity somebody says: ``north_east_m`` (2,) to
    ``sigma_m`` an axis, ``velocity_m_s`` (2,) with its covariance (2, 2). A position that is known otherwise than by a
    fix says nothing of the error that fixes share."""
    belief = unknown(parameters)
    belief.means[:, POSITION] = belief.means[:, REFERENCE] = north_east_m
    belief.means[:, VELOCITY] = velocity_m_s
    belief.covariances[:, VELOCITY, VELOCITY] = covariance_m2_s2
    for rows in (POSITION, REFERENCE):
        for columns in (POSITION, REFERENCE):
            belief.covariances[:, rows, columns] = np.eye(2) * sigma_m**2
    return belief
