"""The EXIF tags of a photo that say where, when and through which lens it was taken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from PIL import ExifTags, Image

from runtime.values import GeoPoint, Measured

_IFD, _TAG, _GPS = ExifTags.IFD, ExifTags.Base, ExifTags.GPS
_BELOW = (1, b"\x01", 3, b"\x03")  # GPSAltitudeRef: below the sea, or the ellipsoid (EXIF 3.0, section 4.6.6)
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # FocalPlaneResolutionUnit: inch, cm, mm, micrometre
_METRES_PER_DEGREE = 111_320.0
_LATEST_NS = 1 << 63  # in the year 2262: a later date, or one before 1970, is a camera's without a clock
_ALTITUDE_SIGMA_M = 10.0  # a consumer receiver's vertical error, its datum (geoid or ellipsoid) often unsaid


@dataclass(frozen=True, slots=True)
class PhotoExif:
    """What the EXIF block says; None where a tag is absent or makes no sense.

    ``unsigned_position`` is one whose hemisphere nothing says, ``position_step_m`` the step that either is written in.
    ``width_px`` and ``height_px`` are those of the original exposure, which a resized file no longer has.
    """

    make: str = ""
    model: str = ""
    position: GeoPoint | None = None
    unsigned_position: GeoPoint | None = None
    position_step_m: float = 0.0
    position_sigma_m: float | None = None
    altitude_amsl_m: Measured | None = None
    t_ns: int | None = None
    focal_mm: float | None = None
    focal_35mm: float | None = None
    focal_plane_px_per_mm: float | None = None
    digital_zoom: float = 1.0
    width_px: int | None = None
    height_px: int | None = None


def read_exif(image: Image.Image) -> PhotoExif:
    """The tags of an opened image; one without EXIF gives an empty record."""
    try:
        base = image.getexif()
        detail, gps = base.get_ifd(_IFD.Exif), base.get_ifd(_IFD.GPSInfo)
    except (OSError, SyntaxError, ValueError, KeyError):  # what Pillow raises on a mangled block
        return PhotoExif()
    unit_mm = _MM_PER_UNIT.get(int(_number(detail.get(_TAG.FocalPlaneResolutionUnit)) or 2), 25.4)
    position, unsigned = _position(gps)
    resolution = _positive(detail.get(_TAG.FocalPlaneXResolution))
    return PhotoExif(
        make=_text(base.get(_TAG.Make)),
        model=_text(base.get(_TAG.Model)),
        position=position,
        unsigned_position=unsigned,
        position_step_m=_step_m(gps),
        position_sigma_m=_positive(gps.get(_GPS.GPSHPositioningError)),
        altitude_amsl_m=_altitude(gps),
        t_ns=_time(base, detail),
        focal_mm=_positive(detail.get(_TAG.FocalLength)),
        focal_35mm=_positive(detail.get(_TAG.FocalLengthIn35mmFilm)),
        focal_plane_px_per_mm=None if resolution is None else resolution / unit_mm,
        digital_zoom=max(1.0, _positive(detail.get(_TAG.DigitalZoomRatio)) or 1.0),
        width_px=_count(detail.get(_TAG.ExifImageWidth)),
        height_px=_count(detail.get(_TAG.ExifImageHeight)),
    )


def _position(gps: Mapping[int, Any]) -> tuple[GeoPoint | None, GeoPoint | None]:
    """The position, or else the one whose hemisphere nothing says."""
    if _text(gps.get(_GPS.GPSStatus)).upper() == "V":  # the receiver itself says: void
        return None, None
    latitude, latitude_sign = _coordinate(gps.get(_GPS.GPSLatitude), gps.get(_GPS.GPSLatitudeRef), "NS")
    longitude, longitude_sign = _coordinate(gps.get(_GPS.GPSLongitude), gps.get(_GPS.GPSLongitudeRef), "EW")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None, None
    if latitude == 0.0 and longitude == 0.0:  # what cameras write before they have a fix
        return None, None
    point = GeoPoint(latitude, longitude)
    return (point, None) if latitude_sign and longitude_sign else (None, point)


def _coordinate(value: Any, reference: Any, letters: str) -> tuple[float | None, bool]:
    """Signed degrees, and whether anything says their sign: the reference, or the number itself."""
    parts = _parts(value)
    if not parts or any(abs(part) > 60.0 for part in parts[1:]):
        return None, False
    degrees = math.fsum(abs(part) / 60.0**power for power, part in enumerate(parts))
    letter = _text(reference).upper()[:1]  # cameras write N, n, North and b"N\x00"
    said = letter != "" and letter in letters
    negative = any(part < 0 for part in parts) or letter == letters[1]
    return -degrees if negative else degrees, said or negative or degrees == 0.0


def _parts(value: Any) -> list[float]:
    """Degrees, minutes and seconds, as many as are written; empty where they are not numbers."""
    try:
        parts = [float(part) for part in (value if isinstance(value, (tuple, list)) else (value,))][:3]
    except (TypeError, ValueError, ZeroDivisionError):
        return []
    return parts if all(math.isfinite(part) for part in parts) else []


def _step_m(gps: Mapping[int, Any]) -> float:
    """Metres of the finest step that the position's fractions can say: 31 where they are whole seconds."""
    steps = [1.0]
    for tag in (_GPS.GPSLatitude, _GPS.GPSLongitude):
        value = gps.get(tag)
        for power, part in enumerate(value[:3] if isinstance(value, (tuple, list)) else (value,)):
            denominator = getattr(part, "denominator", None)
            if denominator:
                steps.append(1.0 / abs(denominator) / 60.0**power)
    return min(steps) * _METRES_PER_DEGREE


def _altitude(gps: Mapping[int, Any]) -> Measured | None:
    metres = _number(gps.get(_GPS.GPSAltitude))
    if metres is None:
        return None
    reference = gps.get(_GPS.GPSAltitudeRef, 0)
    below = reference in _BELOW
    return Measured(-abs(metres) if below else metres, _ALTITUDE_SIGMA_M, "exif")


def _time(base: Mapping[int, Any], detail: Mapping[int, Any]) -> int | None:
    stamp = _text(detail.get(_TAG.DateTimeOriginal)) or _text(base.get(_TAG.DateTime))
    try:
        local = datetime.strptime(stamp, "%Y:%m:%d %H:%M:%S").replace(tzinfo=timezone.utc)
        at = local - _zone(_text(detail.get(_TAG.OffsetTimeOriginal)))
    except (ValueError, OverflowError):
        return None
    digits = _text(detail.get(_TAG.SubsecTimeOriginal))
    fraction_ns = int(digits[:9].ljust(9, "0")) if digits.isdecimal() else 0
    t_ns = int(at.timestamp()) * 1_000_000_000 + fraction_ns
    return t_ns if 0 < t_ns < _LATEST_NS else None


def _zone(offset: str) -> timedelta:
    """`+02:00` as a time difference; without one the camera's clock is taken for UTC."""
    try:
        return datetime.strptime(offset, "%z").utcoffset() or timedelta()
    except ValueError:
        return timedelta()


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    return str(value).strip(" \x00") if value is not None else ""


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _positive(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _count(value: Any) -> int | None:
    number = _positive(value)
    return None if number is None else int(number)
