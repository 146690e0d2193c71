"""A photo as a frame, a pose and a camera: what its tags say, and the flags that override them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from runtime.camera_model import CameraModel, body_from_mount
from runtime.errors import UsageError
from runtime.heights import above_flat_ground
from runtime.rotations import turned_about_vertical
from runtime.sources.accuracy import GPS_SIGMA_M, VAGUE, WORST_SIGMA_M
from runtime.sources.exif import PhotoExif, read_exif
from runtime.sources.lens import NADIR_DEG, Lens, lens_of
from runtime.sources.picture import WHOLE_PX, opened_picture, read_pixels, stored_px
from runtime.sources.xmp.reader import read_xmp
from runtime.sources.xmp.tags import MakerTags
from runtime.values import Attitude, Frame, GeoPoint, ImageRGB, Measured, Pose, Position, PositionSource, yaw_of

_XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\x00"  # XMP specification part 3, section 1.1.3
_GIMBAL_YAW_SIGMA_RAD = math.radians(3.0)  # compass-bound
_FLIGHT_YAW_SIGMA_RAD = math.radians(5.0)  # the gimbal lags behind the airframe's yaw
_FLAG_SIGMA_RAD = math.radians(2.0)
_BAROMETER_SIGMA_M = 1.0
_SAME_SHAPE = 0.01  # of width over height: what rounding to whole pixels changes
_SAME_PLACE_DEG = 0.05  # 5 km: EXIF and XMP of one photo, whatever each was rounded or corrected by


@dataclass(frozen=True, slots=True)
class CameraFlags:
    """What the user says of the camera; it overrides what the files say. None: not said.

    ``camera_pitch_deg`` -90 looks straight down. ``hfov_deg`` is across the stored image's width.
    ``heading_deg`` is where the image's top points, clockwise from true north. ``calibrated``: the camera as it was
    calibrated, which takes the place of ``hfov_deg``; mounted as it says itself, or by ``camera_pitch_deg``.

    Raises:
        UsageError: a height that is not positive, an angle beyond a turn, or two fields of view.
    """

    camera_pitch_deg: float | None = None
    hfov_deg: float | None = None
    height_agl_m: float | None = None
    heading_deg: float | None = None
    calibrated: CameraModel | None = None

    @property
    def pitch_told(self) -> bool:
        """Whether the user says how the camera is mounted."""
        return self.camera_pitch_deg is not None or self.calibrated is not None

    def __post_init__(self) -> None:
        if self.height_agl_m is not None and not 0.0 < self.height_agl_m < math.inf:
            raise UsageError(f"A height of {self.height_agl_m:g} m above ground is not positive.")
        if self.hfov_deg is not None and self.calibrated is not None:
            raise UsageError("Give --hfov-deg or --camera, not both.")
        for what, angle_deg in (("pitch", self.camera_pitch_deg), ("heading", self.heading_deg)):
            if angle_deg is not None and not abs(angle_deg) <= 360.0:
                raise UsageError(f"A {what} of {angle_deg:g} deg is beyond a turn.")


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo as read: pixels as the sensor gave them; the EXIF orientation is for showing, not applied.

    ``pose.ned_from_body`` carries a stabilised camera's gimbal attitude; ``camera`` is mounted in it. ``tag`` is the
    position that the file carries.
    ``lens_source`` says where the field of view came from; ``"assumed"`` means that nobody knows it.
    ``unusable`` says why it cannot become a keyframe, empty where it can: among the reasons the gimbal 0/0/0 that some
    cameras write although they look down.
    """

    name: str
    frame: Frame
    pose: Pose
    tag: Position | None
    camera: CameraModel
    lens_source: str
    unusable: str = ""


