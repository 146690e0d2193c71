"""Displacements one after another, from reference picture to reference picture, as one way with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.values import Displacement

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DeadReckoning:
    """Where the aircraft is at ``t_ns`` against where the sum began: ``way_m`` (2,), north and east.

    ``random_m2`` (2, 2): what the displacements' own errors sum up to. ``scale_sigma`` and ``heading_sigma_rad``: the
    newest displacement's, common to all. The sum up to the newest reference picture is kept apart (``base``), since
    displacements from one picture are not added to each other.
    """

    t_ns: int
    way_m: Array
    random_m2: Array
    scale_sigma: float
    heading_sigma_rad: float
    reference_t_ns: int
    base_m: Array
    base_m2: Array

    @classmethod
    def started(cls, first: Displacement) -> DeadReckoning:
        """A sum that begins at a displacement's reference picture."""
        nothing, none = np.zeros(2), np.zeros((2, 2))
        scale, heading = first.scale_sigma, first.heading_sigma_rad
        return cls(first.from_t_ns, nothing, none, scale, heading, first.from_t_ns, nothing, none)

    def carried(self, displacement: Displacement) -> DeadReckoning:
        """The sum with one displacement more; its reference is the last one, or the newest picture."""
        base_m, base_m2 = self.base_m, self.base_m2
        if displacement.from_t_ns != self.reference_t_ns:
            base_m, base_m2 = self.way_m, self.random_m2
        said = np.array([displacement.north_m, displacement.east_m])
        return DeadReckoning(
            displacement.to_t_ns,
            base_m + said,
            base_m2 + np.array(displacement.random_covariance_m2),
            displacement.scale_sigma,
            displacement.heading_sigma_rad,
            displacement.from_t_ns,
            base_m,
            base_m2,
        )

    def since(self, before: DeadReckoning) -> tuple[Array, Array]:
        """The way (2,) from an earlier state of the same sum, and its covariance (2, 2)."""
        way = self.way_m - before.way_m
        across = np.array([-way[1], way[0]])
        common = np.outer(way, way) * self.scale_sigma**2 + np.outer(across, across) * self.heading_sigma_rad**2
        return way, self.random_m2 - before.base_m2 + before.random_m2 - before.base_m2 + common
