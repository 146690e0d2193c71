"""The camera before a flight: does it open, how fast, how bright, how sharp, and are its stamps to be believed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

import cv2
import numpy as np

from runtime.camera.health import UNUSABLE_STATES, CameraHealth, CameraState
from runtime.camera.source import Camera, open_camera
from runtime.camera.uri import is_live, without_secret
from runtime.config.sections import CameraSection
from runtime.doctor.finding import Finding
from runtime.errors import CameraError
from runtime.freshness import CAMERA
from runtime.record.sharpness import sharpness
from runtime.values import Frame

_WATCHED_S = 3.0
_MOST_FRAMES = 400
_FROM_A_FILE = 8  # frames: what lies on a disk has neither a rate nor stamps of its own
_LOOKED_AT = 8  # of them closely
_GOOD_HZ = 10.0  # odometry loses its points between two frames that are further apart
_DARK, _BRIGHT = 40.0, 215.0  # mean level, of 255
_NO_MORE, _NO_LESS = 250, 5  # a level beyond says nothing of what was there
_CLIPPED = 0.25  # of the picture
_SOFT = 0.02  # of the contrast in the finest detail: photos of five flights have 0.15 and more; those blurred by 2 of
# 640 pixels have 0.003 to 0.04
_ODD_STAMPS = 0.05  # of the frames
_UNEVEN_MS = 50.0  # of a stamp against its neighbours: at 60 deg/s that is 3 deg of turn
_ASPECT = 0.02  # a share by which width over height may be another: rounding to whole macroblocks


@dataclass(frozen=True, slots=True)
class Watched:
    """What some seconds of a camera showed. ``size_px``: width and height; ``stamps_s`` and ``arrivals_s`` of every
    frame; ``states``: what each frame says of the camera; of those looked at closely, ``level`` and ``clipped`` (a
    share), ``sharp`` by `sharpness`."""

    live: bool
    size_px: tuple[int, int]
    stamps_s: tuple[float, ...]
    arrivals_s: tuple[float, ...]
    states: Counter[CameraState] = field(default_factory=Counter)
    level: float = 0.0
    clipped: float = 0.0
    sharp: float = 0.0

    @property
    def rate_hz(self) -> float:
        """Frames a second, by their arrival."""
        span_s = self.arrivals_s[-1] - self.arrivals_s[0]
        return (len(self.arrivals_s) - 1) / span_s if span_s > 0 else 0.0


def watch(uri: str, seconds: float = _WATCHED_S) -> Watched:
    """Opens the camera at ``uri``, looks at it for some seconds, and releases it.

    Raises:
        CameraError: it does not open, or gives no frame.
    """
    camera = open_camera(uri)
    try:
        return looked_at(camera, without_secret(uri), is_live(uri), seconds)
    finally:
        camera.close()


def looked_at(camera: Camera, name: str, live: bool, seconds: float) -> Watched:
    """What an open camera shows; ``live``: what it gives comes when it is exposed. Raises CameraError as `watch`."""
    health, states = CameraHealth(), Counter[CameraState]()
    frames: list[Frame] = []
    stamps: list[float] = []
    arrivals: list[float] = []
    begun_s = time.monotonic()
    while len(stamps) < (_MOST_FRAMES if live else _FROM_A_FILE) and time.monotonic() - begun_s < seconds:
        frame = camera.read()
        if frame is None:
            break
        arrived_ns = time.monotonic_ns()
        states[health.observe(frame, arrived_ns)] += 1
        stamps.append(frame.t_ns * 1e-9)
        arrivals.append(arrived_ns * 1e-9)
        frames = [*frames[1 - _LOOKED_AT :], frame]  # the newest: exposure has settled by then
    if not frames:
        raise CameraError(f"camera {name} opens and gives no picture.")
    height, width = frames[-1].image.shape[:2]
    greys = [cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY) for frame in frames]
    return Watched(
        live, (width, height), tuple(stamps), tuple(arrivals), states,
        level=float(np.mean([grey.mean() for grey in greys])),
        clipped=float(np.mean([((grey >= _NO_MORE) | (grey <= _NO_LESS)).mean() for grey in greys])),
        sharp=median(sharpness(frame.image) for frame in frames),
    )  # fmt: skip


def camera_findings(section: CameraSection) -> list[Finding]:
    """Everything that can be said of the configured camera; where it does not open, that alone."""
    try:
        watched = watch(section.uri)
    except CameraError as error:
        return [Finding("camera", "wrong", str(error))]
    return list(judged(section, watched))


def judged(section: CameraSection, watched: Watched) -> Iterator[Finding]:
    """What was seen, held against what is configured and needed."""
    yield _opened(section, watched)
    yield _rate(watched)
    yield _exposure(watched)
    yield _sharpness(watched)
    yield _stamps(watched)


def _opened(section: CameraSection, watched: Watched) -> Finding:
    width, height = watched.size_px
    said = f"{without_secret(section.uri)} gives {width}x{height}"
    frozen = watched.states[CameraState.FROZEN]
    if frozen:
        todo = "plug it in anew, or restart its driver"
        return Finding("camera", "wrong", f"{said}, and the same picture again and again", todo)
    shape = (width / height) / (section.width_px / section.height_px)
    if abs(shape - 1.0) > _ASPECT:
        todo = "set width_px and height_px of [camera], and calibrate for that shape"
        return Finding("camera", "wrong", f"{said}, not {section.width_px}x{section.height_px}: another shape", todo)
    if (width, height) != (section.width_px, section.height_px):
        return Finding("camera", "note", f"{said}, not {section.width_px}x{section.height_px}: it is scaled")
    return Finding("camera", "ok", said)


def _rate(watched: Watched) -> Finding:
    if not watched.live:
        return Finding("frame rate", "absent", "files have none")
    if len(watched.arrivals_s) < 2:
        return Finding("frame rate", "wrong", f"one picture in {_WATCHED_S:g} s", "look at its cable and its driver")
    gap_s = max(np.diff(watched.arrivals_s))
    said = f"{watched.rate_hz:.1f} Hz, {gap_s * 1e3:.0f} ms at most between two"
    if gap_s > CAMERA.seconds:
        return Finding("frame rate", "warning", said, "it is called silent in such a gap: look at its cable")
    if watched.rate_hz < _GOOD_HZ:
        return Finding("frame rate", "warning", said, f"{_GOOD_HZ:g} are good: odometry loses its points between two")
    return Finding("frame rate", "ok", said)


def _exposure(watched: Watched) -> Finding:
    said = f"mean level {watched.level:.0f} of 255, {watched.clipped:.0%} too dark or too bright to show anything"
    if watched.states[CameraState.BLACK] or watched.states[CameraState.WHITE]:
        return Finding("exposure", "wrong", said, "take off the lens cap; is its exposure fixed?")
    if not _DARK <= watched.level <= _BRIGHT or watched.clipped > _CLIPPED:
        return Finding("exposure", "warning", said, "let it choose its exposure, or set it for this light")
    return Finding("exposure", "ok", said)


def _sharpness(watched: Watched) -> Finding:
    said = f"{watched.sharp:.3f} of the contrast is in the finest detail"
    if watched.sharp < _SOFT:
        todo = "clean and focus the lens; close above the ground it may be blurred: hold it 2 m up and look again"
        return Finding("sharpness", "warning", f"{said}, {_SOFT:g} at least", todo)
    return Finding("sharpness", "ok", said)


def _stamps(watched: Watched) -> Finding:
    if not watched.live:
        return Finding("timestamps", "absent", "files have none of their own")
    bad = {state: number for state, number in watched.states.items() if _of_stamps(state)}
    if bad:
        share = sum(bad.values()) / max(1, sum(watched.states.values()))
        said = ", ".join(f"{number} {state.value}" for state, number in sorted(bad.items()))
        todo = "such frames are not used: look at its driver, or take it by another address"
        return Finding("timestamps", "wrong" if share > _ODD_STAMPS else "warning", said, todo)
    ages_ms = [(arrived - stamped) * 1e3 for stamped, arrived in zip(watched.stamps_s, watched.arrivals_s, strict=True)]
    steps_ms = np.diff(watched.stamps_s) * 1e3
    uneven_ms = float(np.percentile(np.abs(steps_ms - np.median(steps_ms)), 90)) if len(steps_ms) else 0.0
    said = f"in order, {median(ages_ms):.0f} ms before they arrive, even to {uneven_ms:.0f} ms"
    if uneven_ms > _UNEVEN_MS:
        return Finding("timestamps", "warning", said, "a frame is given the pose of another instant: use a wire")
    return Finding("timestamps", "ok", said)


def _of_stamps(state: CameraState) -> bool:
    return state in UNUSABLE_STATES - {CameraState.FROZEN, CameraState.BLACK, CameraState.WHITE}


def lens_finding(section: CameraSection) -> Finding:
    """Whether the lens was calibrated: a field of view from a data sheet is a few per cent off, and has no bend."""
    if section.hfov_deg is None:
        bend = "distortion" if any(section.distortion) else "no distortion"
        return Finding("intrinsics", "ok", f"calibrated: fx {section.fx_px:.1f} px, {bend}")
    told = f"a field of view alone, {section.hfov_deg:g} deg: 3 % off puts a fix 100 m up 3 m off at the picture's edge"
    return Finding("intrinsics", "warning", told, "homing calibrate board gives the lens")
