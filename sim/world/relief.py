"""Hills under a world: how high its ground lies above the take-off, what stands on it, and the elevation model of it.

A world is laid out, painted and lit as if it were flat, and then lifted: every point goes straight up by the height of
the ground below it. From far above nothing changes, so a map of it is the map of the flat world. Hills throw no
shadows, and hide nothing that lies behind them: views must be steeper than the slopes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from runtime.geodesy import offset
from runtime.values import GeoPoint
from sim.world.meshes import Mesh
from sim.world.noise import tile

Array = npt.NDArray[np.float32]

_NODES = 129  # along a side of the world
_SHORTEST = 64  # nodes: the shortest wavelength, half of that side
_MARGIN = 0.25  # of the side, beyond each of the world's borders


@dataclass(frozen=True, slots=True)
class Relief:
    """``heights_m`` (N, N) float32 above the level of the take-off, at nodes ``step_m`` apart, north-up about the
    world's origin."""

    heights_m: Array
    step_m: float

    @classmethod
    def flat(cls) -> Relief:
        """None."""
        return cls(np.zeros((2, 2), np.float32), 1.0)

    @property
    def is_flat(self) -> bool:
        """Whether there is nothing to lift."""
        return not self.heights_m.any()

    def height_m(self, north_m: npt.ArrayLike, east_m: npt.ArrayLike) -> Array:
        """The ground's heights at points, bilinear; beyond the nodes those of the border."""
        half = (len(self.heights_m) - 1) / 2
        nodes = np.stack([half - np.asarray(north_m) / self.step_m, half + np.asarray(east_m) / self.step_m])
        return np.asarray(map_coordinates(self.heights_m, nodes, order=1, mode="nearest"), np.float32)

    def lifted(self, mesh: Mesh) -> Mesh:
        """What stands on flat ground, standing on this."""
        triangles, centre = mesh.triangles.copy(), mesh.centre.copy()
        for points in (triangles.reshape(-1, 3), centre):
            points[:, 2] -= self.height_m(points[:, 0], points[:, 1])
        return replace(mesh, triangles=triangles, centre=centre)

    def write(self, path: Path, origin: GeoPoint, takeoff_amsl_m: float) -> None:
        """The elevation model: a GeoTIFF of heights above the sea."""
        import rasterio

        half_m = self.step_m * len(self.heights_m) / 2  # to the outermost pixels' borders
        northwest, southeast = offset(origin, half_m, -half_m), offset(origin, -half_m, half_m)
        edges = northwest.longitude_deg, southeast.latitude_deg, southeast.longitude_deg, northwest.latitude_deg
        side = len(self.heights_m)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the affine library's, of what rasterio does with it
            transform = rasterio.transform.from_bounds(*edges, side, side)
            with rasterio.open(
                path, "w", driver="GTiff", count=1, width=side, height=side, dtype="float32", crs="EPSG:4326",
                transform=transform, compress="deflate",
            ) as file:  # fmt: skip
                file.write(self.heights_m + np.float32(takeoff_amsl_m), 1)


def hills(seed: int, side_m: float, difference_m: float, home_ne_m: tuple[float, float]) -> Relief:
    """Hills and valleys of a world of ``side_m``, ``difference_m`` from the lowest of its ground to the highest, level
    0 at ``home_ne_m``, which lies in the upper half; equal arguments give equal hills."""
    rng = np.random.default_rng([seed, 31])
    beyond = round(_MARGIN * _NODES)
    waves = tile(rng, 2 * _NODES, 2.5, shortest=_SHORTEST)[: _NODES + 2 * beyond, : _NODES + 2 * beyond]
    inner = waves[beyond:-beyond, beyond:-beyond]
    heights = difference_m * waves / float(np.ptp(inner))
    middle = difference_m * float(inner.min() + inner.max()) / (2.0 * float(np.ptp(inner)))
    relief = Relief(np.asarray(heights - middle, np.float32), side_m / (_NODES - 1))
    if relief.height_m(*np.array(home_ne_m)[:, None])[0] < 0.0:
        relief = replace(relief, heights_m=-relief.heights_m)
    return replace(relief, heights_m=relief.heights_m - relief.height_m(*np.array(home_ne_m)[:, None])[0])
