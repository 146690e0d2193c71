"""How a body is turned: one rotation, and how well each part of it is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.values.quantities import Measured, Quaternion


@dataclass(frozen=True, slots=True)
class Attitude:
    """A body's rotation against north, east, down. Its heading is no second number beside it but read from it, so that
    the two cannot disagree; make one that stands level with `level`.

    ``heading_sigma_rad`` and ``heading_source`` say how well the turn about the vertical is known and by what: an
    infinite sigma is a tilt without a heading, its rotation then stands at any. ``tilt_measured`` is False where the
    body is only taken for level.
    """

    ned_from_body: Quaternion
    heading_sigma_rad: float = math.inf
    heading_source: str = ""
    tilt_measured: bool = True

    @classmethod
    def level(cls, heading: Measured | None = None) -> Attitude:
        """Taken for level, with a heading in radians clockwise from true north; without one it stands at north."""
        if heading is None:
            return cls((1.0, 0.0, 0.0, 0.0), tilt_measured=False)
        half_rad = heading.value / 2
        return cls((math.cos(half_rad), 0.0, 0.0, math.sin(half_rad)), heading.sigma, heading.source, False)

    @property
    def heading(self) -> Measured | None:
        """Where the nose points, in radians clockwise from true north, in (-pi, pi]; None where that is unknown."""
        if not math.isfinite(self.heading_sigma_rad):
            return None
        return Measured(yaw_of(self.ned_from_body), self.heading_sigma_rad, self.heading_source)


def yaw_of(ned_from_body: Quaternion) -> float:
    """Heading of the nose in radians clockwise from north, in (-pi, pi]."""
    w, x, y, z = ned_from_body
    return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
