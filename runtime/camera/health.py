"""Notices a camera that looks alive and is not: frozen, black, washed out, or silent.

A CSI camera whose driver hung may keep handing over its last frame with success, so content is compared, not status.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from runtime.values import Frame

SILENT_AFTER_NS = 1_000_000_000
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
    SILENT = "silent"


class CameraHealth:
    """Fed with every frame; asked at any time."""

    def __init__(self) -> None:
        self._last_t_ns: int | None = None
        self._last_probe: bytes | None = None
        self._repeats = 0
        self._state = CameraState.NO_FRAME_YET

    def observe(self, frame: Frame) -> CameraState:
        """Take in a frame and say what it shows."""
        probe = np.ascontiguousarray(frame.image[::_PROBE_STEP_PX, ::_PROBE_STEP_PX])
        content = probe.tobytes()
        self._repeats = self._repeats + 1 if content == self._last_probe else 0
        backwards = self._last_t_ns is not None and frame.t_ns <= self._last_t_ns
        self._last_probe, self._last_t_ns = content, max(frame.t_ns, self._last_t_ns or 0)
        self._state = self._judge(probe, backwards)
        return self._state

    def state(self, t_ns: int) -> CameraState:
        """The state now, silence included."""
        if self._last_t_ns is not None and t_ns - self._last_t_ns > SILENT_AFTER_NS:
            return CameraState.SILENT
        return self._state

    def _judge(self, probe: np.ndarray, backwards: bool) -> CameraState:
        if self._repeats >= _FROZEN_FRAMES:
            return CameraState.FROZEN
        if backwards:
            return CameraState.STAMPS_BACKWARDS
        level, spread = float(probe.mean()), float(probe.std())
        if level < _DARK_LEVEL and spread < _FLAT_SPREAD:
            return CameraState.BLACK
        if level > _BRIGHT_LEVEL and spread < _FLAT_SPREAD:
            return CameraState.WHITE
        return CameraState.OK
