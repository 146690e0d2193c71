"""Whether the satellite receiver's positions can be true, by what the camera shows; a disagreement stays.

Two tests, each against its own uncertainty: the receiver's position against the vision's, and its displacement over a
few windows of time against odometry's, which no fix is needed for and which a slow bias of map or receiver cancels out
of. An offset must last before it is an alarm: one bad fix, or one jump of a receiver that finds its way back, is none.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.geodesy import north_east_m
from runtime.localizer.dead_reckoning import DeadReckoning
from runtime.values import Estimate, Odometry, Position

Array = NDArray[np.float64]
_POSITION = "position"  # the test that needs a fix; the others go by displacements


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """When the receiver is called a liar.

    A position off by ``position_sigmas``, or a displacement over one of ``windows_s`` off by ``displacement_sigmas``,
    for ``lasting_s`` and ``samples`` reports in a row. ``map_m``: how far the history's positions and the receiver's
    may lie apart for good, per axis. ``wander_m``: by how much an honest receiver wanders within a window, per axis.
    ``reckoned_age_s``: how much older than a report the newest displacement may be; meanwhile the aircraft goes on as
    it did, give or take ``acceleration_m_s2``.
    """

    position_sigmas: float = 4.0
    displacement_sigmas: float = 5.0
    windows_s: tuple[float, ...] = (5.0, 10.0, 20.0, 40.0)
    lasting_s: float = 0.8
    samples: int = 3
    map_m: float = 2.0
    wander_m: float = 1.0
    reckoned_age_s: float = 1.0
    acceleration_m_s2: float = 2.5


@dataclass(frozen=True, slots=True)
class GpsAlarm:
    """Since when (``t_ns``) the receiver disagrees, by how many metres and sigmas, and in words."""

    t_ns: int
    offset_m: float
    sigmas: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Moment:
    """The receiver and the dead reckoning at one instant."""

    t_ns: int
    gps: Position
    reckoned: DeadReckoning


class GpsWatch:
    """Compares every report of the receiver with what the camera shows; `alarm` is set once and stays.

    ``vision_at``: the estimate by sight alone at an instant of the last seconds.
    """

    def __init__(self, vision_at: Callable[[int], Estimate], limits: WatchLimits | None = None) -> None:
        self._vision_at = vision_at
        self._limits = limits or WatchLimits()
        self._reckoned: DeadReckoning | None = None
        self._moments: deque[_Moment] = deque()
        self._doubtful: dict[str, list[int]] = {}  # instants in a row at which a test failed
        self.alarm: GpsAlarm | None = None

    def on_odometry(self, odometry: Odometry) -> None:
        """Takes what one frame says of the motion; where it measured none, or not from where the last one ended,
        displacements begin anew."""
        displacement, before = odometry.displacement, self._reckoned
        if displacement is None or (before is not None and displacement.from_t_ns > before.t_ns):
            before = None
            self._moments.clear()
        if displacement is not None:
            before = (before or DeadReckoning.started(displacement)).carried(displacement)
        self._reckoned = before

    def on_gps(self, t_ns: int, gps: Position) -> GpsAlarm | None:
        """Takes the receiver's own position; the alarm where this report raises it, None before and after."""
        if self.alarm is not None or not math.isfinite(gps.sigma_m):
            return None
        found = [self._position_off(t_ns, gps), *self._displacements_off(t_ns, gps)]
        self._remember(t_ns, gps)
        alarms = [alarm for alarm in found if alarm is not None]
        if alarms:
            self.alarm = max(alarms, key=lambda alarm: alarm.sigmas)
        return self.alarm

    def _position_off(self, t_ns: int, gps: Position) -> GpsAlarm | None:
        vision = self._vision_at(t_ns)
        if not vision.trusted or vision.position is None:
            return self._tested(_POSITION, t_ns, None, 0.0, 0.0)
        apart = np.array(north_east_m(vision.position, gps.point))
        spread = np.array(vision.covariance_m2) + np.array(gps.covariance_m2) + np.eye(2) * self._limits.map_m**2
        return self._tested(
            _POSITION, t_ns, apart, _sigmas(apart, spread), self._limits.position_sigmas,
            "the receiver is {offset:.0f} m from where the camera sees the aircraft ({sigmas:.1f} sigma)",
        )  # fmt: skip

    def _displacements_off(self, t_ns: int, gps: Position) -> list[GpsAlarm | None]:
        if self._reckoned is None or self._behind_s(t_ns, self._reckoned) > self._limits.reckoned_age_s:
            self._doubtful = {test: since for test, since in self._doubtful.items() if test == _POSITION}
            return []
        return [self._displacement_off(t_ns, gps, self._reckoned, window_s) for window_s in self._limits.windows_s]

    def _displacement_off(
        self, t_ns: int, gps: Position, reckoned: DeadReckoning, window_s: float
    ) -> GpsAlarm | None:
        name = f"displacement over {window_s:g} s"
        before = next((one for one in reversed(self._moments) if t_ns - one.t_ns >= window_s * 1e9), None)
        if before is None or reckoned.t_ns - before.reckoned.t_ns < 0.5e9 * window_s:
            return self._tested(name, t_ns, None, 0.0, 0.0)
        way, spread = reckoned.since(before.reckoned)
        # the newest frame and the newest report are not of one instant: the rest of the way at the same pace
        way = way * (t_ns - before.t_ns) / (reckoned.t_ns - before.reckoned.t_ns)
        apart = np.array(north_east_m(before.gps.point, gps.point)) - way
        unseen = [self._behind_s(one_ns, one) for one_ns, one in ((before.t_ns, before.reckoned), (t_ns, reckoned))]
        changed_m2 = sum((0.5 * self._limits.acceleration_m_s2 * seconds**2) ** 2 for seconds in unseen)
        spread = spread + np.eye(2) * (2.0 * self._limits.wander_m**2 + changed_m2)
        return self._tested(
            name, t_ns, apart, _sigmas(apart, spread), self._limits.displacement_sigmas,
            "over " + f"{window_s:g} s" + " the receiver moved {offset:.0f} m otherwise than the ground in the camera "
            "({sigmas:.1f} sigma)",
        )  # fmt: skip

    def _tested(
        self, test: str, t_ns: int, apart: Array | None, sigmas: float, limit: float, words: str = ""
    ) -> GpsAlarm | None:
        """An alarm once a test has failed for long enough."""
        if apart is None or sigmas < limit:
            self._doubtful.pop(test, None)
            return None
        since = self._doubtful.setdefault(test, [])
        since.append(t_ns)
        if len(since) < self._limits.samples or t_ns - since[0] < self._limits.lasting_s * 1e9:
            return None
        offset_m = float(np.hypot(*apart))
        return GpsAlarm(since[0], offset_m, sigmas, words.format(offset=offset_m, sigmas=sigmas))

    @staticmethod
    def _behind_s(t_ns: int, reckoned: DeadReckoning) -> float:
        """How long before an instant the way was last measured."""
        return max(0.0, (t_ns - reckoned.t_ns) * 1e-9)

    def _remember(self, t_ns: int, gps: Position) -> None:
        if self._reckoned is None or self._behind_s(t_ns, self._reckoned) > self._limits.reckoned_age_s:
            return
        self._moments.append(_Moment(t_ns, gps, self._reckoned))
        while t_ns - self._moments[0].t_ns > 1.2e9 * max(self._limits.windows_s):
            self._moments.popleft()


def _sigmas(apart_m: Array, covariance_m2: Array) -> float:
    return math.sqrt(float(apart_m @ np.linalg.solve(covariance_m2, apart_m)))
