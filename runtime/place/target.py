"""The picture of a target from above: a GeoTIFF with its own place and scale, or a plain picture."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from runtime.errors import ImageError, UsageError
from runtime.place.target_geotiff import read_geotiff
from runtime.values import GeoPoint, ImageRGB

LARGEST_SIDE_PX = 4096  # a larger target is read coarser: more shows nothing that the network sees
MIN_SIDE_PX = 16  # below it nothing of a place is left
_MIN_DEVIATION = 2.0  # grey levels; a picture this even holds nothing to match
_REDUCED = {
    1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8,
}  # fmt: skip
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True, slots=True)
class Target:
    """``image`` (H, W, 3) uint8 RGB; ``gsd_m`` metres per pixel, None when unknown; ``position``: what the
    file itself says lies at its centre, None for a plain picture."""

    image: ImageRGB
    gsd_m: float | None
    north_up: bool
    position: GeoPoint | None
    name: str

    @property
    def side_m(self) -> float | None:
        """The shorter side on the ground, None when the scale is unknown."""
        return None if self.gsd_m is None else min(self.image.shape[:2]) * self.gsd_m


def is_plain(image: ImageRGB) -> bool:
    """Whether an (H, W, 3) picture is all of one colour, and holds nothing to match."""
    return bool(cv2.meanStdDev(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[1].item() < _MIN_DEVIATION)


def load(path: Path | str, gsd_m: float | None = None) -> Target:
    """Reads a target. ``gsd_m`` is the scale of a plain picture; a GeoTIFF's own scale takes precedence.

    Raises:
        ImageError: it is missing, not an image, truncated, smaller than 16 pixels or of one colour.
        UsageError: ``gsd_m`` is not a positive number.
    """
    path = Path(path)
    if gsd_m is not None and not (math.isfinite(gsd_m) and gsd_m > 0):
        raise UsageError(f"a target's scale must be a positive number of metres per pixel, not {gsd_m:g}.")
    target = _geotiff(path, gsd_m) if _head(path).startswith(_TIFF_MAGIC) else None
    if target is None:
        image, reduced = _decoded(path)
        target = Target(image, None if gsd_m is None else gsd_m * reduced, True, None, str(path))
    _check(target.image, path)
    return target


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError as error:
        raise ImageError(f"target {path} cannot be read: {error.strerror or error}.") from error


def _decoded(path: Path) -> tuple[ImageRGB, float]:
    """A plain picture, and how many times coarser than its file it was read."""
    width_px = _width_px(path)
    factor = next((one for one in (8, 4, 2) if (width_px or 0) >= one * LARGEST_SIDE_PX), 1)
    data = path.read_bytes()
    if data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data[-4096:]:
        raise ImageError(f"target {path} is a truncated JPEG; copy it again.")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[factor]) if data else None
    except cv2.error as error:
        raise ImageError(f"target {path} is not an image that can be read ({error.err}).") from error
    if image is None:
        raise ImageError(f"target {path} is not an image that can be read.")
    reduced = width_px / image.shape[1] if factor > 1 and width_px else 1.0
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8), reduced


def _width_px(path: Path) -> int | None:
    """What the file's head says; None where it says nothing that Pillow knows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return int(image.width)
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"target {path} has more pixels than a picture may have that must be read whole; "
            "give a smaller copy, or a GeoTIFF."
        ) from error
    except (OSError, SyntaxError, ValueError):
        return None


def _geotiff(path: Path, gsd_m: float | None) -> Target | None:
    """A target of a TIFF that knows its place; None where it is a plain picture."""
    if find_spec("rasterio") is None:
        if gsd_m is not None:
            return None  # the scale was given, so the picture is enough
        raise ImageError(
            f"target {path} is a TIFF, and its place is read by rasterio, which is not installed; "
            "install homing[geo], or give its scale with --target-gsd."
        )
    found = read_geotiff(path, LARGEST_SIDE_PX)
    return None if found is None else Target(found.image, found.gsd_m, True, found.centre, str(path))


def _check(image: ImageRGB, path: Path) -> None:
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        raise ImageError(
            f"target {path} is {width} x {height} pixels; it needs at least {MIN_SIDE_PX} on each side."
        )
    if not image.any():
        raise ImageError(f"target {path} is entirely black; choose a picture of the place.")
    if is_plain(image):
        raise ImageError(f"target {path} is all of one colour; choose a picture that shows something.")
