"""Writes photos as cameras do: JPEG with EXIF and, like DJI's, an XMP packet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

MAKE, MODEL, ORIENTATION, EXIF, GPS = 0x010F, 0x0110, 0x0112, 0x8769, 0x8825
TAKEN, SUBSECOND, OFFSET = 0x9003, 0x9291, 0x9011
FOCAL, FOCAL_35, PLANE_X, PLANE_UNIT, WIDTH, HEIGHT = 0x920A, 0xA405, 0xA20E, 0xA210, 0xA002, 0xA003

DJI = "http://www.dji.com/drone-dji/1.0/"
PACKET = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:{prefix}="{address}" {attributes}>{elements}</rdf:Description>
</rdf:RDF></x:xmpmeta>"""


def dji_xmp(**fields: float) -> bytes:
    """An XMP packet with drone-dji fields, signs written out as DJI does."""
    return maker_xmp("drone-dji", DJI, **{key: f"{value:+.2f}" for key, value in fields.items()})


def maker_xmp(prefix: str, address: str, elements: str = "", **fields: object) -> bytes:
    """An XMP packet with a maker's fields as attributes, and elements as they are given."""
    attributes = " ".join(f'{prefix}:{key}="{value}"' for key, value in fields.items())
    return PACKET.format(prefix=prefix, address=address, attributes=attributes, elements=elements).encode()


def degrees(value: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    """Degrees, minutes and seconds as EXIF rationals."""
    whole = int(abs(value))
    minutes = int((abs(value) - whole) * 60)
    seconds = (abs(value) - whole - minutes / 60) * 3600
    return IFDRational(whole), IFDRational(minutes), IFDRational(round(seconds * 1_000_000), 1_000_000)


def gps(latitude: float, longitude: float, altitude_m: float | None = None) -> dict[int, Any]:
    """A GPS block."""
    block: dict[int, Any] = {
        1: "N" if latitude >= 0 else "S",
        2: degrees(latitude),
        3: "E" if longitude >= 0 else "W",
        4: degrees(longitude),
    }
    if altitude_m is not None:
        block[5] = b"\x00" if altitude_m >= 0 else b"\x01"
        block[6] = IFDRational(round(abs(altitude_m) * 100), 100)
    return block


def write_photo(
    path: Path,
    image: NDArray[np.uint8] | None = None,
    *,
    place: dict[int, Any] | None = None,
    detail: dict[int, Any] | None = None,
    base: dict[int, Any] | None = None,
    xmp: bytes | None = None,
) -> Path:
    """A JPEG with the tags given."""
    pixels = Image.fromarray(np.full((60, 80, 3), 120, np.uint8) if image is None else image)
    exif = Image.Exif()
    for tag, value in (base or {}).items():
        exif[tag] = value
    if detail:
        exif[EXIF] = detail
    if place:
        exif[GPS] = place
    extra: dict[str, Any] = {} if xmp is None else {"xmp": xmp}
    pixels.save(path, quality=95, exif=exif, **extra)
    return path
