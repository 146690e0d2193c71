"""From frames and their poses to metric displacements: each picture against one reference, until it is left behind.

While a reference lasts, what is measured against it does not drift: hovering adds nothing up. Another is taken when
the ground it showed leaves the view.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from runtime.camera_model import CameraModel
from runtime.odometry import health
from runtime.odometry.picture import Picture
from runtime.odometry.plane_motion import SLOPE, TURN, PlaneMotion, homography, solve
from runtime.odometry.posed import PosedPicture, prior_between
from runtime.odometry.reference import Last, Reference
from runtime.odometry.result import displacement_of
from runtime.odometry.tracks import Tracks, guess_by_correlation, guess_by_descriptors, track
from runtime.values import Displacement, Frame, Odometry, OdometryFault, Pose

Array = NDArray[np.float64]

_PLANE_PX = 2.0  # from the homography that most features agree on
_LEAST_SIGMA_PX, _MOST_SIGMA_PX = 0.1, 1.5  # of a tracked feature: no better than that, and worse is not tracked
_WORN_SHARE = 0.5  # of the reference's features: with fewer a new one is taken
_WORN_VIEW = 0.65  # of them in view: beyond, too little is left to notice that something is wrong
_WORN_SCALE = 1.3  # between the reference and now: features look different then
_SHARPER = 1.5  # than the reference, which was blurred then
_PATIENCE_NS = 1_000_000_000  # without a measurement, before another reference is tried
_TURNED_OVER_NS = 4_000_000_000  # the same where it turned over: by then a position by sight has been given up
_GUESS_EVERY_NS = 200_000_000  # descriptors cost as much as five frames: at camera rate a fifth of the time
_SPEED_AGE_NS = 1_500_000_000  # of the last measurement, for its speed to be believed


class Odometer:
    """Fed with every frame in order of exposure; keeps one reference picture and the last motion."""

    def __init__(self, camera: CameraModel) -> None:
        self._camera = camera
        self._reference: Reference | None = None
        self._last: Last | None = None
        self._before: Picture | None = None
        self._guessed_t_ns: int | None = None
        self._turned_over = False  # the picture is upside down against the reference
        self._yaw_rad = 0.0  # of the nose by the pictures alone, for poses without a heading

    def update(self, frame: Frame, pose: Pose) -> Odometry:
        """What ``frame`` says of the motion since the reference, given the pose at its exposure."""
        picture = Picture.of(frame.image, self._camera)
        before, self._before = self._before, picture
        if pose.height_agl_m is None or not pose.height_agl_m.value > 0:
            return self._blind(frame.t_ns, OdometryFault.NO_HEIGHT)
        posed = PosedPicture.of(frame.t_ns, picture, pose, pose.height_agl_m, self._yaw_rad)
        if posed.ground_share() < health.LEAST_GROUND:
            return self._blind(frame.t_ns, OdometryFault.HORIZON)
        if before is not None and health.same_picture(before, picture):
            return Odometry(frame.t_ns, None, (OdometryFault.FROZEN,))
        if self._reference is None:
            return self._begun(posed)
        return self._against(self._reference, posed)

    def _blind(self, t_ns: int, fault: OdometryFault) -> Odometry:
        """Nothing can be measured from here: the next picture that shows the ground begins anew."""
        self._reference = self._last = None
        return Odometry(t_ns, None, (fault,))

    def _begun(self, posed: PosedPicture) -> Odometry:
        """Takes ``posed`` for the reference, where it shows enough to be one."""
        reference = Reference.of(posed)
        faults = health.of_reference(posed.picture, reference.features)
        self._reference = None if faults else reference
        self._last = None
        return Odometry(posed.t_ns, None, faults)

    def _against(self, reference: Reference, posed: PosedPicture) -> Odometry:
        expected = self._expected(reference, posed)
        answer, motion, tracks = self._tracked(reference, posed, expected)
        for guess in self._guesses(reference, posed, expected) if answer.faults else ():
            again = self._tracked(reference, posed, guess)
            if not again[0].faults or again[0].agreeing >= answer.agreeing:
                answer, motion, tracks = again
            if not answer.faults:
                break
        if answer.displacement is None or motion is None:
            return self._when_late(reference, posed) or answer
        self._turned_over = False
        self._remember(posed, motion, answer.displacement)
        if self._worn(reference, posed, motion, tracks):
            self._renew(posed)
        return answer

    def _expected(self, reference: Reference, posed: PosedPicture) -> Array:
        """The homography of pixels from the reference's picture that goes on as the last motion did."""
        state = np.zeros(8)
        state[2] = 1.0 - posed.height_m / reference.posed.height_m
        if self._last is not None:
            state[:2], state[3:] = self._last.state[:2], self._last.state[3:]
            if self._last.speed_m_s is not None:
                ahead_s = (posed.t_ns - self._last.t_ns) * 1e-9
                state[:2] += self._last.speed_m_s * ahead_s / reference.posed.height_m
        turned = Rotation.from_rotvec(state[TURN]).as_matrix() @ posed.ned_from_camera
        return _by_pixels(reference, posed, homography(state, reference.posed.ned_from_camera, turned))

    def _guesses(self, reference: Reference, posed: PosedPicture, expected: Array) -> Iterator[Array]:
        """Where else the ground may be, the cheapest first."""
        by_correlation = guess_by_correlation(reference.posed.picture, posed.picture, expected)
        if by_correlation is not None:
            yield by_correlation
        if self._may_guess(posed.t_ns):
            by_descriptors = guess_by_descriptors(reference.posed.picture, posed.picture)
            if by_descriptors is not None:
                yield by_descriptors

    def _tracked(
        self, reference: Reference, posed: PosedPicture, other_from_reference: Array
    ) -> tuple[Odometry, PlaneMotion | None, Tracks]:
        tracks = track(reference.posed.picture, reference.features, posed.picture, other_from_reference)
        return *self._judged(reference, posed, tracks), tracks

    def _judged(
        self, reference: Reference, posed: PosedPicture, tracks: Tracks
    ) -> tuple[Odometry, PlaneMotion | None]:
        count = len(tracks.index)
        if count < health.LEAST_FEATURES:
            faults = health.of_lost(reference.posed.picture, posed.picture)
            return Odometry(posed.t_ns, None, faults, count), None
        prior = prior_between(reference.posed, posed)
        focal_px = posed.picture.camera.fx_px
        here = posed.picture.rays(tracks.pixels)
        first, level = reference.rays[tracks.index], reference.level[tracks.index]
        moved = float(np.median(np.linalg.norm(posed.level(here)[0] - level, axis=1)))
        plane = _dominant_plane(first, here, math.hypot(_PLANE_PX / focal_px, prior.relief * moved))
        if plane.sum() < health.LEAST_FEATURES:
            return Odometry(posed.t_ns, None, (OdometryFault.NO_OVERLAP,), count, int(plane.sum())), None
        motion = solve(
            level, here, posed.ned_from_camera, prior, plane, _LEAST_SIGMA_PX / focal_px, _MOST_SIGMA_PX / focal_px
        )
        if motion.height_ratio <= 0.0:  # fitted to what fits nothing: the ground as seen from below
            return Odometry(posed.t_ns, None, (OdometryFault.NO_OVERLAP,), count, int(plane.sum())), None
        measured = displacement_of(reference.posed, posed, motion)
        faults = (
            *health.of_tracks(reference, posed, tracks, motion),
            *health.of_motion(prior, motion, measured, self._last, reference.posed.height_m),
        )
        if not faults:
            by_rays = homography(motion.state, reference.posed.ned_from_camera, motion.ned_from_camera)
            faults = health.of_likeness(reference.posed, posed, _by_pixels(reference, posed, by_rays))
        answer = Odometry(posed.t_ns, None if faults else measured, faults, count, int(motion.inside.sum()))
        return answer, motion

    def _may_guess(self, t_ns: int) -> bool:
        if self._guessed_t_ns is not None and t_ns - self._guessed_t_ns < _GUESS_EVERY_NS:
            return False
        self._guessed_t_ns = t_ns
        return True

    def _when_late(self, reference: Reference, posed: PosedPicture) -> Odometry | None:
        """Another reference is tried once nothing was measured for long; later where the picture has turned over."""
        late_ns = posed.t_ns - (reference.posed.t_ns if self._last is None else self._last.t_ns)
        if late_ns < _PATIENCE_NS:
            return None
        if late_ns < _TURNED_OVER_NS and (self._turned_over or health.upside_down(reference.posed, posed)):
            self._turned_over = True
            return Odometry(posed.t_ns, None, (OdometryFault.UPSIDE_DOWN,))
        self._turned_over = False
        self._begun(posed)
        return None

    def _remember(self, posed: PosedPicture, motion: PlaneMotion, measured: Displacement) -> None:
        here_m = np.array([measured.north_m, measured.east_m])
        speed = None
        since = self._last
        begun = measured.from_t_ns, np.zeros(2)
        t_ns, there_m = begun if since is None or since.t_ns < measured.from_t_ns else (since.t_ns, since.north_east_m)
        if 0 < posed.t_ns - t_ns <= _SPEED_AGE_NS:
            speed = (here_m - there_m) / ((posed.t_ns - t_ns) * 1e-9)
        self._last = Last(posed.t_ns, motion.state, here_m, speed)
        if math.isinf(posed.heading_sigma_rad):
            self._yaw_rad = math.remainder(posed.yaw_rad + float(motion.state[5]), math.tau)

    def _worn(self, reference: Reference, posed: PosedPicture, motion: PlaneMotion, tracks: Tracks) -> bool:
        scale = motion.height_ratio
        return (
            motion.inside.sum() < _WORN_SHARE * len(reference.features)
            or tracks.in_view < _WORN_VIEW
            or not 1.0 / _WORN_SCALE < scale < _WORN_SCALE
            or posed.picture.sharpness > _SHARPER * reference.posed.picture.sharpness
        )

    def _renew(self, posed: PosedPicture) -> None:
        """Takes the picture that was just measured for the next reference; the speed goes on."""
        assert self._last is not None
        last = self._last
        self._begun(_with_yaw(posed, self._yaw_rad) if math.isinf(posed.heading_sigma_rad) else posed)
        if self._reference is not None:
            state = np.zeros(8)
            state[SLOPE] = last.state[SLOPE]
            self._last = Last(posed.t_ns, state, np.zeros(2), last.speed_m_s)


