"""What the bands of a raster mean: which are shown as colours, and which say where there is data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import ImageError
from runtime.sources.stretch import Stretch

_STRUCTURE = "IMAGE_STRUCTURE"  # GDAL's domain of how values are stored
_LETTERS = re.compile(r"[a-z]+")
_OF_BANDS = frozenset({"band", "channel", "nm", "um", "srgb", "reflectance", "wavelength"})  # besides the colour's name


class Model(Enum):
    """How the shown bands make a colour."""

    RGB = "red, green and blue"
    GREY = "grey"
    PALETTE = "numbers of a palette"
    CMYK = "cyan, magenta, yellow and black ink"
    YCBCR = "luma and two differences of colour"


@dataclass(frozen=True, slots=True)
class Bands:
    """The numbers of the bands that are ``shown``, by their model's order; the band of ``alpha``, if any.

    ``masked``: the file has a mask besides its bands. ``nodata``: of each shown band, the value that is no data.
    ``palette``: (N, 4) uint8, red, green, blue and alpha by number. ``bits``: that a byte uses, of 8. ``inverted``: the
    least value is white.
    """

    model: Model
    shown: tuple[int, ...]
    alpha: int | None
    masked: bool
    nodata: tuple[float | None, ...]
    palette: NDArray[np.uint8] | None = None
    bits: int = 8
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Values:
    """``values`` (B, H, W) of the shown bands as stored, and ``seen`` (H, W): where they are data; None: everywhere."""

    values: NDArray[Any]
    seen: NDArray[np.bool_] | None


def bands_of(dataset: Any, path: Path) -> Bands:
    """What an open raster's bands mean: by their colour interpretation, else by their names, else the first three.

    Raises:
        ImageError: it has no bands, or they are no colours.
    """
    from rasterio.enums import ColorInterp, MaskFlags

    if dataset.count == 0:
        parts = ", ".join(dataset.subdatasets[:3])
        raise ImageError(f"{path}: holds no picture itself{f', but {parts}' if parts else ''}; give one picture.")
    meanings = dataset.colorinterp
    alpha = next((at for at, meaning in enumerate(meanings, 1) if meaning is ColorInterp.alpha), None)
    model, shown = _shown(dataset, alpha, path)
    palette = _palette(dataset, shown[0]) if model is Model.PALETTE else None
    if model is Model.PALETTE and palette is None:
        model = Model.GREY
    for number in shown:
        if "complex" in dataset.dtypes[number - 1]:
            raise ImageError(f"{path}: holds complex numbers, as of a radar, where a picture is needed.")
    flags = dataset.mask_flag_enums[shown[0] - 1]
    masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
    nodata = tuple(dataset.nodatavals[number - 1] for number in shown)
    structure = {**dataset.tags(ns=_STRUCTURE), **dataset.tags(shown[0], ns=_STRUCTURE)}
    bits = int(structure.get("NBITS", 8)) if dataset.dtypes[shown[0] - 1] == "uint8" else 8
    inverted = model is Model.GREY and structure.get("MINISWHITE") == "YES"
    return Bands(model, shown, alpha, masked, nodata, palette, bits, inverted)


def _shown(dataset: Any, alpha: int | None, path: Path) -> tuple[Model, tuple[int, ...]]:
    from rasterio.enums import ColorInterp

    meanings = dataset.colorinterp
    sets = (
        (Model.RGB, (ColorInterp.red, ColorInterp.green, ColorInterp.blue)),
        (Model.CMYK, (ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black)),
        (Model.YCBCR, (ColorInterp.Y, ColorInterp.Cb, ColorInterp.Cr)),
    )
    if meanings[0] is ColorInterp.palette:
        return Model.PALETTE, (1,)
    for model, wanted in sets:
        if all(one in meanings for one in wanted):
            return model, tuple(meanings.index(one) + 1 for one in wanted)
    if ColorInterp.hue in meanings:
        raise ImageError(f"{path}: is stored as hue, saturation and lightness; save it as red, green and blue.")
    names = [_colour_named(name or "") for name in dataset.descriptions]
    if all(name in names for name in ("r", "g", "b")):
        return Model.RGB, (names.index("r") + 1, names.index("g") + 1, names.index("b") + 1)
    unsaid = (ColorInterp.undefined, ColorInterp.gray, ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    plain = [at for at, meaning in enumerate(meanings, 1) if meaning in unsaid and at != alpha]
    if len(plain) >= 3:
        return Model.RGB, (plain[0], plain[1], plain[2])
    others = [at for at in range(1, dataset.count + 1) if at != alpha]
    if not others:
        raise ImageError(f"{path}: has an alpha band and nothing that it belongs to.")
    return Model.GREY, ((plain or others)[0],)


def _colour_named(name: str) -> str:
    """``r``, ``g`` or ``b`` of a band that is called red, Green (560 nm), band 1: blue or B; the red edge is none."""
    words = [word for word in _LETTERS.findall(name.lower()) if word not in _OF_BANDS]
    return words[0][0] if len(words) == 1 and words[0] in ("red", "green", "blue", "r", "g", "b") else ""


def _palette(dataset: Any, band: int) -> NDArray[np.uint8] | None:
    try:
        colours = dataset.colormap(band)
    except ValueError:  # a band of numbers without the table
        return None
    table = np.zeros((max(colours) + 1, 4), np.uint8)
    for number, colour in colours.items():
        table[number] = colour
    return table


def read_values(dataset: Any, bands: Bands, window: Any) -> Values:
    """The shown bands of a window, and where they are data."""
    values = dataset.read(list(bands.shown), window=window)
    masks = [mask for mask in (_not_nodata(values, bands), _finite(values)) if mask is not None]
    if bands.alpha is not None:
        masks.append(dataset.read(bands.alpha, window=window) > 0)
    if bands.masked:
        masks.append(dataset.read_masks(bands.shown[0], window=window) > 0)
    if bands.palette is not None and not bands.palette[:, 3].all():
        masks.append(_entries(values[0], bands.palette[:, 3]) > 0)
    masks = [mask for mask in masks if not mask.all()]
    return Values(values, np.logical_and.reduce(masks) if masks else None)


def _not_nodata(values: NDArray[Any], bands: Bands) -> NDArray[np.bool_] | None:
    """Where no band is its "no data". Of unsigned integers every band must be: 0 and 255 are shades of one, too."""
    missing: list[NDArray[np.bool_] | None] = []
    for band, nodata in zip(values, bands.nodata, strict=True):
        if nodata is None or np.isnan(nodata):
            missing.append(None)
        else:
            with np.errstate(over="ignore"):  # -3.4e38 as a double is no float
                missing.append(band == (np.float32(nodata) if band.dtype == np.float32 else nodata))
    known = [mask for mask in missing if mask is not None]
    if values.dtype.kind == "u":
        return np.asarray(~np.logical_and.reduce(known), np.bool_) if len(known) == len(values) else None
    return np.asarray(~np.logical_or.reduce(known), np.bool_) if known else None


def _finite(values: NDArray[Any]) -> NDArray[np.bool_] | None:
    return np.asarray(np.isfinite(values).all(axis=0), np.bool_) if values.dtype.kind == "f" else None


def _entries(numbers: NDArray[Any], column: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One colour of the palette for each number; 0 for numbers beyond it."""
    known = (numbers >= 0) & (numbers < len(column))
    if known.all():
        return np.asarray(column[numbers], np.uint8)
    return np.where(known, column[np.where(known, numbers, 0)], np.uint8(0))


