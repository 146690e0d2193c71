"""Each maker's names and conventions; a maker is read by a function from an XMP's fields to `MakerTags`."""

from __future__ import annotations

import re

from runtime.sources.xmp.packet import Fields, Namespace, number
from runtime.sources.xmp.tags import (
    Angles,
    MakerTags,
    angles_of,
    focal_of,
    from_horizon,
    from_nadir,
    height_of,
    place_of,
    sigma_of,
)

_BACKWARDS_DEG = -45.0  # no gimbal looks further behind than this: such a pitch counts from the horizon
_FROM_HORIZON = "XL715"  # Autel's EVO Lite Enterprise 640T: the Camera namespace with DJI's pitch
_COORDINATE = re.compile(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?\s*([NSEW])\Z")


def dji(fields: Fields, namespace: Namespace = Namespace.DJI) -> MakerTags:
    """DJI's, and Autel's older models, which took its names over.

    Angles are against north, east, down, turned yaw, pitch, roll; pitch -90 looks straight down, for the gimbal's as
    for the airframe's (DJI Mobile SDK, Android issue 984: "both the aircraft angle and the gimbal angle are based on
    NED"). RtkStd... are 1-sigma in metres (Zenmuse P1 manual, XMP data list). Some firmware spells GpsLongtitude.
    """
    gimbal = angles_of(fields, namespace, "GimbalYawDegree", "GimbalPitchDegree", "GimbalRollDegree")
    flight = angles_of(fields, namespace, "FlightYawDegree", "FlightPitchDegree", "FlightRollDegree")
    return MakerTags(
        position=place_of(
            number(fields, namespace, "GpsLatitude", "Latitude"),
            number(fields, namespace, "GpsLongitude", "GpsLongtitude", "Longitude"),
        ),
        position_sigma_m=sigma_of(number(fields, namespace, "RtkStdLat"), number(fields, namespace, "RtkStdLon")),
        relative_altitude_m=height_of(number(fields, namespace, "RelativeAltitude")),
        absolute_altitude_m=height_of(number(fields, namespace, "AbsoluteAltitude")),
        camera=None if gimbal is None else from_horizon(gimbal),
        camera_zero=_zero(gimbal),
        flight=None if flight is None else from_nadir(flight),
        calibrated_focal_px=focal_of(number(fields, namespace, "CalibratedFocalLength")),
    )


def skydio(fields: Fields) -> MakerTags:
    """Skydio's: ``CameraOrientationNED`` is a structure of Roll, Pitch and Yaw against north, east, down, pitch -90
    straight down; ``CalibratedFocalLength`` one of X and Y in pixels (Skydio, camera and metadata overview)."""
    own = Namespace.SKYDIO
    camera, vehicle = (
        angles_of(fields, own, f"{which}/Yaw", f"{which}/Pitch", f"{which}/Roll")
        for which in ("CameraOrientationNED", "VehicleOrientationNED")
    )
    return MakerTags(
        position=place_of(number(fields, own, "Latitude"), number(fields, own, "Longitude")),
        position_sigma_m=sigma_of(number(fields, own, "GpsHorizontalAccuracy")),
        relative_altitude_m=height_of(number(fields, own, "RelativeAltitude")),
        camera=None if camera is None else from_horizon(camera),
        camera_zero=_zero(camera),
        flight=None if vehicle is None else from_nadir(vehicle),
        calibrated_focal_px=focal_of(number(fields, own, "CalibratedFocalLength/X")),
    )


def parrot(fields: Fields) -> MakerTags:
    """Parrot's (Anafi): Camera...Degree against north, east, down, pitch -90 straight down, and Drone...Degree of the
    airframe (Parrot developer documentation, embedded photo metadata)."""
    own = Namespace.PARROT
    camera = angles_of(fields, own, "CameraYawDegree", "CameraPitchDegree", "CameraRollDegree")
    drone = angles_of(fields, own, "DroneYawDegree", "DronePitchDegree", "DroneRollDegree")
    return MakerTags(
        camera=None if camera is None else from_horizon(camera),
        camera_zero=_zero(camera),
        flight=None if drone is None else from_nadir(drone),
    )


def pix4d(fields: Fields, make: str = "", model: str = "") -> MakerTags:
    """Pix4D's Camera namespace, written by Autel's EVO II, Parrot's Sequoia, senseFly, Sentera and others.

    Yaw 0, pitch 0, roll 0 looks straight down with the image's top to the north; pitch 90 looks forward (Pix4D, "Yaw,
    Pitch, Roll and Omega, Phi, Kappa angles"). Three zeros are what cameras without an attitude write. Some Autels
    write DJI's pitch under these names (Theta-Limited/OpenAthenaIOS issue 62), and senseFly the roll the other way
    round (OpenDroneMap's reader).
    """
    own = Namespace.PIX4D
    said = angles_of(fields, own, "Yaw", "Pitch", "Roll")
    camera = None
    if said is not None and not _zero(said):
        yaw, pitch, roll = said
        if pitch < _BACKWARDS_DEG or (pitch < 0.0 and model.upper().startswith(_FROM_HORIZON)):
            camera = from_horizon(said)
        else:
            camera = from_nadir((yaw, pitch, -roll if make.lower().startswith("sensefly") else roll))
    above = height_of(number(fields, own, "AboveGroundAltitude"))
    return MakerTags(
        position_sigma_m=sigma_of(number(fields, own, "GPSXYAccuracy")),
        above_ground_m=above if above is not None and above > 0.0 else None,
        camera=camera,
    )


def exif(fields: Fields) -> MakerTags:
    """The EXIF tags that XMP repeats: positions as ``46,59.97N`` or ``46,59,58.2N`` (XMP specification part 2)."""
    latitude, longitude = (
        _coordinate(fields.get((Namespace.EXIF, name), ""), letters)
        for name, letters in (("GPSLatitude", "NS"), ("GPSLongitude", "EW"))
    )
    return MakerTags(position=place_of(latitude, longitude))


def _coordinate(text: str, letters: str) -> float | None:
    match = _COORDINATE.match(text.strip().upper())
    if match is None or match[4] not in letters:
        return None
    minutes, seconds = float(match[2]), float(match[3] or 0)
    if minutes >= 60.0 or seconds >= 60.0:
        return None
    degrees = float(match[1]) + minutes / 60 + seconds / 3600
    return -degrees if match[4] in "SW" else degrees


def _zero(angles: Angles | None) -> bool:
    return angles is not None and not any(angles)