def _with_yaw(posed: PosedPicture, yaw_rad: float) -> PosedPicture:
    turn = Rotation.from_euler("z", yaw_rad - posed.yaw_rad).as_matrix()
    return replace(posed, ned_from_camera=turn @ posed.ned_from_camera, yaw_rad=yaw_rad)


def _by_pixels(reference: Reference, posed: PosedPicture, by_rays: Array) -> Array:
    """The homography of pixels from the reference's picture that one of rays is."""
    first, second = (_pixels_from_rays(one.picture.camera) for one in (reference.posed, posed))
    return np.asarray(second @ by_rays @ np.linalg.inv(first))


def _pixels_from_rays(camera: CameraModel) -> Array:
    """Intrinsics for pixels whose origin is the middle of the top left one; the lens's bend is left to tracking."""
    matrix = camera.matrix
    matrix[:2, 2] -= 0.5
    return matrix


def _dominant_plane(first: Array, second: Array, threshold: float) -> NDArray[np.bool_]:
    """(N,) which of the (N, 2) rays move as most of them do, as one plane."""
    found, mask = cv2.findHomography(first, second, cv2.USAC_MAGSAC, threshold)
    if np.ndim(found) != 2:
        return np.zeros(len(first), bool)
    return np.asarray(mask.ravel().astype(bool))
