"""Query crops: north-up squares of a frame at the footprints that keyframes are embedded at. Where height or heading is
unknown there is one for each that the frame may have been taken from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from runtime.fix.query import Known
from runtime.rotations import turned_about_vertical
from runtime.values import Attitude, Frame, ImageRGB, Measured, Pose
from runtime.view import GroundPlane, rectify

HEADINGS = 12  # tried where north is unknown: 30 degrees apart, the towers stand half of that
_MIN_COVERAGE = 0.8  # of a crop to be compared: keyframes have 0.9 of theirs
_COVERAGE_SAMPLES = 8  # along each side of a crop, to see how much of it the camera covers
_SHRUNK_PX_PER_CROP_PX = 0.95  # just under one: else a tilted crop is cut twice as fine, and averaged again
_LARGEST_SHRUNK_SHARE = 0.9  # of a frame's side: shrinking it by less costs more than it saves
_SMALLEST_BLURRED_SHARE = 0.4  # of a frame's side: below, a blur of three pixels is too little against alias


@dataclass(frozen=True, slots=True)
class QueryCrop:
    """A crop to be embedded: ``image`` (S, S, 3) uint8 RGB, of ``footprint_m`` if the camera stood as ``pose`` says;
    ``centre_ne_m``: (north, east) of its centre from the point below the camera."""

    footprint_m: float
    pose: Pose
    centre_ne_m: tuple[float, float]
    image: ImageRGB


def query_crops(
    frame: Frame,
    known: Known,
    rungs: Sequence[float],
    chosen: Callable[[Sequence[float]], Sequence[float]],
    seen_footprints_m: Sequence[float],
    size_px: int,
) -> list[QueryCrop]:
    """The crops to compare: one where height and heading are known, else one for each to be tried; largest first.

    ``chosen`` picks from the rungs that the camera covers those that must be compared. ``seen_footprints_m``:
    visible footprints to try where the height is unknown.
    """
    if not rungs:
        return []
    poses = [turned for tall in _heights(known, seen_footprints_m) for turned in _headings(known, tall)]
    found = []
    for pose in poses:
        plane = GroundPlane.of(known.camera, pose)
        if plane is None:
            continue
        for rung in chosen(_covered(rungs, plane, size_px)):
            small = shrunk(frame, plane, rung, size_px)
            image = rectify(small, known.camera, pose, rung, size_px).image
            found.append(QueryCrop(rung, pose, plane.crop_centre(), image))
    return found


def shrunk(frame: Frame, plane: GroundPlane, rung_m: float, size_px: int) -> Frame:
    """The frame averaged down to about the crop's own pixels: the crop is then cut at a quarter of the cost."""
    share = size_px / (rung_m / plane.height_agl_m * plane.camera.fx_px) * _SHRUNK_PX_PER_CROP_PX
    share = max(share, 2.0 / min(frame.image.shape[:2]))  # a camera on the ground shows less than a pixel of a crop
    if share > _LARGEST_SHRUNK_SHARE:
        return frame
    if share < _SMALLEST_BLURRED_SHARE:
        small = cv2.resize(frame.image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    else:  # a sixth of the time, and no more alias than a pixel's share
        small = cv2.resize(cv2.blur(frame.image, (3, 3)), None, fx=share, fy=share, interpolation=cv2.INTER_LINEAR)
    return replace(frame, image=np.asarray(small, dtype=np.uint8))


def _covered(rungs: Sequence[float], plane: GroundPlane, size_px: int) -> list[float]:
    """Those that the camera shows well enough, the largest first; the smallest where it shows none; none where it looks
    past the ground."""
    north, east = plane.crop_centre()
    if not math.isfinite(north):
        return []
    for number, rung in enumerate(largest_first := sorted(rungs, reverse=True)):
        steps = (np.arange(_COVERAGE_SAMPLES) + 0.5) / _COVERAGE_SAMPLES * rung - rung / 2
        across = np.stack(np.meshgrid(steps + north, steps + east), axis=-1).reshape(-1, 2)
        if plane.shows(across, rung, size_px).mean() >= _MIN_COVERAGE:
            return largest_first[number:]
    return largest_first[-1:]


def _heights(known: Known, seen_footprints_m: Sequence[float]) -> list[Pose]:
    if known.height:
        return [known.pose]
    unit = replace(known.pose, height_agl_m=Measured(1.0, 1.0, "tried"))
    plane = GroundPlane.of(known.camera, unit)
    per_metre = plane.visible_footprint_m() if plane is not None else 0.0
    if per_metre <= 0.0:
        return []
    return [
        replace(known.pose, height_agl_m=Measured(side / per_metre, 0.2 * side / per_metre, "tried"))
        for side in seen_footprints_m
    ]


def _headings(known: Known, pose: Pose) -> list[Pose]:
    if known.heading:
        return [pose]
    assert pose.attitude is not None
    turned = []
    for step in range(HEADINGS):
        attitude = turned_about_vertical(pose.attitude.ned_from_body, step * math.tau / HEADINGS)
        turned.append(replace(pose, attitude=Attitude(attitude, 0.3, "tried", pose.attitude.tilt_measured)))
    return turned
