"""One frame after another through odometry and, now and then, a fix, into the localizer; nothing else is believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from runtime.camera_model import CameraModel
from runtime.errors import HomingError
from runtime.geodesy import north_east_m
from runtime.localizer.vision import VisionLocalizer
from runtime.odometry.odometer import Odometer
from runtime.track.moments import Moment
from runtime.values import Decision, Estimate, Fix, Frame, NavState, Odometry, Pose, Position, Vicinity


class FrameFixer(Protocol):
    """The part of `runtime.fix.fixer.Fixer` that is needed."""

    def fix(
        self, frame: Frame, pose: Pose, *, camera: CameraModel | None = None, vicinity: Vicinity | None = None
    ) -> Fix:
        """Where ``frame`` was taken; ``vicinity``: where it is worth looking besides."""
        ...


@dataclass(frozen=True, slots=True)
class Tracked:
    """What is believed after one frame: the ``estimate`` at its instant, the ``fix`` where one was tried, what odometry
    saw, and what tag or telemetry ``said`` of the place."""

    name: str
    t_ns: int
    estimate: Estimate
    fix: Fix | None
    odometry: Odometry
    said: Position | None

    @property
    def error_ne_m(self) -> tuple[float, float] | None:
        """North and east from what was said to the estimate; None where either is unknown."""
        if self.said is None or self.estimate.position is None:
            return None
        return north_east_m(self.said.point, self.estimate.position)

    @property
    def fix_error_ne_m(self) -> tuple[float, float] | None:
        """The same of the fix."""
        if self.said is None or self.fix is None or self.fix.aircraft is None:
            return None
        return north_east_m(self.said.point, self.fix.aircraft)


class Tracker:
    """Follows one flight; ``fix_every_s``: between the instants of the frames that are fixed."""

    def __init__(self, fixer: FrameFixer, localizer: VisionLocalizer, fix_every_s: float) -> None:
        self._fixer = fixer
        self._localizer = localizer
        self._fix_every_ns = round(fix_every_s * 1e9)
        self._fixed_t_ns: int | None = None
        self._odometer: tuple[CameraModel, Odometer] | None = None

    def step(self, moment: Moment) -> Tracked:
        """What is believed after a frame that is later than the last one."""
        frame, pose = moment.frame, moment.pose
        self._localizer.on_nav(NavState(pose, None))
        odometry = self._odometer_of(moment.camera).update(frame, pose)
        self._localizer.on_odometry(odometry)
        fix = self._fix(moment) if self._due(frame.t_ns) else None
        if fix is not None:
            self._localizer.on_fix(fix, None)
        estimate = self._localizer.estimate(frame.t_ns)
        return Tracked(frame.source, frame.t_ns, estimate, fix, odometry, moment.said)

    def _due(self, t_ns: int) -> bool:
        return self._fixed_t_ns is None or t_ns - self._fixed_t_ns >= self._fix_every_ns

    def _fix(self, moment: Moment) -> Fix:
        self._fixed_t_ns = moment.frame.t_ns
        near = self._localizer.estimate(moment.frame.t_ns).vicinity
        try:
            return self._fixer.fix(moment.frame, moment.pose, camera=moment.camera, vicinity=near)
        except HomingError as error:
            return Fix.none(moment.frame.t_ns, str(error))

    def _odometer_of(self, camera: CameraModel) -> Odometer:
        """Odometry begins anew with another camera."""
        if self._odometer is None or self._odometer[0] != camera:
            self._odometer = camera, Odometer(camera)
        return self._odometer[1]


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """Of a flight's frames: how many were followed and fixed, the share that is TRACKING; of those of them whose place
    was said, the errors in metres (sorted) and the shares within the ellipses that hold 68 and 95 % of a Gaussian."""

    frames: int
    fixes: int
    tried: int
    tracking_share: float
    errors_m: tuple[float, ...]
    fix_errors_m: tuple[float, ...]
    inside_68: float | None
    inside_95: float | None
    first_s: float | None

    @classmethod
    def of(cls, tracked: list[Tracked]) -> TrackSummary:
        """The summary of a whole flight."""
        trusted = [one for one in tracked if one.estimate.trusted]
        squares = [square for one in trusted if (square := _normalised(one)) is not None]
        tried = [one for one in tracked if one.fix is not None]
        first = trusted[0].t_ns - tracked[0].t_ns if trusted else None
        return cls(
            frames=len(tracked),
            fixes=sum(one.fix is not None and one.fix.decision is Decision.FIX for one in tried),
            tried=len(tried),
            tracking_share=len(trusted) / max(1, len(tracked)),
            errors_m=_lengths([one.error_ne_m for one in trusted]),
            fix_errors_m=_lengths([one.fix_error_ne_m for one in tried]),
            inside_68=_share(squares, _INSIDE_68),
            inside_95=_share(squares, _INSIDE_95),
            first_s=None if first is None else first * 1e-9,
        )


_INSIDE_68, _INSIDE_95 = 2.279, 5.991  # chi-square with two degrees of freedom


def _lengths(errors_ne_m: list[tuple[float, float] | None]) -> tuple[float, ...]:
    return tuple(sorted(math.hypot(*error) for error in errors_ne_m if error is not None))


def _normalised(one: Tracked) -> float | None:
    """Squared error over covariance: of the estimate and of what was said, together."""
    if one.error_ne_m is None or one.said is None:
        return None
    error = np.array(one.error_ne_m)
    spread = np.array(one.estimate.covariance_m2) + np.array(one.said.covariance_m2)
    return float(error @ np.linalg.solve(spread, error))


def _share(squares: list[float], limit: float) -> float | None:
    return sum(square < limit for square in squares) / len(squares) if squares else None
