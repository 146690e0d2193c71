"""The ground's colour on a date, as one raster: materials drawn from the layout, noise from the date's seed."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sim.world.dates import Date
from sim.world.layout import Layout, Line, Material, Outline, Patch
from sim.world.noise import repeated, spread, tile
from sim.world.palette import CROP_SHARE, CROPS, GROUND, TEXTURES, in_season, jittered

GSD_M = 0.25  # metres per texel
_SHIFT = 4  # fractional bits of polygon corners in OpenCV's drawing
_SAME_CROP = 0.65  # share of fields that carry the same crop at both dates
_PATCH_M = 140.0  # longest wave of the ground's patchiness
_STRIP = 256  # rows coloured at a time: small enough to stay in the processor's cache

Image = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GroundRaster:
    """Colour of the flat ground: image (M, M, 3) uint8 RGB, row 0 north, column 0 west."""

    image: Image
    north_m: float  # of the upper edge
    west_m: float  # east coordinate of the left edge
    gsd_m: float


def paint(layout: Layout, date: Date, world_seed: int) -> GroundRaster:
    """Draw and colour the whole ground of a layout on a date."""
    side = int(2 * layout.half_m / GSD_M)
    regions = _regions(layout, side)
    rng = np.random.default_rng([date.seed, 1])
    colours, amplitudes = _tones(layout, date, world_seed, rng)
    regions = _frayed(regions, rng)
    image = _coloured(regions, colours, amplitudes, rng)
    for index, item in enumerate(layout.ground):
        if isinstance(item, Patch) and item.material in (Material.CROP, Material.LAWN):
            _rows(image, regions, index + 1, item, layout.half_m, rng)
    return GroundRaster(image, layout.half_m, -layout.half_m, GSD_M)


def _regions(layout: Layout, side: int) -> npt.NDArray[np.uint16]:
    """Which item of the layout's ground shows at each texel: index + 1, 0 where none."""
    raster = np.zeros((side, side), np.uint16)
    for index, item in enumerate(layout.ground):
        if isinstance(item, Line):
            outline = _pixels(item.points, layout.half_m)
            thickness = max(1, round(item.width_m / GSD_M))
            cv2.polylines(raster, [outline], False, (index + 1,), thickness, cv2.LINE_8, _SHIFT)
        else:
            cv2.fillPoly(raster, [_pixels(item.outline, layout.half_m)], (index + 1,), cv2.LINE_8, _SHIFT)
    return raster


def _pixels(points: Outline, half_m: float) -> npt.NDArray[np.int32]:
    ne = np.array(points)
    xy = np.stack([(ne[:, 1] + half_m), (half_m - ne[:, 0])], axis=1) / GSD_M - 0.5
    return np.round(xy * (1 << _SHIFT)).astype(np.int32)


def _tones(layout: Layout, date: Date, world_seed: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Per region its colour (R, 3) and noise amplitudes (R, 3); a quarter of the brightness' variance stays."""
    lasting = np.random.default_rng([world_seed, 6])
    colours, amplitudes = [], []
    for item in (Patch(0, Material.MEADOW, ()), *layout.ground):
        texture = TEXTURES[item.material]
        share, same_crop = lasting.uniform(0.6, 1.3), lasting.random() < _SAME_CROP
        kept, drawn = lasting.normal(0, 1), rng.normal(0, 1)
        crops = (lasting.choice(len(CROPS)), rng.choice(len(CROPS), p=CROP_SHARE[date.season]))
        if item.material is Material.CROP:
            base = CROPS[int(crops[0] if same_crop else crops[1])]
        else:
            base = in_season(GROUND[item.material], date.season)
        lightness = math.exp(texture.spread * (0.5 * kept + 0.87 * drawn))
        colours.append(jittered(rng, base, 0.0, 0.02) * np.float32(lightness))
        amplitudes.append(np.array([texture.patches, texture.mottle, texture.grain]) * share)
    return np.array(colours, np.float32), np.array(amplitudes, np.float32)


def _frayed(regions: npt.NDArray[np.uint16], rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Edges made a little irregular by looking up through a small random shift (0.2 m, one sigma)."""
    side = regions.shape[0]
    shift_x, shift_y = tile(rng, 512, 0.9, 4.0) * (0.2 / GSD_M), tile(rng, 512, 0.9, 4.0) * (0.2 / GSD_M)
    out = np.empty_like(regions)
    columns = np.arange(side, dtype=np.float32)[None, :]
    for row0 in range(0, side, _STRIP):
        rows = min(_STRIP, side - row0)
        x = columns + repeated(shift_x, row0, rows, side)
        y = np.arange(row0, row0 + rows, dtype=np.float32)[:, None] + repeated(shift_y, row0, rows, side)
        out[row0 : row0 + rows] = cv2.remap(regions, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return out


def _coloured(regions: npt.NDArray[np.uint16], colours: Array, amplitudes: Array, rng: np.random.Generator) -> Image:
    side = regions.shape[0]
    # Not the longest waves: within a view they would be a constant.
    coarse = spread(rng, side, 128, 1.0, longest=128 * _PATCH_M / (side * GSD_M))
    hue = spread(rng, side, 96, 1.4) * 0.025
    mottle, grain = tile(rng, 1024, 0.9, 3.0), tile(rng, 1024, 0.4)
    image = np.empty((side, side, 3), np.uint8)
    for row0 in range(0, side, _STRIP):
        rows = min(_STRIP, side - row0)
        strip = slice(row0, row0 + rows)
        region = regions[strip]
        amplitude = amplitudes[region]
        light = 1 + amplitude[..., 0] * coarse[strip]
        light += amplitude[..., 1] * repeated(mottle, row0, rows, side)
        light += amplitude[..., 2] * repeated(grain, row0, rows, side)
        colour = colours[region] * np.clip(light, 0.35, 1.8)[..., None]
        colour[..., 0] += hue[strip]
        colour[..., 2] -= hue[strip]
        image[strip] = np.clip(colour * 255, 0, 255)
    return image


def _rows(
    image: Image,
    regions: npt.NDArray[np.uint16],
    region: int,
    patch: Patch,
    half_m: float,
    rng: np.random.Generator,
) -> None:
    """Sow rows, tramlines or mowing stripes into one patch."""
    corners = _pixels(patch.outline, half_m) >> _SHIFT
    (c0, r0), (c1, r1) = np.maximum(corners.min(axis=0) - 2, 0), corners.max(axis=0) + 2
    inside = regions[r0:r1, c0:c1] == region
    if inside.size < 40 or not inside.any():
        return
    i, j = np.mgrid[r0 : r0 + inside.shape[0], c0 : c0 + inside.shape[1]].astype(np.float32) * np.float32(GSD_M)
    across = i * np.float32(math.sin(patch.row_yaw_rad)) + j * np.float32(math.cos(patch.row_yaw_rad))
    crop = patch.material is Material.CROP
    spacing, depth = (
        (rng.uniform(0.9, 3.0), rng.uniform(0.03, 0.11)) if crop else (rng.uniform(1.2, 3), rng.uniform(0, 0.05))
    )
    across += rng.uniform(0, 30)
    light = 1 + np.float32(depth) * np.sin(across * np.float32(2 * math.pi / spacing))
    if crop:
        lanes = np.mod(across, np.float32(rng.uniform(12, 24)))
        tread = (lanes < 0.5) | ((lanes > 1.8) & (lanes < 2.3))
        light -= np.float32(rng.uniform(0.04, 0.22)) * tread
    part = image[r0:r1, c0:c1]
    part[inside] = np.clip(part[inside] * light[inside][:, None], 0, 255).astype(np.uint8)