def read_photo(path: Path, flags: CameraFlags | None = None, index: int = 0) -> Photo:
    """Read one image file with what its EXIF and its maker's XMP say of pose and lens.

    A file without tags is no error: tag, height and heading are None then. ``pose.t_ns`` is the time of exposure since
    1970 by the camera's clock, None where the file does not say (``frame.t_ns`` is 0 then).

    Raises:
        ImageError: the file is missing, not an image, or truncated.
        UsageError: a flag holds an impossible value.
    """
    flags = flags or CameraFlags()
    pixels, exif, xmp = _read(path)
    height, width = pixels.shape[:2]
    lens = lens_by(flags, width, height, exif, xmp)
    tag = _tag(exif, xmp)
    return Photo(
        name=path.name,
        frame=Frame(pixels, exif.t_ns or 0, path.name, index),
        pose=apply_flags(_pose(exif, xmp, flags), flags),
        tag=tag,
        camera=lens.camera,
        lens_source=lens.source,
        unusable=_unusable(tag, exif, xmp, lens, xmp.camera_zero and flags.camera_pitch_deg is None),
    )


def lens_by(flags: CameraFlags, width_px: int, height_px: int, exif: PhotoExif, xmp: MakerTags) -> Lens:
    """The camera behind an image: calibrated, by the flag, or by its tags.

    Raises:
        UsageError: the flag is no field of view, or pictures of another shape were calibrated.
    """
    pitch_deg = NADIR_DEG if flags.camera_pitch_deg is None else flags.camera_pitch_deg
    if flags.calibrated is None:
        return lens_of(width_px, height_px, exif, xmp, flags.hfov_deg, pitch_deg)
    camera = flags.calibrated
    shape, calibrated = width_px / height_px, camera.width_px / camera.height_px
    if abs(shape / calibrated - 1.0) > _SAME_SHAPE:
        raise UsageError(
            f"--camera is of pictures of {camera.width_px} by {camera.height_px}, these are {width_px} by {height_px}: "
            "of another shape."
        )
    if flags.camera_pitch_deg is not None:
        camera = replace(camera, body_from_camera=body_from_mount(flags.camera_pitch_deg))
    return Lens(camera.scaled_to(width_px, height_px), "calibration")


def apply_flags(pose: Pose, flags: CameraFlags) -> Pose:
    """The pose with the height and heading that the user gave; the rest stays."""
    if flags.height_agl_m is not None:
        pose = replace(pose, height_agl_m=Measured(flags.height_agl_m, 0.03 * flags.height_agl_m, "flag"))
    if flags.heading_deg is not None:
        pose = replace(pose, attitude=_turned_to(pose.attitude or Attitude.level(), math.radians(flags.heading_deg)))
    return pose


def _turned_to(attitude: Attitude, heading_rad: float) -> Attitude:
    """The attitude with the heading that the user gave, its tilt kept."""
    turned = turned_about_vertical(attitude.ned_from_body, heading_rad - yaw_of(attitude.ned_from_body))
    return Attitude(turned, _FLAG_SIGMA_RAD, "flag", attitude.tilt_measured)


def _read(path: Path) -> tuple[ImageRGB, PhotoExif, MakerTags]:
    with opened_picture(path) as image:
        full_px = stored_px(image)
        pixels = read_pixels(image, path, 1 if math.prod(full_px) <= WHOLE_PX else 2).image
        exif = read_exif(image)
        if pixels.shape[1::-1] != full_px and exif.width_px is None:
            exif = replace(exif, width_px=full_px[0], height_px=full_px[1])
        return pixels, exif, read_xmp(_xmp_block(image), exif.make, exif.model)


def _xmp_block(image: Image.Image) -> bytes | None:
    """The XMP packet; Pillow before 11 leaves a JPEG's among its application segments."""
    if isinstance(block := image.info.get("xmp"), bytes):
        return block
    for _, segment in getattr(image, "applist", []):
        if segment.startswith(_XMP_HEADER):
            return bytes(segment[len(_XMP_HEADER) :])
    return None


def _pose(exif: PhotoExif, xmp: MakerTags, flags: CameraFlags) -> Pose:
    altitude = exif.altitude_amsl_m
    if xmp.absolute_altitude_m is not None:
        altitude = Measured(xmp.absolute_altitude_m, 10.0, "xmp")
    relative_m = xmp.relative_altitude_m
    above_takeoff = None if relative_m is None else Measured(relative_m, _BAROMETER_SIGMA_M, "xmp")
    above = above_takeoff
    if above is None and xmp.above_ground_m is not None:
        above = Measured(xmp.above_ground_m, _BAROMETER_SIGMA_M, "xmp")
    return Pose(
        t_ns=exif.t_ns,
        altitude_amsl_m=altitude,
        height_takeoff_m=above_takeoff,
        height_agl_m=above_flat_ground(above) if above and above.value > 0 else None,
        attitude=_attitude(xmp, flags.camera_pitch_deg is not None),
    )


