"""The pixels of photos and plain pictures as eight bits a colour, with bounded memory (Pillow).

The largest cameras have 100 to 200 million pixels. A JPEG of that size is decoded at half its size, without the whole
of it; another format is read in strips by rasterio, where that is installed.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin, UnidentifiedImageError

from runtime.errors import ImageError
from runtime.sources.raster.picture import Picture, read_as_stored
from runtime.sources.stretch import eight_bit

MOST_PX = 220_000_000  # of a picture: medium format has 150 million, the largest sensors of telephones 200
WHOLE_PX = 64_000_000  # decoded whole: 260 MB in Pillow, and 190 MB of the array that is made of it
_COEFFICIENTS_BYTES = 640 << 20  # that a progressive JPEG may ask for: it is decoded from all of them at once
_LIMIT = threading.Lock()  # Pillow's own limit is one for the whole process


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """A picture file, its pixels not read yet.

    Raises:
        ImageError: it is missing, no image, damaged, or larger than any camera's.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow finds odd in tags is no matter of the pixels
            with _unlimited(path) as image:
                _check_size(image, path)
                yield image
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file.") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: is a folder; give the pictures in it.") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path}: not an image.") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{path}: too many pixels for a photo.") from None
    except (OSError, SyntaxError, ValueError) as error:  # Pillow: truncated or broken data
        what = "truncated" if "truncated" in str(error) else f"cannot be read ({error})"
        raise ImageError(f"{path}: {what}.") from None


def _unlimited(path: Path) -> Image.Image:
    """Opened without Pillow's own limit of 179 million pixels."""
    with _LIMIT:
        usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = usual


def _check_size(image: Image.Image, path: Path) -> None:
    pixels = math.prod(image.size)
    if pixels > MOST_PX:
        raise ImageError(
            f"{path}: has {pixels / 1e6:.0f} million pixels, and a picture may have {MOST_PX / 1e6:.0f}; "
            "give a smaller copy, or a GeoTIFF."
        )
    if _coefficients_bytes(image) > _COEFFICIENTS_BYTES:
        raise ImageError(
            f"{path}: is a progressive JPEG of {pixels / 1e6:.0f} million pixels, which can only be decoded whole; "
            "save it as a baseline JPEG."
        )


def _coefficients_bytes(image: Image.Image) -> float:
    """Of a progressive JPEG: two bytes for each sample of each component (ITU-T T.81, annex G)."""
    layers = getattr(image, "layer", None)
    if not image.info.get("progressive") or not layers:
        return 0.0
    most = max(across * down for _, across, down, _ in layers)
    samples = sum(across * down for _, across, down, _ in layers) / max(most, 1)
    return float(2.0 * math.prod(image.size) * samples)


def read_pixels(image: Image.Image, path: Path, factor: int = 1) -> Picture:
    """The pixels of a just opened picture, ``factor`` (1, 2, 4 or 8) times coarser, as its file stores them: turning it
    by its EXIF orientation is left to `upright`.

    Grey becomes RGB, what is transparent is not seen, and data deeper than 8 bit is stretched between its 2nd and 98th
    percentile.

    Raises:
        ImageError: it cannot be read.
    """
    full_px = stored_px(image)
    if factor > 1 and isinstance(image, JpegImagePlugin.JpegImageFile):
        image.draft(None, (full_px[0] // factor, full_px[1] // factor))
    large = math.prod(image.size) > WHOLE_PX
    if (large or _deep_colours(image) or _turned_tiff(image)) and find_spec("rasterio") is not None:
        return read_as_stored(path, factor)
    if large:
        raise ImageError(
            f"{path}: has {math.prod(full_px) / 1e6:.0f} million pixels in a format that is read whole; give a JPEG, "
            "or install homing[geo]."
        )
    if _turned_tiff(image):
        raise ImageError(f"{path}: is a TIFF that is stored turned; save it upright, or install homing[geo].")
    image.load()
    picture = _rgb(image)
    if factor > 1 and image.size == full_px:
        return _reduced(picture, factor)
    return picture


def stored_px(image: Image.Image) -> tuple[int, int]:
    """Width and height of a picture as its file stores it; Pillow gives a TIFF's as they are to be shown."""
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return image.size
    return int(tags[ExifTags.Base.ImageWidth]), int(tags[ExifTags.Base.ImageLength])


def _turned_tiff(image: Image.Image) -> bool:
    """Whether Pillow would turn its pixels, as it does those of TIFF alone (and garbles some)."""
    tags = getattr(image, "tag_v2", None)
    return tags is not None and tags.get(ExifTags.Base.Orientation, 1) in _TURNS


def _deep_colours(image: Image.Image) -> bool:
    """Whether it has 16 bits a colour, of which Pillow keeps the upper eight."""
    tiles = getattr(image, "tile", None) or [("",)]  # (decoder, box, offset, arguments)
    return image.mode in ("RGB", "RGBA", "LA") and ";16" in str(tiles[0][-1])


def _rgb(image: Image.Image) -> Picture:
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        grey = eight_bit(np.asarray(image))
        return _whole(np.repeat(grey[..., None], 3, axis=2))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        pixels = np.asarray(image.convert("RGBA"), dtype=np.uint8)
        seen = pixels[..., 3] > 0
        return Picture(np.where(seen[..., None], pixels[..., :3], np.uint8(0)), seen)
    return _whole(np.asarray(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8))


def _whole(pixels: NDArray[np.uint8]) -> Picture:
    return Picture(np.ascontiguousarray(pixels), np.ones(pixels.shape[:2], np.bool_))


def _reduced(picture: Picture, factor: int) -> Picture:
    image = np.asarray(Image.fromarray(picture.image).reduce(factor))
    seen = np.asarray(Image.fromarray(picture.seen.astype(np.uint8) * 255).reduce(factor)) >= 128
    return Picture(image, seen)


def upright(picture: Picture, image: Image.Image) -> Picture:
    """The picture turned as its file's EXIF orientation says, so that it is seen as viewers show it."""
    turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if turn is None:
        return picture
    return Picture(np.ascontiguousarray(turn(picture.image)), np.ascontiguousarray(turn(picture.seen)))


def _transposed(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.swapaxes(pixels, 0, 1)


_TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {  # EXIF 2.3, section 4.6.4: Orientation
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: _transposed,
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(_transposed(pixels), 2),
    8: np.rot90,
}
