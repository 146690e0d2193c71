"""Where the vehicle was at a frame's instant: attitude by slerp, position along a line, and no guessing beyond that."""

from __future__ import annotations

import bisect
from collections import deque
from dataclasses import dataclass

from runtime.freshness import ATTITUDE_GAP, POSE_AHEAD, POSES_KEPT, POSITION_GAP
from runtime.geodesy import offset
from runtime.interpolation import mix_measured, mix_velocities, point_between, slerp
from runtime.rotations import turned_by_rates
from runtime.values import Attitude, GeoPoint, Measured, NavState, Pose, Position, PositionSource, Quaternion, Velocity


@dataclass(frozen=True, slots=True)
class AttitudeSample:
    """``ned_from_body`` (w, x, y, z) and body rates at ``t_ns``."""

    t_ns: int
    ned_from_body: Quaternion
    rates_rad_s: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class PositionSample:
    """The autopilot's position estimate at ``t_ns``; ``position`` None while it has none."""

    t_ns: int
    position: GeoPoint | None
    sigma_m: float
    altitude_amsl_m: Measured
    height_takeoff_m: Measured
    height_agl_m: Measured | None
    velocity_ned_m_s: Velocity


_Samples = deque[AttitudeSample] | deque[PositionSample]


class PoseBuffer:
    """The last seconds of attitude and position, in our time; `at` answers only for instants that it covers."""

    def __init__(
        self,
        keep_s: float = POSES_KEPT.seconds,
        extrapolate_s: float = POSE_AHEAD.seconds,
        heading_sigma_rad: float = 0.05,
    ) -> None:
        self._keep_ns = int(keep_s * 1e9)
        self._beyond_ns = int(extrapolate_s * 1e9)
        self._heading_sigma_rad = heading_sigma_rad
        self._attitudes: deque[AttitudeSample] = deque()
        self._positions: deque[PositionSample] = deque()
        self._between: tuple[int, NavState] | None = None  # the last that was asked for between two samples of each

    def clear(self) -> None:
        """Drop everything: the autopilot rebooted, or its clock was set."""
        self._attitudes.clear()
        self._positions.clear()
        self._between = None

    def add_attitude(self, sample: AttitudeSample) -> None:
        """Append; a sample that is not newer than the last is reordered or repeated, and dropped."""
        if self._attitudes and sample.t_ns <= self._attitudes[-1].t_ns:
            return
        self._attitudes.append(sample)
        while sample.t_ns - self._attitudes[0].t_ns > self._keep_ns:
            self._attitudes.popleft()

    def add_position(self, sample: PositionSample) -> None:
        """Append, with the same rule as for attitude."""
        if self._positions and sample.t_ns <= self._positions[-1].t_ns:
            return
        self._positions.append(sample)
        while sample.t_ns - self._positions[0].t_ns > self._keep_ns:
            self._positions.popleft()

    def missing(self, t_ns: int) -> str | None:
        """Why `at` has no answer: "no_attitude", "no_position", "too_old", "too_new" or "gap"; None if it has one."""
        if not self._attitudes or not self._positions:
            return "no_position" if self._attitudes else "no_attitude"
        return self._hole(self._attitudes, t_ns, ATTITUDE_GAP.ns) or self._hole(
            self._positions, t_ns, POSITION_GAP.ns
        )

    def _hole(self, samples: _Samples, t_ns: int, gap_ns: int) -> str | None:
        first, last = samples[0].t_ns, samples[-1].t_ns
        if t_ns < first:
            return "too_old"
        if t_ns > last:
            return "too_new" if t_ns - last > self._beyond_ns else None
        after = _first_from(samples, t_ns)
        if samples[after].t_ns != t_ns and samples[after].t_ns - samples[after - 1].t_ns > gap_ns:
            return "gap"
        return None

    def at(self, t_ns: int) -> NavState | None:
        """The state at ``t_ns``, or None; `missing` says why."""
        if self.missing(t_ns) is not None:
            return None
        if self._between is not None and self._between[0] == t_ns:  # of a frame it is asked tick after tick
            return self._between[1]
        state = self._state(t_ns, self._attitude_at(t_ns), self._position_at(t_ns))
        if t_ns <= min(self._attitudes[-1].t_ns, self._positions[-1].t_ns):  # later samples change nothing of it
            self._between = t_ns, state
        return state

    def latest(self) -> NavState | None:
        """The newest position with the attitude of that instant, or the nearest; None before both have come."""
        if not self._attitudes or not self._positions:
            return None
        position = self._positions[-1]
        return self._state(position.t_ns, self._attitude_at(position.t_ns), position)

    def _state(self, t_ns: int, ned_from_body: Quaternion, where: PositionSample) -> NavState:
        pose = Pose(
            t_ns=t_ns,
            altitude_amsl_m=where.altitude_amsl_m,
            height_takeoff_m=where.height_takeoff_m,
            height_agl_m=where.height_agl_m,
            attitude=Attitude(ned_from_body, self._heading_sigma_rad, "vehicle"),
        )
        if where.position is None:
            return NavState(pose, None)
        velocity = where.velocity_ned_m_s
        return NavState(pose, Position.circular(where.position, where.sigma_m, PositionSource.AUTOPILOT, velocity))

    def _attitude_at(self, t_ns: int) -> Quaternion:
        samples = self._attitudes
        after = _first_from(samples, t_ns)
        if after == len(samples):
            last = samples[-1]
            ahead_s = min(t_ns - last.t_ns, self._beyond_ns) * 1e-9
            return turned_by_rates(last.ned_from_body, last.rates_rad_s, ahead_s)
        if after == 0:
            return samples[0].ned_from_body
        a, b = samples[after - 1], samples[after]
        return slerp(a.ned_from_body, b.ned_from_body, (t_ns - a.t_ns) / (b.t_ns - a.t_ns))

    def _position_at(self, t_ns: int) -> PositionSample:
        samples = self._positions
        after = _first_from(samples, t_ns)
        if after == len(samples):
            return _moved(samples[-1], (t_ns - samples[-1].t_ns) * 1e-9)
        if after == 0 or samples[after].t_ns == t_ns:
            return samples[after]
        a, b = samples[after - 1], samples[after]
        return _between(a, b, (t_ns - a.t_ns) / (b.t_ns - a.t_ns))


