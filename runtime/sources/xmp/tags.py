"""What makers' XMP says of a photo, in one convention."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.spatial.transform import Rotation

from runtime.rotations import quaternion
from runtime.sources.xmp.packet import Fields, Namespace, number
from runtime.values import GeoPoint, Quaternion

_MOST_DEG = 720.0  # of an angle: two turns; what is beyond is none
_MOST_HEIGHT_M = 20_000.0
_MOST_FOCAL_PX = 1e6
_MOST_SIGMA_M = 1e4
_MOUNT_FROM_LEVEL = Rotation.from_euler("Y", 90.0, degrees=True)


@dataclass(frozen=True, slots=True)
class MakerTags:
    """What the block says; None where a field is absent or makes no sense.

    ``camera`` is ned_from_body of the level frame in which a camera that is mounted straight down has the attitude of
    this one, against the horizon; ``flight`` is the airframe's. ``camera_zero`` marks a camera all of whose angles are
    zero, which some makers write instead of angles that they do not know. ``calibrated_focal_px`` is in pixels of the
    original exposure.
    """

    position: GeoPoint | None = None
    position_sigma_m: float | None = None
    relative_altitude_m: float | None = None
    absolute_altitude_m: float | None = None
    above_ground_m: float | None = None
    camera: Quaternion | None = None
    camera_zero: bool = False
    flight: Quaternion | None = None
    calibrated_focal_px: float | None = None


Angles = tuple[float, float, float]  # yaw clockwise from north, pitch up, roll in degrees, turned in that order


def angles_of(fields: Fields, namespace: Namespace, yaw: str, pitch: str, roll: str) -> Angles | None:
    """The three angles of these names; a roll that is not said is none, without yaw or pitch there are none."""
    found = [number(fields, namespace, name) for name in (yaw, pitch, roll)]
    if found[0] is None or found[1] is None:
        return None
    angles = (found[0], found[1], found[2] or 0.0)
    return angles if all(abs(angle) <= _MOST_DEG for angle in angles) else None


def from_horizon(angles: Angles) -> Quaternion:
    """`MakerTags.camera` of a camera whose pitch 0 looks at the horizon and -90 straight down."""
    return quaternion(Rotation.from_euler("ZYX", angles, degrees=True) * _MOUNT_FROM_LEVEL)


def from_nadir(angles: Angles) -> Quaternion:
    """`MakerTags.camera` of a camera whose pitch 0 looks straight down and 90 at the horizon; also an airframe's
    attitude."""
    return quaternion(Rotation.from_euler("ZYX", angles, degrees=True))


def place_of(latitude: float | None, longitude: float | None) -> GeoPoint | None:
    """A position in range; zeros, which cameras write before they have a fix, are none."""
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return None if latitude == 0.0 and longitude == 0.0 else GeoPoint(latitude, longitude)


def height_of(metres: float | None) -> float | None:
    """A height in range."""
    return metres if metres is not None and abs(metres) <= _MOST_HEIGHT_M else None


def sigma_of(*metres: float | None) -> float | None:
    """The largest of several accuracies, all of which must be said; zero is not known."""
    said = [one for one in metres if one is not None and 0.0 < one <= _MOST_SIGMA_M]
    return max(said) if len(said) == len(metres) else None


def focal_of(pixels: float | None) -> float | None:
    """A focal length in pixels, in range."""
    return pixels if pixels is not None and 1.0 <= pixels <= _MOST_FOCAL_PX else None
