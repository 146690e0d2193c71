"""A target's maps as they would be had it lain otherwise, made without embedding it again.

Turned and mirrored copies keep what a target is made of and put its layout wrong: how well they fit is what chance
makes of this target on this ground. Copies turned and stretched by a little are other readings of it: a map that is a
few degrees or a tenth off is nearly the map of a crop that is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.place.attempt import Crop
from runtime.place.gallery import Rung

Array = NDArray[np.float32]

_WRONG_LAYOUTS = ((1, False), (3, False), (0, True), (2, True))  # quarter turns, mirrored: few, none like another
_LEAST_SEEN = 0.5  # of a cell that was drawn from cells that show something, for it to count


@dataclass(frozen=True, slots=True)
class Layer:
    """The crops of a target at one rung, with their centred maps ``queries`` (len(crops), C, h, w)."""

    rung: Rung
    crops: Sequence[Crop]
    queries: Array


def wrong_layouts(layers: Sequence[Layer]) -> list[list[Layer]]:
    """The target turned by quarters and mirrored, as the drone cannot have seen it: what fits then, fits by chance."""
    return [[_as_wrong(layer, quarters, mirrored) for layer in layers] for quarters, mirrored in _WRONG_LAYOUTS]


def nudged(layers: Sequence[Layer], turn_rad: float, scale: float) -> list[Layer]:
    """The target turned clockwise by a few degrees and with all its lengths times ``scale``."""
    return [_nudged(layer, turn_rad, scale) for layer in layers]


def _as_wrong(layer: Layer, quarters: int, mirrored: bool) -> Layer:
    crops = []
    for crop in layer.crops:
        north, east = crop.ne_m
        east = -east if mirrored else east
        for _ in range(quarters):
            north, east = east, -north
        crops.append(replace(crop, ne_m=(north, east), weights=_laid(crop.weights, quarters, mirrored)))
    return replace(layer, crops=crops, queries=_laid(layer.queries, quarters, mirrored))


def _laid(maps: Array, quarters: int, mirrored: bool) -> Array:
    """(..., h, w), mirrored east to west, then turned by quarters from east to north."""
    seen = maps[..., ::-1] if mirrored else maps
    return np.ascontiguousarray(np.rot90(seen, quarters, axes=(-2, -1)))


def _nudged(layer: Layer, turn_rad: float, scale: float) -> Layer:
    cos, sin = math.cos(turn_rad), math.sin(turn_rad)
    height, width = layer.queries.shape[-2:]
    drawn = _drawing((height, width), turn_rad, scale)
    crops = []
    for crop in layer.crops:
        north, east = crop.ne_m
        weights = (crop.weights.reshape(-1) @ drawn).reshape(height, width)
        ne_m = (scale * (north * cos - east * sin), scale * (north * sin + east * cos))
        crops.append(replace(crop, ne_m=ne_m, weights=np.where(weights > _LEAST_SEEN, weights, np.float32(0.0))))
    maps = (layer.queries.reshape(-1, height * width) @ drawn).reshape(layer.queries.shape)
    lengths = np.maximum(np.linalg.norm(maps, axis=1, keepdims=True), 1e-6)
    return replace(layer, crops=crops, queries=np.asarray(maps / lengths, np.float32))


def _drawing(shape: tuple[int, int], turn_rad: float, scale: float) -> Array:
    """(h * w, h * w): column j holds from which cells, bilinearly, the nudged map's cell j is drawn; a column that
    reaches out of the map sums to less than 1."""
    height, width = shape
    rows, columns = (axis.ravel() for axis in np.mgrid[:height, :width].astype(np.float64))
    south, east = rows - (height - 1) / 2, columns - (width - 1) / 2
    cos, sin = math.cos(turn_rad) / scale, math.sin(turn_rad) / scale
    from_row = south * cos - east * sin + (height - 1) / 2
    from_column = south * sin + east * cos + (width - 1) / 2
    drawn = np.zeros((height * width, height * width), np.float32)
    for i in (0, 1):
        for j in (0, 1):
            row, column = np.floor(from_row).astype(int) + i, np.floor(from_column).astype(int) + j
            share = (1 - np.abs(from_row - row)) * (1 - np.abs(from_column - column))
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            np.add.at(drawn, ((row * width + column)[inside], np.flatnonzero(inside)), share[inside])
    return drawn
