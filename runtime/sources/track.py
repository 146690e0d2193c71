"""Where an aircraft was over a telemetry log's time, interpolated to any instant within it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from runtime.errors import TelemetryError
from runtime.freshness import LOG_GAP
from runtime.heights import above_flat_ground
from runtime.interpolation import mix, mix_velocities, point_between, slerp
from runtime.sources.accuracy import GPS_SIGMA_M
from runtime.values import Attitude, GeoPoint, Measured, NavState, Pose, Position, PositionSource, Quaternion, Velocity

_BEYOND_S = 0.05  # past the ends of a log: less than half a period of any stream but a 1 Hz one
_GAP_PERIODS = 5.0  # a hole in a stream longer than this is no longer bridged, nor one beyond LOG_GAP
_AMSL_SIGMA_M = 5.0  # the same, of the height
_HEADING_SIGMA_RAD = math.radians(4.0)  # a fused compass
_BAROMETER_SIGMA_M = 1.0


@dataclass(frozen=True, slots=True)
class PlaceSample:
    """One position report at ``t_s`` of the log; heights in metres, velocity north, east, down; sigmas as the log
    reports its own accuracy; None: not said."""

    t_s: float
    position: GeoPoint
    altitude_amsl_m: float | None = None
    height_takeoff_m: float | None = None
    height_agl_m: float | None = None
    velocity_ned_m_s: Velocity | None = None
    sigma_m: float | None = None
    altitude_sigma_m: float | None = None


@dataclass(frozen=True, slots=True)
class TurnSample:
    """One attitude report: of the body, or of the frame a stabilised camera is mounted in."""

    t_s: float
    ned_from_body: Quaternion


class Track:
    """A log's positions and attitudes, each a stream of its own rate; times from the log's start. ``source`` names the
    kind of log; ``utc_start_s`` is its start in seconds since 1970, ``boot_start_s`` by the vehicle's clock, None where
    it does not say; ``word``: whose word the positions are, where more than one had any.

    Raises:
        TelemetryError: there is not a single position.
    """

    def __init__(
        self,
        places: Sequence[PlaceSample],
        turns: Sequence[TurnSample],
        name: str,
        source: str,
        position_source: PositionSource,
        stabilised: bool = False,
        utc_start_s: float | None = None,
        boot_start_s: float | None = None,
        word: str = "",
    ) -> None:
        if not places:
            raise TelemetryError(f"{name}: holds no positions.")
        self.name = name
        self.utc_start_s = utc_start_s
        self.boot_start_s = boot_start_s
        self.word = word
        self.stabilised = stabilised  # the attitudes are a gimbal's, not the airframe's
        self._source = source
        self._position_source = position_source
        self._places = _ascending(places)
        self._turns = _ascending(turns)
        self._place_times = [sample.t_s for sample in self._places]
        self._turn_times = [sample.t_s for sample in self._turns]
        self._place_period_s = _period(self._place_times)
        self._turn_period_s = _period(self._turn_times)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def places(self) -> Sequence[PlaceSample]:
        """Its positions, by time."""
        return self._places

    @property
    def span_s(self) -> tuple[float, float]:
        """First and last instant with a position."""
        return self._place_times[0], self._place_times[-1]

    def at(self, t_s: float) -> NavState | None:
        """The state at an instant, positions linearly and attitudes spherically interpolated.

        None beyond the log's ends (by more than 50 ms, or a period of a slow log) and in its holes. Without an
        attitude report near by the pose has none.
        """
        found = _around(self._place_times, t_s, self._place_period_s)
        if found is None:
            return None
        low, high, share = found
        around = self._places[low], self._places[high], share
        pose, position = self._heights(*around, t_s), self._position(*around)
        attitude = self._attitude(t_s)
        if attitude is not None:
            pose = replace(pose, attitude=Attitude(attitude, _HEADING_SIGMA_RAD, self._source))
        return NavState(pose, position)

    def _position(self, a: PlaceSample, b: PlaceSample, share: float) -> Position:
        velocity = None
        if a.velocity_ned_m_s is not None and b.velocity_ned_m_s is not None:
            velocity = mix_velocities(a.velocity_ned_m_s, b.velocity_ned_m_s, share)
        point = point_between(a.position, b.position, share)
        sigma_m = _worse(a.sigma_m, b.sigma_m, GPS_SIGMA_M)
        return Position.circular(point, sigma_m, self._position_source, velocity)

    def _heights(self, a: PlaceSample, b: PlaceSample, share: float, t_s: float) -> Pose:
        takeoff_m = _mix(a.height_takeoff_m, b.height_takeoff_m, share)
        agl_m = _mix(a.height_agl_m, b.height_agl_m, share)
        amsl_m = _mix(a.altitude_amsl_m, b.altitude_amsl_m, share)
        amsl_sigma_m = _worse(a.altitude_sigma_m, b.altitude_sigma_m, _AMSL_SIGMA_M)
        height = Measured(agl_m, 0.5, f"{self._source} rangefinder") if agl_m is not None else None
        takeoff = None if takeoff_m is None else Measured(takeoff_m, _BAROMETER_SIGMA_M, self._source)
        if height is None and takeoff is not None and takeoff.value > 0:
            height = above_flat_ground(takeoff)
        return Pose(
            t_ns=round(t_s * 1e9),
            altitude_amsl_m=None if amsl_m is None else Measured(amsl_m, amsl_sigma_m, self._source),
            height_takeoff_m=takeoff,
            height_agl_m=height,
        )

    def _attitude(self, t_s: float) -> Quaternion | None:
        found = _around(self._turn_times, t_s, self._turn_period_s)
        if found is None:
            return None
        low, high, share = found
        a, b = self._turns[low].ned_from_body, self._turns[high].ned_from_body
        return a if low == high else slerp(a, b, share)


_Sample = TypeVar("_Sample", PlaceSample, TurnSample)


def _ascending(samples: Sequence[_Sample]) -> list[_Sample]:
    """By time, for logs are written by several threads; one per instant, the first: of a clock that counts whole
    seconds, or stands still, it is the one that was then."""
    return [sample for _, sample in sorted({sample.t_s: sample for sample in reversed(samples)}.items())]


def _period(times: Sequence[float]) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _around(times: Sequence[float], t_s: float, period_s: float) -> tuple[int, int, float] | None:
    """Indices of the samples on both sides, and how far between them; a little beyond the ends is their end."""
    if not times:
        return None
    beyond_s = max(_BEYOND_S, period_s) + 1e-9
    if t_s <= times[0]:
        return (0, 0, 0.0) if times[0] - t_s <= beyond_s else None
    if t_s >= times[-1]:
        last = len(times) - 1
        return (last, last, 0.0) if t_s - times[-1] <= beyond_s else None
    high = bisect_left(times, t_s)
    low = high - 1
    gap_s = times[high] - times[low]
    if gap_s > max(period_s, min(_GAP_PERIODS * period_s, LOG_GAP.seconds), _BEYOND_S):
        return None
    return low, high, (t_s - times[low]) / gap_s


def _mix(a: float | None, b: float | None, share: float) -> float | None:
    return None if a is None or b is None else mix(a, b, share)


def _worse(a: float | None, b: float | None, unsaid: float) -> float:
    """The sigma between two samples, the larger of theirs."""
    return max(unsaid if a is None else a, unsaid if b is None else b)