def _first_from(samples: _Samples, t_ns: int) -> int:
    """Index of the first sample at or after ``t_ns``; their number when all are before."""
    return bisect.bisect_left(samples, t_ns, key=lambda sample: sample.t_ns)


def _between(a: PositionSample, b: PositionSample, share: float) -> PositionSample:
    return PositionSample(
        t_ns=a.t_ns + round((b.t_ns - a.t_ns) * share),
        position=point_between(a.position, b.position, share) if a.position and b.position else None,
        sigma_m=max(a.sigma_m, b.sigma_m),
        altitude_amsl_m=mix_measured(a.altitude_amsl_m, b.altitude_amsl_m, share),
        height_takeoff_m=mix_measured(a.height_takeoff_m, b.height_takeoff_m, share),
        height_agl_m=mix_measured(a.height_agl_m, b.height_agl_m, share) if a.height_agl_m and b.height_agl_m else None,
        velocity_ned_m_s=mix_velocities(a.velocity_ned_m_s, b.velocity_ned_m_s, share),
    )


def _moved(sample: PositionSample, dt_s: float) -> PositionSample:
    """``sample`` carried on by its own velocity; the caller has bounded ``dt_s``."""
    north, east, down = (v * dt_s for v in sample.velocity_ned_m_s)

    def raised(m: Measured) -> Measured:
        return Measured(m.value - down, m.sigma, m.source)

    return PositionSample(
        t_ns=sample.t_ns + round(dt_s * 1e9),
        position=None if sample.position is None else offset(sample.position, north, east),
        sigma_m=sample.sigma_m,
        altitude_amsl_m=raised(sample.altitude_amsl_m),
        height_takeoff_m=raised(sample.height_takeoff_m),
        height_agl_m=None if sample.height_agl_m is None else raised(sample.height_agl_m),
        velocity_ned_m_s=sample.velocity_ned_m_s,
    )