def coloured(values: NDArray[Any], bands: Bands, stretch: Stretch) -> list[NDArray[np.uint8]]:
    """(B, H, W) of the shown bands as red, green and blue planes (H, W), or as grey alone."""
    if bands.palette is not None:
        return [_entries(values[0], bands.palette[:, at]) for at in range(3)]
    shown = list(stretch.eight_bit(values))
    if bands.bits < 8:
        most = 2**bands.bits - 1
        shown = [(np.minimum(plane, most).astype(np.uint16) * 255 // most).astype(np.uint8) for plane in shown]
    if bands.inverted:
        return [255 - shown[0]]
    if bands.model is Model.CMYK:
        light = [255 - plane.astype(np.uint16) for plane in shown]
        return [((plane * light[3] + 127) // 255).astype(np.uint8) for plane in light[:3]]
    return _of_ycbcr(shown) if bands.model is Model.YCBCR else shown


def _of_ycbcr(planes: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """ITU-R BT.601 over the full range, as TIFF 6.0, section 21, has it by default."""
    y, cb, cr = (plane.astype(np.float32) for plane in planes)
    red, blue = y + 1.402 * (cr - 128), y + 1.772 * (cb - 128)
    green = y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128)
    return [np.clip(plane.round(), 0, 255).astype(np.uint8) for plane in (red, green, blue)]
