"""The picture of a target from above: a GeoTIFF with its own place and scale, or a plain picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from runtime.errors import GeoreferenceError, ImageError, UsageError
from runtime.place.target_picture import inscribed, read_placed, read_plain
from runtime.plain import is_plain
from runtime.sources.raster.place import UnplacedError
from runtime.values import GeoPoint, ImageRGB

LARGEST_SIDE_PX = 4096  # a larger target is read coarser: more shows nothing that the network sees
MIN_SIDE_PX = 16  # below it nothing of a place is left
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PICTURES = (b"\xff\xd8", b"\x89PNG", b"BM", b"GIF8", b"RIFF")  # know no place themselves


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


def load(path: Path | str, gsd_m: float | None = None) -> Target:
    """Reads a target. ``gsd_m`` is the scale of a plain picture; a GeoTIFF's own scale takes precedence.

    Raises:
        ImageError: it is missing, not an image, truncated, smaller than 16 pixels or of one colour.
        GeoreferenceError: it says where it lies, but in coordinates that nobody can place on the Earth.
        UsageError: ``gsd_m`` is not a positive number.
    """
    path = Path(path)
    if gsd_m is not None and not (math.isfinite(gsd_m) and gsd_m > 0):
        raise UsageError(f"a target's scale must be a positive number of metres per pixel, not {gsd_m:g}.")
    head = _head(path)
    target = _placed(path, head, gsd_m) if not head.startswith(_PICTURES) or _has_world_file(path) else None
    if target is None:
        picture, factor = read_plain(path, LARGEST_SIDE_PX)
        target = Target(inscribed(picture), None if gsd_m is None else gsd_m * factor, True, None, str(path))
    _check(target.image, path)
    return target


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise ImageError(f"target {path} cannot be read: {error.strerror or error}.") from error


def _has_world_file(path: Path) -> bool:
    """Whether something beside a picture may say where it lies: `.pgw`, `.jpgw`, `.wld` or GDAL's `.aux.xml`."""
    ending = path.suffix[1:].lower()
    endings = {f".{ending[:1]}{ending[-1:]}w", f".{ending}w", ".wld"}
    beside = [path.with_suffix(one) for end in endings for one in (end, end.upper())]
    return any(one.is_file() for one in (*beside, path.with_name(f"{path.name}.aux.xml")))


def _placed(path: Path, head: bytes, gsd_m: float | None) -> Target | None:
    """A target of a map that knows its place; None where it is a plain picture."""
    if find_spec("rasterio") is None:
        if gsd_m is not None or not head.startswith(_TIFF_MAGIC):
            return None  # the scale was given, so the picture is enough
        raise ImageError(
            f"target {path} is a TIFF, and its place is read by rasterio, which is not installed; "
            "install homing[geo], or give its scale with --target-gsd."
        )
    try:
        found = read_placed(path, LARGEST_SIDE_PX)
    except UnplacedError:
        return None
    except GeoreferenceError:
        if gsd_m is None:
            raise
        return None  # the scale was given, so the picture is enough
    return Target(found.image, found.gsd_m, True, found.centre, str(path))


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
