"""DJI's XMP block: height above take-off and the attitude of gimbal and aircraft."""

from __future__ import annotations

import math
from dataclasses import dataclass

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from runtime.values import GeoPoint


@dataclass(frozen=True, slots=True)
class EulerDeg:
    """Yaw (clockwise from north), pitch (up positive) and roll in degrees, turned in that order, in NED."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float

    @property
    def all_zero(self) -> bool:
        """Whether all three angles are zero, which some cameras write instead of angles that they do not know."""
        return self.yaw_deg == self.pitch_deg == self.roll_deg == 0.0


@dataclass(frozen=True, slots=True)
class DjiXmp:
    """What the block says; None where a field is absent or not a number.

    ``gimbal`` is the camera's attitude against the horizon, not the body; pitch -90 looks straight down.
    ``calibrated_focal_px`` is in pixels of the original exposure.
    """

    position: GeoPoint | None = None
    relative_altitude_m: float | None = None
    absolute_altitude_m: float | None = None
    gimbal: EulerDeg | None = None
    flight: EulerDeg | None = None
    calibrated_focal_px: float | None = None
    rtk_sigma_m: float | None = None


def read_xmp(block: bytes | str | None) -> DjiXmp:
    """The DJI fields of an XMP packet, written as attributes or elements; without any, an empty record."""
    fields = _fields(block)
    rtk = [fields[key] for key in ("RtkStdLat", "RtkStdLon") if fields.get(key, 0.0) > 0]
    return DjiXmp(
        position=_position(fields),
        relative_altitude_m=fields.get("RelativeAltitude"),
        absolute_altitude_m=fields.get("AbsoluteAltitude"),
        gimbal=_euler(fields, "Gimbal"),
        flight=_euler(fields, "Flight"),
        calibrated_focal_px=fields.get("CalibratedFocalLength"),
        rtk_sigma_m=max(rtk) if len(rtk) == 2 else None,
    )


def _fields(block: bytes | str | None) -> dict[str, float]:
    if not block:
        return {}
    try:
        root = fromstring(block.strip(b" \x00\n\r\t") if isinstance(block, bytes) else block.strip())
    except (ParseError, DefusedXmlException, ValueError):
        return {}
    fields: dict[str, float] = {}
    for element in root.iter():
        pairs = [*element.attrib.items(), (element.tag, element.text or "")]
        for name, text in pairs:
            namespace, _, local = name.rpartition("}")
            if "drone-dji" in namespace and (number := _number(text)) is not None:
                fields[local] = number
    return fields


def _euler(fields: dict[str, float], prefix: str) -> EulerDeg | None:
    yaw, pitch, roll = (fields.get(f"{prefix}{angle}Degree") for angle in ("Yaw", "Pitch", "Roll"))
    if yaw is None or pitch is None:
        return None
    return EulerDeg(yaw, pitch, roll or 0.0)


def _position(fields: dict[str, float]) -> GeoPoint | None:
    latitude = fields.get("GpsLatitude", fields.get("Latitude"))
    # Early firmware spells it with a t too many.
    longitude = fields.get("GpsLongitude", fields.get("GpsLongtitude", fields.get("Longitude")))
    if latitude is None or longitude is None or (latitude == 0.0 and longitude == 0.0):
        return None
    return GeoPoint(latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
