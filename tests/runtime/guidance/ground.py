"""Grounds that a history covers, in metres about the vehicle's home."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtime.geodesy import offset
from runtime.values import Coverage, GeoPoint
from sim.authority.pilot import HOME

Corner = tuple[float, float]


def at(north_m: float, east_m: float) -> GeoPoint:
    return offset(HOME, north_m, east_m)


def seen(centres_m: Sequence[Corner], footprint_m: float | Sequence[float] = 100.0) -> Coverage:
    points = [at(*centre) for centre in centres_m]
    degrees = np.array([(point.latitude_deg, point.longitude_deg) for point in points]).reshape(-1, 2)
    return Coverage(degrees, np.broadcast_to(np.asarray(footprint_m, float), len(points)).copy())


def track(corners: Sequence[Corner], every_m: float = 20.0) -> list[Corner]:
    """The centres of the keyframes of a flight along a line."""
    found: list[Corner] = []
    for start, end in zip(corners, corners[1:], strict=False):
        count = max(1, round(float(np.hypot(end[0] - start[0], end[1] - start[1])) / every_m))
        found += [tuple(np.add(start, np.subtract(end, start) * k / count).tolist()) for k in range(count)]
    return [*found, corners[-1]]
