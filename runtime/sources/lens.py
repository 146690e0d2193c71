"""The camera model of a photo: from a flag, its EXIF, or the table of cameras whose sensor is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.camera_model import CameraModel, body_from_mount
from runtime.sources.exif import PhotoExif
from runtime.sources.xmp.tags import MakerTags

NADIR_DEG = -90.0
UNCLEAR_ZOOM = "unclear digital zoom"
_ZOOMED = 1.005  # a ratio from here on is no rounding of 1
ASSUMED_HFOV_DEG = 65.0  # a common drone camera; only said to be assumed, never to be known
_DIAGONAL_35MM_MM = math.hypot(36.0, 24.0)
_SENSOR_MM = (3.0, 60.0)  # from a phone's to a medium format: outside, the focal plane resolution is nonsense
# Width of the pixels that make the widest photo, from the makers' data sheets; by EXIF model.
_SENSOR_WIDTH_MM = {
    "FC300S": 6.17,  # Phantom 3 Professional, 1/2.3 inch
    "FC300X": 6.17,
    "FC330": 6.17,  # Phantom 4
    "FC220": 6.17,  # Mavic Pro
    "FC6310": 13.2,  # Phantom 4 Pro, 1 inch
    "FC6310R": 13.2,
    "FC7303": 6.17,  # Mini 2
    "L1D-20c": 13.2,  # Mavic 2 Pro
}


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera model and where its field of view came from."""

    camera: CameraModel
    source: str

    @property
    def unclear(self) -> bool:
        """True where the file says a field of view that can be read in two ways."""
        return self.source == UNCLEAR_ZOOM

    @property
    def known(self) -> bool:
        """False where the field of view is only an assumption."""
        return self.source not in ("assumed", UNCLEAR_ZOOM)


def lens_of(
    width_px: int,
    height_px: int,
    exif: PhotoExif,
    xmp: MakerTags,
    hfov_deg: float | None,
    pitch_deg: float = NADIR_DEG,
) -> Lens:
    """The camera behind a ``width_px`` by ``height_px`` image, mounted at ``pitch_deg``.

    Raises:
        UsageError: ``hfov_deg`` is not a field of view.
    """
    if hfov_deg is not None:
        return Lens(CameraModel.from_hfov(width_px, height_px, hfov_deg, pitch_deg), "flag")
    focal_px, source = _focal(width_px, height_px, exif, xmp)
    if focal_px is None:
        return Lens(CameraModel.from_hfov(width_px, height_px, ASSUMED_HFOV_DEG, pitch_deg), source)
    camera = CameraModel(
        width_px, height_px, focal_px, focal_px, width_px / 2, height_px / 2,
        body_from_camera=body_from_mount(pitch_deg),
    )  # fmt: skip
    return Lens(camera, source)


def _focal(width_px: int, height_px: int, exif: PhotoExif, xmp: MakerTags) -> tuple[float | None, str]:
    """Focal length in pixels of this file, and its source; the best source first."""
    long_px = max(width_px, height_px)
    original_px = max(exif.width_px or long_px, exif.height_px or 0)
    if xmp.calibrated_focal_px is not None and xmp.calibrated_focal_px > 0:
        return xmp.calibrated_focal_px * long_px / original_px, "xmp calibrated focal length"
    if exif.focal_mm is not None and exif.model in _SENSOR_WIDTH_MM:
        return exif.focal_mm / _SENSOR_WIDTH_MM[exif.model] * long_px * exif.digital_zoom, "known camera"
    if exif.focal_mm is not None and exif.focal_plane_px_per_mm is not None:
        sensor_mm = original_px / exif.focal_plane_px_per_mm
        if _SENSOR_MM[0] <= sensor_mm <= _SENSOR_MM[1]:
            return exif.focal_mm / sensor_mm * long_px * exif.digital_zoom, "exif focal plane"
    if exif.focal_35mm is not None and exif.digital_zoom > _ZOOMED:
        return None, UNCLEAR_ZOOM  # some cameras count it in, others do not
    if exif.focal_35mm is not None:
        focal_px = exif.focal_35mm / _DIAGONAL_35MM_MM * _full_diagonal_px(width_px, height_px)
        return focal_px, "exif 35 mm equivalent"
    return None, "assumed"


def _full_diagonal_px(width_px: int, height_px: int) -> float:
    """Diagonal of the sensor: the 35 mm equivalent speaks of the whole, 16:9 photos are cut from 4:3."""
    long_px, short_px = max(width_px, height_px), min(width_px, height_px)
    cut = long_px / short_px > 1.6  # wider than any sensor of a photo camera
    return math.hypot(long_px, long_px * 3 / 4 if cut else short_px)
