"""Predicts where a flight's receiver would have tagged a camera of any pose near it, from the offsets between the
cameras and the tags of its recorded keyframes: least-squares collocation.

Cameras of overlapping photos are solved to within a metre of one another; the receiver that tagged them may lag, drift
and wander by far more, which whoever compares fixes with such tags has to account for. The offset is taken as a sum of
independent normal signals: one for the whole flight, one that grows over the ground as a drifting receiver's does over
a survey, a lever in the body frame (a lag has the same effect, since the nose points where a survey flies), and one
that two photos share when they were taken near each other with the same heading, as neighbours on a survey line are.
H. Moritz, Advanced Physical Geodesy, 1980, part B; tags far off count less, as Student's t has it (Lange et al.,
JASA 84, 1989).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from runtime.camera_model import CameraModel
from runtime.geodesy import north_east_m
from runtime.values import GeoPoint, Keyframe
from runtime.view import GroundPlane

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_STUDENT_FREEDOM = 2.0  # degrees: a receiver that repeats itself, or overshoots a turn, errs by tens of metres
_REWEIGHTINGS = 15  # the weights have settled by then
_MAX_TAGS = 400  # evenly picked of a flight's; more cost seconds and say little new


@dataclass(frozen=True, slots=True)
class Signals:
    """1-sigma per axis of what makes up an offset; compared by `tests.bench.tag_field`.

    ``slope``: metres per metre of ground. ``shared_m`` is shared within about ``shared_reach_m`` and
    ``shared_turn_rad``. ``tag_m``: of a single tag, for itself.
    """

    common_m: float = 10.0
    slope: float = 0.25
    lever_m: float = 10.0
    shared_m: float = 4.0
    shared_reach_m: float = 50.0
    shared_turn_rad: float = 0.3
    tag_m: float = 3.0

    def covariance(self, places_a: Array, headings_a: Array, places_b: Array, headings_b: Array) -> Complex:
        """(N, M) between offsets as complex numbers, north and i east; a turn of the lever is then a factor."""
        apart2 = ((places_a[:, None] - places_b[None]) ** 2).sum(axis=2)
        turned = headings_a[:, None] - headings_b[None]
        near = apart2 / (2 * self.shared_reach_m**2) + (1.0 - np.cos(turned)) / self.shared_turn_rad**2
        return np.asarray(
            self.common_m**2
            + self.slope**2 * (places_a @ places_b.T)
            + self.lever_m**2 * np.exp(1j * turned)
            + self.shared_m**2 * np.exp(-near)
        )


SIGNALS = Signals()


@dataclass(frozen=True, slots=True)
class TagOffset:
    """From the camera to what the flight's tags would say, north and east, and its 1-sigma per axis."""

    north_m: float
    east_m: float
    sigma_m: float


class TagField:
    """The tag offsets of one flight.

    Args:
        cameras_m: (N, 2) north and east of the keyframes' cameras from any fixed point; N at least 1.
        headings_rad: (N,) where their image tops point.
        offsets_m: (N, 2) north and east from the cameras to their tags.
    """

    def __init__(
        self, cameras_m: Array, headings_rad: Array, offsets_m: Array, signals: Signals = SIGNALS
    ) -> None:
        self._signals = signals
        chosen = np.arange(0, len(cameras_m), -(-len(cameras_m) // _MAX_TAGS))
        self._middle_m = cameras_m.mean(axis=0)
        self._places = cameras_m[chosen] - self._middle_m
        self._headings = headings_rad[chosen]
        offsets: Complex = offsets_m[chosen, 0] + 1j * offsets_m[chosen, 1]
        prior = signals.covariance(self._places, self._headings, self._places, self._headings)
        noise = np.full(len(chosen), signals.tag_m**2)
        for _ in range(_REWEIGHTINGS):
            self._factor = cho_factor(prior + np.diag(noise))
            self._weights = cho_solve(self._factor, offsets)
            missed = np.abs(noise * self._weights)  # what is left of each offset
            noise = signals.tag_m**2 * (_STUDENT_FREEDOM + (missed / signals.tag_m) ** 2) / (_STUDENT_FREEDOM + 2.0)
        without_itself = self._weights / np.diag(cho_solve(self._factor, np.eye(len(chosen)))).real
        self._scatter_m = float(np.median(np.abs(without_itself))) / 1.18  # median of a Rayleigh is 1.18 sigma

    def at(self, camera_m: Array, heading_rad: float) -> TagOffset:
        """For a camera at (2,) north and east whose image's top points to ``heading_rad``; its sigma holds how far
        each tag lies from what the others say of it."""
        place, heading = camera_m[None] - self._middle_m, np.array([heading_rad])
        shared = self._signals.covariance(place, heading, self._places, self._headings)[0]
        offset = complex(shared @ self._weights)
        known = float((shared @ cho_solve(self._factor, shared.conj())).real)
        own = float(self._signals.covariance(place, heading, place, heading)[0, 0].real)
        return TagOffset(offset.real, offset.imag, float(np.sqrt(max(own - known, 0.0) + self._scatter_m**2)))


def tag_field_of(keyframes: Iterable[Keyframe], origin: GeoPoint, camera: CameraModel) -> TagField | None:
    """The offsets from the cameras of a flight's keyframes to their tags, in metres about ``origin``; None where no
    keyframe has a tag apart from its position, and the positions are taken as they are.

    ``camera``: as the fixer's. Of it only the mounting is used, for keyframes whose camera's position is not kept.
    """
    rows = []
    for keyframe in keyframes:
        if keyframe.tag is None or keyframe.pose.heading is None:
            continue
        camera_m = _camera_m(keyframe, origin, camera)
        if camera_m is None:
            continue
        tag_m = np.array(north_east_m(origin, keyframe.tag.point))
        rows.append([*camera_m, keyframe.pose.heading.value, *(tag_m - camera_m)])
    if not rows:
        return None
    table = np.array(rows)
    return TagField(table[:, :2], table[:, 2], table[:, 3:])


def _camera_m(keyframe: Keyframe, origin: GeoPoint, camera: CameraModel) -> Array | None:
    """(2,) north and east of a keyframe's camera: its position, else from where it looked."""
    if keyframe.position is not None:
        return np.array(north_east_m(origin, keyframe.position.point))
    plane = GroundPlane.of(camera, keyframe.pose)
    return None if plane is None else np.array(north_east_m(origin, keyframe.ground)) - plane.crop_centre()