def _tag(exif: PhotoExif, xmp: MakerTags) -> Position | None:
    point = exif.position or _signed(exif.unsigned_position, xmp.position) or xmp.position
    if point is None:
        return None
    sigma_m = xmp.position_sigma_m or exif.position_sigma_m or GPS_SIGMA_M
    if point is not xmp.position:
        sigma_m = math.hypot(sigma_m, exif.position_step_m / math.sqrt(12.0))  # evenly spread over a step
    return Position.circular(point, sigma_m, PositionSource.TAG)


def _signed(unsigned: GeoPoint | None, signed: GeoPoint | None) -> GeoPoint | None:
    """The position whose hemisphere nothing says with the signs of the maker's, where both are of one place."""
    if unsigned is None or signed is None:
        return None
    latitude = math.copysign(unsigned.latitude_deg, signed.latitude_deg)
    longitude = math.copysign(unsigned.longitude_deg, signed.longitude_deg)
    return GeoPoint(latitude, longitude) if _near(signed, latitude, longitude) else None


def _contradict(exif: GeoPoint | None, xmp: GeoPoint | None) -> bool:
    """Whether one of two positions is the other's with a wrong sign, or with the two numbers exchanged: what programs
    that write tags get wrong. Others that differ were corrected: the EXIF is the one that people correct."""
    if exif is None or xmp is None or _near(exif, xmp.latitude_deg, xmp.longitude_deg):
        return False
    latitude, longitude = abs(xmp.latitude_deg), abs(xmp.longitude_deg)
    unsigned = GeoPoint(abs(exif.latitude_deg), abs(exif.longitude_deg))
    return _near(unsigned, latitude, longitude) or _near(unsigned, longitude, latitude)


def _near(a: GeoPoint, latitude_deg: float, longitude_deg: float) -> bool:
    return max(abs(a.latitude_deg - latitude_deg), abs(a.longitude_deg - longitude_deg)) < _SAME_PLACE_DEG


def _unusable(tag: Position | None, exif: PhotoExif, xmp: MakerTags, lens: Lens, gimbal_unsaid: bool) -> str:
    if tag is None and exif.unsigned_position is not None:
        return "its GPS tag does not say the hemisphere (no GPSLatitudeRef or GPSLongitudeRef, nothing in its XMP)"
    if tag is None:
        return "no GPS tag"
    if tag.sigma_m > WORST_SIGMA_M:
        return f"by its tags its position is {VAGUE}"
    if _contradict(exif.position, xmp.position):
        return "its EXIF and its XMP have other hemispheres, or latitude and longitude exchanged: delete the wrong one"
    if gimbal_unsaid:
        return "its gimbal angles are all zero, a camera looking at the horizon: give --camera-pitch-deg"
    if lens.unclear:
        return f"its focal length may or may not count in its digital zoom of {exif.digital_zoom:g}: give --hfov-deg"
    return ""


def _attitude(xmp: MakerTags, pitch_overridden: bool) -> Attitude | None:
    """Attitude of the frame that the camera is mounted in."""
    if xmp.camera is not None and not xmp.camera_zero:
        said = Attitude(xmp.camera, _GIMBAL_YAW_SIGMA_RAD, "xmp gimbal yaw")
        return Attitude.level(said.heading) if pitch_overridden else said
    if xmp.camera is not None and not pitch_overridden:
        return Attitude(xmp.camera)  # taken at its word: it looks at the horizon
    if xmp.flight is None:
        return None
    said = Attitude(xmp.flight, _FLIGHT_YAW_SIGMA_RAD, "xmp flight yaw")
    return said if xmp.camera is None else Attitude.level(said.heading)  # stabilised, whatever the airframe did
