"""Planar bundle adjustment: camera poses over flat ground from ties between photos and their position tags.

Per photo six unknowns (north, east, log height, heading, pitch, roll); common to the flight how the tags differ from
the camera: a lever in the body frame (a tag that trails behind the camera by the receiver's lag looks just so, since
the nose points where a survey flies) and a linear drift (a receiver that still settles).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.sparse import csc_matrix, csr_matrix, eye
from scipy.sparse.linalg import splu
from scipy.spatial.transform import Rotation

from runtime.survey.mosaic import Ties
from runtime.survey.rays import bluntness

Array = NDArray[np.float64]

PHOTO = 6  # unknowns of a photo: north, east, log height, heading, pitch, roll
HEIGHT = 2  # among them
COMMON = 4  # unknowns of the flight: lever forward and right, drift north and east
_TIE_SIGMA = 4e-3  # of the height, straight down: terrain and houses are no plane; measured on two flights
_LEVER_SIGMA_M = 6.0
_DRIFT_SIGMA_M_S = 0.1
_DIFFERENCE_STEP = np.array([1e-3, 1e-3, 1e-6, 1e-6, 1e-6, 1e-6])
_MAX_EVALUATIONS = 60
_MAX_LOG_HEIGHT = 20.0  # of metres
_INVERSE_COLUMNS = 256  # solved at a time


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of N photos beforehand; NaN where it is not.

    ``tag_ne_m`` (N, 2) and its ``tag_sigma_m`` (N,); ``time_s`` (N,) from the flight's middle;
    ``log_height``, ``heading_rad`` (N,), each with its sigma; ``tilt_sigma_rad`` of pitch and roll about those that are
    known, which the ties' rays are free of.
    """

    tag_ne_m: Array
    tag_sigma_m: Array
    time_s: Array
    log_height: Array
    log_height_sigma: Array
    heading_rad: Array
    heading_sigma_rad: Array
    tilt_sigma_rad: Array  # (N,)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """``photos`` (N, 6): north, east, log height, heading, pitch, roll; ``sigma`` (N, 6) their 1-sigma.

    ``log_height_covariance`` (N, N), which alone knows how far the heights err together: all of them as the tags' scale
    does. ``lever_m`` (2,) forward and right from camera to tag; ``drift_m_s`` (2,) north and east; ``tie_misfit`` (K,)
    of the height; ``tags_missed_m`` (N, 2) from the tags to where lever and drift would put them; ``cost`` half the sum
    of the squared residuals in sigmas, those far off counted less (soft L1).
    """

    photos: Array
    sigma: Array
    log_height_covariance: Array
    lever_m: Array
    drift_m_s: Array
    tie_misfit: Array
    tags_missed_m: Array
    cost: float


def ground_of(photos: Array, whose: NDArray[np.int64], rays: Array) -> Array:
    """(K, 2) north and east where (K, 3) level rays meet the ground, each from the one of (N, 6) poses that (K,)
    ``whose`` names."""
    turned = turn(photos)[whose].apply(rays)  # many rays have one pose: its angles are looked up once
    down = np.maximum(turned[:, 2:], 0.05)
    return np.asarray(photos[whose, :2] + turned[:, :2] / down * heights_m(photos)[whose, None])


def heights_m(photos: Array) -> Array:
    """(K,) heights of (K, 6) poses; where tags are nonsense a step of the adjustment may be beyond all numbers."""
    return np.asarray(np.exp(np.clip(photos[:, HEIGHT], -_MAX_LOG_HEIGHT, _MAX_LOG_HEIGHT)))


def turn(photos: Array) -> Rotation:
    """The rotations from the level frame to north, east, down of (K, 6) poses."""
    return Rotation.from_euler("ZYX", photos[:, 3:6])


def tag_of(photos: Array, time_s: Array, common: Array) -> Array:
    """(N, 2) north and east of the position tags predicted for (N, 6) poses; ``common`` (4,): lever and drift."""
    return photos[:, :2] + lever_ne(photos[:, 3], common[:2]) + time_s[:, None] * common[2:]


def lever_ne(heading_rad: Array, lever_m: Array) -> Array:
    """(N, 2) north and east of a body-frame lever at (N,) headings."""
    cosine, sine = np.cos(heading_rad), np.sin(heading_rad)
    return np.stack([cosine * lever_m[0] - sine * lever_m[1], sine * lever_m[0] + cosine * lever_m[1]], axis=1)


def adjust(start: Array, common: Array, ties: Ties, observed: Observed) -> Adjusted:
    """The most likely (N, 6) poses and (4,) lever and drift by least squares (soft L1), from a first guess of both."""
    problem = _Problem(ties, observed)
    solved = least_squares(
        problem.residuals, np.append(start.ravel(), common), problem.jacobian, loss="soft_l1",
        x_scale="jac", max_nfev=_MAX_EVALUATIONS, xtol=1e-6, ftol=1e-5,
    )  # fmt: skip
    photos, common = problem.split(solved.x)
    variance, heights = problem.covariances(solved.x)
    return Adjusted(
        photos, np.sqrt(variance), heights, common[:2], common[2:], problem.misfit(photos),
        tag_of(photos, observed.time_s, common) - observed.tag_ne_m, float(solved.cost),
    )  # fmt: skip


class _Problem:
    """Residuals in sigmas, and their sparse Jacobian: each row knows one or two photos."""

    def __init__(self, ties: Ties, observed: Observed) -> None:
        self._ties = ties
        self._seen = observed
        self._count = len(observed.time_s)
        self._tie_sigma = _TIE_SIGMA * np.maximum(bluntness(ties.first_ray), bluntness(ties.second_ray))

    def split(self, state: Array) -> tuple[Array, Array]:
        """The photos' (N, 6) and the common (4,) unknowns."""
        return state[: PHOTO * self._count].reshape(-1, PHOTO), state[PHOTO * self._count :]

    def misfit(self, photos: Array) -> Array:
        """(K,) distance of each tie's two ground points, in heights."""
        return np.asarray(np.linalg.norm(self._ties_of(photos, photos), axis=1) * self._tie_sigma)

    def residuals(self, state: Array) -> Array:
        photos, common = self.split(state)
        tags = self._tags_of(photos, common)
        ties = self._ties_of(photos, photos)
        return np.concatenate([ties.ravel(), tags.ravel(), self._priors(photos).ravel(), self._common(common)])

    def jacobian(self, state: Array) -> csr_matrix:
        """Forward differences: moving one unknown of all photos at once shows every photo's own share."""
        photos, common = self.split(state)
        ties, tags, priors = self._ties_of(photos, photos), self._tags_of(photos, common), self._priors(photos)
        entries = _Entries()
        tie_rows = np.arange(ties.size).reshape(ties.shape)
        tag_rows = ties.size + np.arange(tags.size).reshape(tags.shape)
        prior_rows = ties.size + tags.size + np.arange(priors.size).reshape(priors.shape)
        own = PHOTO * np.arange(self._count)
        for q, step in enumerate(_DIFFERENCE_STEP):
            moved = photos.copy()
            moved[:, q] += step
            entries.add(tie_rows, PHOTO * self._ties.first + q, (self._ties_of(moved, photos) - ties) / step)
            entries.add(tie_rows, PHOTO * self._ties.second + q, (self._ties_of(photos, moved) - ties) / step)
            entries.add(tag_rows, own + q, (self._tags_of(moved, common) - tags) / step)
            entries.add(prior_rows, own + q, (self._priors(moved) - priors) / step)
        for q in range(COMMON):
            moved = common + np.eye(COMMON)[q]  # both are linear
            column = np.full(self._count, PHOTO * self._count + q)
            entries.add(tag_rows, column, self._tags_of(photos, moved) - tags)
            row = prior_rows.size + prior_rows[0, 0] + np.array([[q]])
            change = self._common(moved)[q] - self._common(common)[q]
            entries.add(row, np.array([column[0]]), np.array([[change]]))
        return entries.matrix(ties.size + tags.size + priors.size + COMMON, len(state))

    def covariances(self, state: Array) -> tuple[Array, Array]:
        """(N, 6) variances of the photos' unknowns and (N, N) covariance of their log heights, from the weighted normal
        matrix at the solution."""
        residuals = self.residuals(state)
        weight = (1.0 + residuals**2) ** -0.25  # soft L1's
        jacobian = self.jacobian(state).multiply(weight[:, None]).tocsr()
        normal = (jacobian.T @ jacobian + eye(len(state)) * 1e-9).tocsc()
        own, heights = _inverse_parts(normal, self._count)
        spread = max(1.0, float(np.sum((weight * residuals) ** 2) / max(len(residuals) - len(state), 1)))
        return np.maximum(own, 0.0) * spread, heights * spread

    def _ties_of(self, first: Array, second: Array) -> Array:
        i, j = self._ties.first, self._ties.second
        apart = ground_of(first, i, self._ties.first_ray) - ground_of(second, j, self._ties.second_ray)
        level_m = np.sqrt(heights_m(first)[i] * heights_m(second)[j])
        return np.asarray(apart / (level_m * self._tie_sigma)[:, None])

    def _tags_of(self, photos: Array, common: Array) -> Array:
        apart = tag_of(photos, self._seen.time_s, common) - self._seen.tag_ne_m
        return np.asarray(apart / self._seen.tag_sigma_m[:, None])

    def _priors(self, photos: Array) -> Array:
        """(N, 4) height, heading, pitch, roll against what was known; zero where nothing was."""
        seen = self._seen
        heading = np.remainder(photos[:, 3] - seen.heading_rad + np.pi, 2 * np.pi) - np.pi
        apart = np.stack(
            [
                (photos[:, 2] - seen.log_height) / seen.log_height_sigma,
                heading / seen.heading_sigma_rad,
                photos[:, 4] / seen.tilt_sigma_rad,
                photos[:, 5] / seen.tilt_sigma_rad,
            ],
            axis=1,
        )
        return np.asarray(np.nan_to_num(apart, nan=0.0))

    def _common(self, common: Array) -> Array:
        return np.asarray(common / np.array([_LEVER_SIGMA_M, _LEVER_SIGMA_M, _DRIFT_SIGMA_M_S, _DRIFT_SIGMA_M_S]))


