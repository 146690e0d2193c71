"""Pictures that somebody sends: taken in pieces, looked at before they are decoded, and never large in memory."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from runtime.errors import ImageError
from runtime.page.views import jpeg, reduced

MOST_BYTES = 32 << 20  # of an upload: a GeoTIFF of a place has a few million
MOST_PX = 24_000_000  # decoded in the locating worker and here: 72 MB; a phone's camera has 12 to 50 million
_WITHIN_S = 60.0  # for all of an upload: 32 MB over a poor radio link
_ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}
_THUMBNAIL_PX = 320


class UploadError(ImageError):
    """An upload that is not taken; ``status``: as HTTP has it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def received(pieces: AsyncIterator[bytes], path: Path, most_bytes: int = MOST_BYTES) -> int:
    """Writes what comes to a file, piece by piece, and gives its size in bytes.

    Raises:
        UploadError: it is too large, empty, or takes too long; nothing is left of it.
    """
    try:
        return await asyncio.wait_for(_written(pieces, path, most_bytes), _WITHIN_S)
    except asyncio.TimeoutError:
        path.unlink(missing_ok=True)
        raise UploadError(408, f"the picture did not come within {_WITHIN_S:g} s.") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


async def _written(pieces: AsyncIterator[bytes], path: Path, most_bytes: int) -> int:
    size = 0
    with path.open("xb") as file:
        async for piece in pieces:
            size += len(piece)
            if size > most_bytes:
                raise UploadError(413, f"a picture may have {most_bytes >> 20} MB; send a smaller copy.")
            file.write(piece)
    if size == 0:
        raise UploadError(400, "the request holds no picture.")
    return size


def examined(path: Path) -> tuple[str, bytes]:
    """The file ending that belongs to a picture, and a small JPEG of it.

    Only the headers are read before its size is known: a few kilobytes may unpack to gigabytes.

    Raises:
        UploadError: it is no picture of a kind that is taken, damaged, or has too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's own, larger, limit and of odd tags
            with Image.open(path, formats=tuple(_ENDINGS)) as image:
                width, height = image.size
                if width * height > MOST_PX:
                    raise UploadError(413, _too_many(f"{width * height / 1e6:.0f}"))
                ending = _ENDINGS[str(image.format)]
                image.draft("RGB", (_THUMBNAIL_PX, _THUMBNAIL_PX))  # a JPEG is decoded no larger than need be
                pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
    except Image.DecompressionBombError:  # Pillow's own limit, which is larger
        raise UploadError(413, _too_many("hundreds of")) from None
    except UnidentifiedImageError:
        raise UploadError(415, f"that is none of {', '.join(sorted(_ENDINGS))}.") from None
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's words for damaged
        raise UploadError(422, f"the picture is damaged: {error}.") from None
    return ending, jpeg(reduced(pixels, _THUMBNAIL_PX))


def _too_many(millions: str) -> str:
    return (
        f"the picture has {millions} million pixels, and may have {MOST_PX / 1e6:.0f}; "
        "send a part of it, or a smaller copy."
    )
