"""The state of a camera, from the content, the stamps and the arrivals of its frames: frozen, black, silent and so on.

A CSI camera whose driver hung may keep handing over its last frame with success, so content is compared, not status.
Stamps are compared with the clock of arrival, so that a single wrong one costs its own frame and no other.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from runtime.freshness import CAMERA, POSES_KEPT
from runtime.values import Frame

STAMP_AHEAD_LIMIT_NS = 50_000_000  # 50 ms: a stamp precedes its frame's arrival, but for a coarse driver's clock
_FROZEN_FRAMES = 5  # identical to the last bit: sensor noise forbids it on a living camera
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


UNUSABLE_STATES = frozenset(
    {
        CameraState.FROZEN, CameraState.BLACK, CameraState.WHITE, CameraState.STAMPS_BACKWARDS,
        CameraState.STAMP_IN_FUTURE, CameraState.STAMP_TOO_OLD,
    }
)  # fmt: skip


class CameraHealth:
    """Fed with every frame; asked at any time."""

    def __init__(self) -> None:
        self._stamped_t_ns: int | None = None  # the latest stamp that the clock of arrival bore out
        self._arrived_t_ns: int | None = None
        self._last_probe: bytes | None = None
        self._repeats = 0
        self._state = CameraState.NO_FRAME_YET

    def observe(self, frame: Frame, arrived_t_ns: int) -> CameraState:
        """The state that a frame shows, which came at ``arrived_t_ns``, on the clock of ``frame.t_ns``."""
        probe = np.ascontiguousarray(frame.image[::_PROBE_STEP_PX, ::_PROBE_STEP_PX])
        content = probe.tobytes()
        self._repeats = self._repeats + 1 if content == self._last_probe else 0
        self._last_probe, self._arrived_t_ns = content, arrived_t_ns
        self._state = self._stamp_fault(frame.t_ns, arrived_t_ns) or self._content_state(probe)
        return self._state

    def state(self, t_ns: int) -> CameraState:
        """The state now, silence included."""
        if self._arrived_t_ns is not None and t_ns - self._arrived_t_ns > CAMERA.ns:
            return CameraState.SILENT
        return self._state

    def _stamp_fault(self, t_ns: int, arrived_t_ns: int) -> CameraState | None:
        """A stamp that the clock of arrival refutes is not compared with later ones."""
        if t_ns > arrived_t_ns + STAMP_AHEAD_LIMIT_NS:
            return CameraState.STAMP_IN_FUTURE
        if t_ns < arrived_t_ns - POSES_KEPT.ns:
            return CameraState.STAMP_TOO_OLD
        latest_ns = self._stamped_t_ns
        self._stamped_t_ns = t_ns if latest_ns is None else max(t_ns, latest_ns)
        return CameraState.STAMPS_BACKWARDS if latest_ns is not None and t_ns <= latest_ns else None

    def _content_state(self, probe: np.ndarray) -> CameraState:
        if self._repeats >= _FROZEN_FRAMES:
            return CameraState.FROZEN
        level, spread = float(probe.mean()), float(probe.std())
        if level < _DARK_LEVEL and spread < _FLAT_SPREAD:
            return CameraState.BLACK
        if level > _BRIGHT_LEVEL and spread < _FLAT_SPREAD:
            return CameraState.WHITE
        return CameraState.OK
