"""The state of a camera, from the content, the stamps and the arrivals of its frames: frozen, black, silent and so on.

A CSI camera whose driver hung may keep handing over its last frame with success, so content is compared, not status.
Stamps are compared with the clock of arrival, so that a single wrong one costs its own frame and no other.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from runtime.freshness import CAMERA, CAMERA_QUICK, FROZEN, POSES_KEPT
from runtime.values import Frame, ImageRGB

STAMP_AHEAD_LIMIT_NS = 50_000_000  # 50 ms: a stamp precedes its frame's arrival, but for a coarse driver's clock
_FROZEN_FRAMES = 5  # identical to the last bit: sensor noise forbids it on a living camera
_REPEATED_FRAMES = 2  # of a slow camera, for so long that it must be frozen; one alone is a driver that says it twice
_SILENT_PERIODS = 1.5  # of the longest gap between two frames lately: a camera that jitters is not silent
_SHAPE_TOLERANCE = 0.02  # of the width: drivers round to whole blocks of 8 or 16 pixels
_GAP_KEPT = 0.95  # of that longest gap, from frame to frame
_PROBE_STEP_PX = 7  # every seventh pixel each way tells as much as all of them
_DARK_LEVEL, _BRIGHT_LEVEL, _FLAT_SPREAD = 8.0, 247.0, 3.0  # of 255


class CameraState(str, Enum):
    """What the frames say of the camera."""

    NO_FRAME_YET = "no_frame_yet"
    OK = "ok"
    FROZEN = "frozen"
    BLACK = "black"
    WHITE = "white"
    STAMPS_BACKWARDS = "stamps_backwards"
    STAMP_IN_FUTURE = "stamp_in_future"
    STAMP_TOO_OLD = "stamp_too_old"
    SILENT = "silent"
    OTHER_SHAPE = "other_shape"


UNUSABLE_STATES = frozenset(
    {
        CameraState.FROZEN, CameraState.BLACK, CameraState.WHITE, CameraState.STAMPS_BACKWARDS,
        CameraState.STAMP_IN_FUTURE, CameraState.STAMP_TOO_OLD, CameraState.OTHER_SHAPE,
    }
)  # fmt: skip


class CameraHealth:
    """Fed with every frame; asked at any time.

    ``aspect``: width to height of the configured camera. Frames of another number of pixels are the same view, of
    another shape they are not: a sensor's other mode cuts something off. None: any shape will do.
    """

    def __init__(self, aspect: float | None = None) -> None:
        self._aspect = aspect
        self._stamped_t_ns: int | None = None  # the latest stamp that the clock of arrival bore out
        self._arrived_t_ns: int | None = None
        self._gap_ns: float | None = None  # the longest between two arrivals lately
        self._changed_t_ns = 0  # when the picture was last another one
        self._last_probe: bytes | None = None
        self._repeats = 0
        self._state = CameraState.NO_FRAME_YET

    def observe(self, frame: Frame, arrived_t_ns: int) -> CameraState:
        """The state that a frame shows, which came at ``arrived_t_ns``, on the clock of ``frame.t_ns``."""
        probe = np.ascontiguousarray(frame.image[::_PROBE_STEP_PX, ::_PROBE_STEP_PX])
        content = probe.tobytes()
        self._repeats = self._repeats + 1 if content == self._last_probe else 0
        if not self._repeats:
            self._changed_t_ns = arrived_t_ns
        self._note_gap(arrived_t_ns)
        self._last_probe, self._arrived_t_ns = content, arrived_t_ns
        self._state = (
            self._stamp_fault(frame.t_ns, arrived_t_ns)
            or self._shape_fault(frame.image)
            or self._content_state(probe, arrived_t_ns)
        )
        return self._state

    def state(self, t_ns: int) -> CameraState:
        """The state now, silence included."""
        if self._arrived_t_ns is not None and t_ns - self._arrived_t_ns > self.silent_after_ns:
            return CameraState.SILENT
        return self._state

    @property
    def silent_after_ns(self) -> int:
        """How long after its last frame it is silent: the sooner, the more evenly its frames came."""
        if self._gap_ns is None:
            return CAMERA.ns
        return min(CAMERA.ns, max(CAMERA_QUICK.ns, round(_SILENT_PERIODS * self._gap_ns)))

    def _note_gap(self, arrived_t_ns: int) -> None:
        if self._arrived_t_ns is not None:
            self._gap_ns = max(arrived_t_ns - self._arrived_t_ns, _GAP_KEPT * (self._gap_ns or 0.0))

    def _stamp_fault(self, t_ns: int, arrived_t_ns: int) -> CameraState | None:
        """A stamp that the clock of arrival refutes is not compared with later ones."""
        if t_ns > arrived_t_ns + STAMP_AHEAD_LIMIT_NS:
            return CameraState.STAMP_IN_FUTURE
        if t_ns < arrived_t_ns - POSES_KEPT.ns:
            return CameraState.STAMP_TOO_OLD
        latest_ns = self._stamped_t_ns
        self._stamped_t_ns = t_ns if latest_ns is None else max(t_ns, latest_ns)
        return CameraState.STAMPS_BACKWARDS if latest_ns is not None and t_ns <= latest_ns else None

    def _shape_fault(self, image: ImageRGB) -> CameraState | None:
        if self._aspect is None:
            return None
        height_px, width_px = image.shape[:2]
        off_px = abs(width_px - self._aspect * height_px)
        return CameraState.OTHER_SHAPE if off_px > _SHAPE_TOLERANCE * width_px else None

    def _content_state(self, probe: np.ndarray, arrived_t_ns: int) -> CameraState:
        long = arrived_t_ns - self._changed_t_ns >= FROZEN.ns
        if self._repeats >= (_REPEATED_FRAMES if long else _FROZEN_FRAMES):
            return CameraState.FROZEN
        level, spread = float(probe.mean()), float(probe.std())
        if level < _DARK_LEVEL and spread < _FLAT_SPREAD:
            return CameraState.BLACK
        if level > _BRIGHT_LEVEL and spread < _FLAT_SPREAD:
            return CameraState.WHITE
        return CameraState.OK
