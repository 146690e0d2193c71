"""A cloud-optimised GeoTIFF at a URL, of which GDAL asks for the parts that it reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from runtime.errors import ImageError

_WITHIN_S = 10.0  # a server answers
_TRIES = 3
_BLOCK_BYTES = 256 << 10  # asked for together: some of a map's blocks, which are 10 to 100 kB each
_FIRST_BYTES = 16
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def url_of(path: Path) -> str | None:
    """The URL that a path was made of, which left one of its slashes; None for any other path."""
    found = re.match(r"(https?):/+(?=[^/])", str(path), re.IGNORECASE)
    return None if found is None else f"{found[1].lower()}://{str(path)[found.end():]}"


def name_of(url: str) -> str:
    """What GDAL calls it."""
    return f"/vsicurl/{url}"


def settings(url: str) -> dict[str, Any]:
    """GDAL's settings for that file and no other."""
    return {
        "CPL_VSIL_CURL_ALLOWED_FILENAME": name_of(url),  # a file that names others reaches nothing else
        "CPL_VSIL_CURL_CHUNK_SIZE": _BLOCK_BYTES,
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_HTTP_CONNECTTIMEOUT": _WITHIN_S,
        "GDAL_HTTP_TIMEOUT": 3 * _WITHIN_S,
        "GDAL_HTTP_MAX_RETRY": _TRIES,
        "GDAL_HTTP_RETRY_DELAY": 1,
    }


def check(url: str) -> None:
    """Asks for the first bytes, so that what is wrong is said plainly.

    Raises:
        ImageError: nobody answers, there is no such file, it is no TIFF, or the server only gives files as a whole.
    """
    asked = Request(url, headers={"Range": f"bytes=0-{_FIRST_BYTES - 1}"})
    try:
        with urlopen(asked, timeout=_WITHIN_S) as answer:  # noqa: S310  # http and https alone: see url_of
            status, first = answer.status, answer.read(_FIRST_BYTES)
    except HTTPError as error:
        raise ImageError(f"{url}: the server answers {error.code} {error.reason}.") from None
    except (URLError, OSError, ValueError) as error:
        why = str(getattr(error, "reason", error)).rstrip(".")
        raise ImageError(f"{url}: {urlsplit(url).netloc} cannot be reached ({why}).") from None
    if status != 206:
        raise ImageError(f"{url}: the server gives no parts of a file, only the whole; download it and give the file.")
    if not first.startswith(_TIFF):
        raise ImageError(f"{url}: is no GeoTIFF; of other files only those on the disk are read.")
