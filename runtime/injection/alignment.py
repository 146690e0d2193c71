"""From the position by sight to the one that is fed, so that nothing jumps when the autopilot begins to fly on it.

A history and a receiver may lie metres apart for good. What is fed begins where the autopilot believes to be, and then
goes over to where sight sees the aircraft, slowly enough that no controller notices.
"""

from __future__ import annotations

import math

from runtime.values import Covariance

_SMOOTHED_S = 2.0  # over which the difference is averaged while the autopilot flies on its own
_GLIDE_M_S = 0.3  # by which what is fed goes over to sight: a breath of wind

NorthEast = tuple[float, float]


class Alignment:
    """The offset that is added to the position by sight: north, east in metres."""

    def __init__(self) -> None:
        self.north_east_m: NorthEast | None = None
        self._t_ns = 0

    def follow(self, t_ns: int, apart_m: NorthEast) -> None:
        """Follows ``apart_m``, the autopilot's position less that by sight."""
        if self.north_east_m is None:
            self.north_east_m = apart_m
        else:
            share = 1.0 - math.exp(-max(0, t_ns - self._t_ns) * 1e-9 / _SMOOTHED_S)
            north, east = self.north_east_m
            self.north_east_m = north + share * (apart_m[0] - north), east + share * (apart_m[1] - east)
        self._t_ns = t_ns

    def hold(self, t_ns: int) -> None:
        """Keeps the offset as it is."""
        self._t_ns = t_ns

    def glide(self, t_ns: int) -> None:
        """Takes the offset off, little by little."""
        north, east = self.north_east_m or (0.0, 0.0)
        length_m, step_m = math.hypot(north, east), _GLIDE_M_S * max(0, t_ns - self._t_ns) * 1e-9
        left = 0.0 if length_m <= step_m else 1.0 - step_m / length_m
        self.north_east_m = north * left, east * left
        self._t_ns = t_ns

    def set(self, t_ns: int, north_east_m: NorthEast) -> None:
        """Sets the offset: to nothing, where sight alone counts."""
        self.north_east_m, self._t_ns = north_east_m, t_ns

    def forget(self) -> None:
        """Knows of no offset any more."""
        self.north_east_m = None

    def widened(self, covariance_m2: Covariance) -> Covariance:
        """The covariance of what is fed: an offset is an error that is known of."""
        (nn, ne), (_, ee) = covariance_m2
        north, east = self.north_east_m or (0.0, 0.0)
        return (nn + north * north, ne + north * east), (ne + north * east, ee + east * east)