def _inverse_parts(matrix: csc_matrix, count: int) -> tuple[Array, Array]:
    """Of a sparse matrix's inverse the diagonal of ``count`` photos as (N, 6), and (N, N) between their log heights,
    without ever holding all of it."""
    factors = splu(matrix)
    diagonal, heights = np.zeros(PHOTO * count), np.zeros((count, count))
    for start in range(0, PHOTO * count, _INVERSE_COLUMNS):
        rows = np.arange(start, min(start + _INVERSE_COLUMNS, PHOTO * count))
        unit = np.zeros((matrix.shape[0], len(rows)))
        unit[rows, rows - start] = 1.0
        columns = factors.solve(unit)
        diagonal[rows] = columns[rows, rows - start]
        of_height = rows[rows % PHOTO == HEIGHT]
        heights[:, of_height // PHOTO] = columns[HEIGHT : PHOTO * count : PHOTO, of_height - start]
    return diagonal.reshape(-1, PHOTO), heights


class _Entries:
    """Collects a sparse matrix."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.int64]] = []
        self._columns: list[NDArray[np.int64]] = []
        self._values: list[Array] = []

    def add(self, rows: NDArray[np.int64], columns: NDArray[np.int64], values: Array) -> None:
        """(K, m) values in (K, m) rows and one column per K."""
        self._rows.append(rows.ravel())
        self._columns.append(np.broadcast_to(columns[:, None], rows.shape).ravel())
        self._values.append(np.asarray(values).ravel())

    def matrix(self, height: int, width: int) -> csr_matrix:
        """All entries; those in one place add up."""
        rows, columns = np.concatenate(self._rows), np.concatenate(self._columns)
        return csr_matrix((np.concatenate(self._values), (rows, columns)), shape=(height, width))
