"""Where the pixels of a raster lie on the Earth, by its own coordinate system and transform or control points."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.counted import counted
from runtime.errors import GeoreferenceError
from runtime.values import GeoPoint

_LARGEST_SIDE_M = 2_000_000.0  # beyond, one plane about the middle is no picture of the ground
_BORDER_POINTS = 9  # on each side of the raster: the sides of a large one are bent
_STEPS_PX = 0.5, 64.0  # to either side of the middle; PROJ's plane knows nothing within half a millimetre of it
_NEAR_PX = 0.01  # a pixel is found when it is this near
_MAX_STEPS = 30  # each gains three digits on a map of 10 km, one on a map of 1000 km
_MAX_BEND_PX = 3.0  # control points that a plane transform misses by more are of a scan that is bent
_MIN_CONTROL_POINTS = 3
_FALSE_EASTING = re.compile(r'PARAMETER\["false_easting",([0-9.]+)', re.IGNORECASE)
_LEAST_FALSE_EASTING = 100_000.0  # metres or feet: with more, 0, 0 lies where the projection is not used
_NEAR_ORIGIN_M = 1_000.0  # of such a 0, 0: coordinates of a building site
_DEGREES_STEP = 1e-3  # a pixel, as a number: a tenth of a millimetre is none of a map, a hundred metres would be

Pixels = NDArray[np.float64]  # (N, 2): column and row from the raster's upper left corner; the first centre is 0.5, 0.5
Affine = tuple[float, float, float, float, float, float]  # from (column, row): a, b, c of x, then d, e, f of y
Metres = NDArray[np.float64]  # (N, 2): east and north of the raster's middle


class UnplacedError(GeoreferenceError):
    """A picture that says nothing of where it lies: it may still serve where the user knows its scale."""


@dataclass(frozen=True, slots=True)
class Place:
    """Metres east and north of the raster's middle, of its pixels: an azimuthal equidistant plane about ``middle``, in
    which up is true north (a projection's grid north is not).

    ``jacobian`` (2, 2): metres (east, north) per pixel (column, row) at the middle. ``half_m``: how far the raster
    reaches from its middle to the east or west, and to the north or south.
    """

    middle: GeoPoint
    jacobian: NDArray[np.float64]
    half_m: tuple[float, float]
    _local: Any
    _crs: Any
    _affine: Affine
    _centre_px: tuple[float, float]

    @property
    def own_m(self) -> float:
        """Side of a square as large as a pixel."""
        return math.sqrt(abs(float(np.linalg.det(self.jacobian))))

    @property
    def pixel_m(self) -> tuple[float, float]:
        """From one column to the next, and from one row to the next."""
        across, down = np.linalg.norm(self.jacobian, axis=0)
        return float(across), float(down)

    def metres(self, pixels: Pixels) -> Metres:
        """Where pixels lie; NaN where the projection ends."""
        return _projected(self._crs, self._local, self._affine, pixels)

    def pixels(self, metres: Metres) -> Pixels:
        """The pixels that lie there, by Newton's method from the middle's Jacobian; NaN where there is none.

        A projection's own inverse is not asked: across 180 degrees it answers with the other end of the Earth.
        """
        back = np.linalg.inv(self.jacobian).T
        pixels = np.array(self._centre_px) + metres @ back
        for _ in range(_MAX_STEPS):
            missing = (metres - self.metres(pixels)) @ back
            pixels = pixels + missing
            if not (np.abs(missing) > _NEAR_PX).any():
                break
        found = (np.abs(missing) <= _NEAR_PX).all(axis=1)
        return np.where(found[:, None], pixels, np.nan)


def place_of(dataset: Any, path: Path) -> Place:
    """The place of an open raster.

    Raises:
        UnplacedError: it carries no georeference at all.
        GeoreferenceError: it carries one that nobody can place on the Earth.
    """
    from rasterio.crs import CRS

    crs, affine = _georeference(dataset, path)
    centre = (dataset.width / 2, dataset.height / 2)
    if not all(map(math.isfinite, affine)) or affine[0] * affine[4] == affine[1] * affine[3]:
        raise GeoreferenceError(f"{path}: its pixels have no size on the ground (its transform is {affine}).")
    longitude, latitude = _geographic(crs, affine, centre, path)
    local = CRS.from_proj4(f"+proj=aeqd +lat_0={latitude:.9f} +lon_0={longitude:.9f} +datum=WGS84 +units=m")
    jacobian = _jacobian(crs, local, affine, centre)
    _check_origin(crs, affine, centre, path)
    if not np.isfinite(jacobian).all() or abs(float(np.linalg.det(jacobian))) == 0.0:
        raise GeoreferenceError(f"{path}: its pixels have no size on the ground at its middle.")
    middle = GeoPoint(latitude, longitude)
    half_m = _half_m(crs, local, affine, (dataset.width, dataset.height))
    place = Place(middle, jacobian, half_m, local, crs, affine, centre)
    if not max(half_m) <= _LARGEST_SIDE_M:  # or not a number: a corner has no place
        raise GeoreferenceError(
            f"{path}: has pixels of {place.own_m:.3g} m and reaches over more of the Earth than a drone's map; give a "
            "finer map of the place."
        )
    return place


def _check_origin(crs: Any, affine: Affine, centre: tuple[float, float], path: Path) -> None:
    """Refuses coordinates that are none of the system they are said to be in: degrees, or those of a local site."""
    a, b, c, d, e, f = affine
    x, y = a * centre[0] + b * centre[1] + c, d * centre[0] + e * centre[1] + f
    easting = _FALSE_EASTING.search(crs.to_wkt())
    if easting is None or float(easting.group(1)) < _LEAST_FALSE_EASTING:  # its origin may be a place where people fly
        return
    if abs(x) <= 180.0 and abs(y) <= 90.0 and math.hypot(a, d) < _DEGREES_STEP:
        raise GeoreferenceError(
            f"{path}: is said to be in metres, about {x:.5g}, {y:.5g}, which look like degrees; name its "
            f"system anew with `rio edit-info --crs EPSG:4326 {path.name}` if they are."
        )
    if max(abs(x), abs(y)) < _NEAR_ORIGIN_M:
        raise GeoreferenceError(
            f"{path}: lies about {x:.0f}, {y:.0f} m of its projection, as coordinates of a local site do; give a copy "
            "in real coordinates."
        )


def _georeference(dataset: Any, path: Path) -> tuple[Any, Affine]:
    """Coordinate system, and the affine transform from (column, row) into it."""
    points, points_crs = dataset.gcps
    if not dataset.transform.is_identity:
        a, b, c, d, e, f = tuple(dataset.transform)[:6]
        return dataset.crs or _sidecar_crs(path), (a, b, c, d, e, f)
    if points and points_crs:
        return points_crs, _fitted(points, points_crs, path)
    if dataset.rpcs is not None:
        raise GeoreferenceError(
            f"{path}: is placed by rational polynomials (RPC), which need the ground's heights; give the picture that "
            f"`gdalwarp -rpc -to RPC_DEM=heights.tif` makes of it."
        )
    raise UnplacedError(f"{path}: carries no georeference; give a GeoTIFF that says where it lies.")


def _sidecar_crs(path: Path) -> Any:
    """The coordinate system of the ``.prj`` beside a picture with a world file, which says none."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    for beside in (path.with_suffix(".prj"), path.with_suffix(".PRJ")):
        try:
            return CRS.from_wkt(beside.read_text(encoding="utf-8"))
        except (OSError, UnicodeError, CRSError):
            continue
    raise GeoreferenceError(
        f"{path}: says where its pixels lie, but in no coordinate system; name it with "
        f"`rio edit-info --crs EPSG:... {path.name}`, or put a .prj beside it."
    )


def _fitted(points: list[Any], crs: Any, path: Path) -> Affine:
    """The affine transform through ground control points, by least squares."""
    if len(points) < _MIN_CONTROL_POINTS:
        raise GeoreferenceError(f"{path}: has {counted(len(points), 'ground control point')} where three are needed.")
    pixels = np.array([(point.col, point.row, 1.0) for point in points])
    there = np.array([(point.x, point.y) for point in points])
    if crs.is_geographic:  # across 180 degrees
        there[:, 0] = there[0, 0] + (there[:, 0] - there[0, 0] + 180.0) % 360.0 - 180.0
    middle = there.mean(axis=0)
    fit, _, rank, _ = np.linalg.lstsq(pixels, there - middle, rcond=None)
    if rank < 3 or not np.isfinite(fit).all():
        raise GeoreferenceError(f"{path}: its ground control points lie on one line.")
    missed = np.abs((pixels @ fit - (there - middle)) @ np.linalg.pinv(fit[:2])).max()
    if missed > _MAX_BEND_PX:
        raise GeoreferenceError(
            f"{path}: its ground control points miss a plane by up to {missed:.0f} pixels; give the picture that "
            "`gdalwarp -tps` makes of it."
        )
    (a, d), (b, e), (c, f) = fit.tolist()
    return a, b, c + float(middle[0]), d, e, f + float(middle[1])


def _geographic(crs: Any, affine: Any, centre: tuple[float, float], path: Path) -> tuple[float, float]:
    """(longitude, latitude) of the middle, in degrees of WGS-84."""
    from rasterio.crs import CRS

    (longitude, latitude), *_ = _projected(crs, CRS.from_epsg(4326), affine, np.array([centre]))
    if not (math.isfinite(longitude) and math.isfinite(latitude) and abs(latitude) <= 90.0):
        name = re.match(r'\s*\w+\["([^"]*)"', crs.to_wkt())
        called = f' ("{name.group(1)}")' if name and name.group(1) else ""
        raise GeoreferenceError(
            f"{path}: is in coordinates that cannot be placed on the Earth{called}: a local or lunar system, or one "
            "that its middle lies outside of; give a copy in a geographic or projected system of the Earth."
        )
    return (float(longitude) + 180.0) % 360.0 - 180.0, float(latitude)


def _projected(from_crs: Any, into: Any, affine: Any, pixels: Pixels) -> NDArray[np.float64]:
    """(N, 2) pixels in another coordinate system; NaN where they have no place in it."""
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import CRSError, RasterioError
    from rasterio.warp import transform

    a, b, c, d, e, f = affine
    columns, rows = pixels[:, 0], pixels[:, 1]
    known = np.isfinite(pixels).all(axis=1)
    there = np.full(pixels.shape, np.nan)
    if not known.any():
        return there
    x, y = a * columns[known] + b * rows[known] + c, d * columns[known] + e * rows[known] + f
    try:
        there[known] = np.stack(transform(from_crs, into, x.tolist(), y.tolist()), axis=-1)
    except (RasterioError, CRSError, CPLE_BaseError):
        return there  # one point outside of the projection ends them all
    there[~np.isfinite(there).all(axis=1)] = np.nan
    return there


def _jacobian(crs: Any, local: Any, affine: Any, centre: tuple[float, float]) -> NDArray[np.float64]:
    jacobian = np.zeros((2, 2))
    for step in _STEPS_PX:
        steps = step * np.array([(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)])
        right, left, down, up = _projected(crs, local, affine, np.array(centre) + steps)
        jacobian = np.stack([right - left, down - up], axis=-1) / (2 * step)
        if abs(float(np.linalg.det(jacobian))) > 0.0:
            break
    return jacobian


def _half_m(crs: Any, local: Any, affine: Any, size_px: tuple[int, int]) -> tuple[float, float]:
    share = np.linspace(0.0, 1.0, _BORDER_POINTS)
    ends, along = np.repeat([0.0, 1.0], _BORDER_POINTS), np.tile(share, 2)
    border = np.concatenate([np.stack([along, ends], axis=-1), np.stack([ends, along], axis=-1)]) * size_px
    reach = np.abs(_projected(crs, local, affine, border))
    return float(reach[:, 0].max()), float(reach[:, 1].max())
