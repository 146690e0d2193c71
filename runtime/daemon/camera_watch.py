"""Tells of the camera when its state changes: in the flight log, on the console, and to the pilot's ground station."""

from __future__ import annotations

import logging

from runtime.camera.health import CameraState
from runtime.camera.words import WORDS
from runtime.daemon.rooms import Rooms
from runtime.flightlog.records import CameraStateRecord
from runtime.freshness import CAMERA, CAMERA_FAULT

_LOG = logging.getLogger(__name__)
_WARNING, _NOTICE = 4, 5  # MAV_SEVERITY


class CameraWatch:
    """Looked at with every tick. A fault is told at once; that it is over, once none has shown for `CAMERA_FAULT`."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._begun_ns: int | None = None
        self._bad_ns = 0  # when the last fault showed
        self.told: CameraState | None = None  # what people know; None before anything was to be told

    def tick(self, t_ns: int, state: CameraState, error: str) -> None:
        """``error``: why no frames come, in the words of the camera's thread; empty while they do."""
        self._begun_ns = t_ns if self._begun_ns is None else self._begun_ns
        if state is CameraState.NO_FRAME_YET and not error and t_ns - self._begun_ns < CAMERA.ns:
            return
        if state is not CameraState.OK:
            self._bad_ns = t_ns
        elif self.told not in (None, CameraState.OK) and t_ns - self._bad_ns < CAMERA_FAULT.ns:
            return
        if state is not self.told:
            self._tell(t_ns, state, error)

    def _tell(self, t_ns: int, state: CameraState, error: str) -> None:
        first, self.told = self.told is None, state
        self._rooms.journal.write(t_ns, CameraStateRecord(state.value, error or None))
        fine = state is CameraState.OK
        _LOG.log(logging.INFO if fine else logging.WARNING, "camera: %s", error or WORDS[state])
        if not (first and fine):
            said = "camera works again" if fine else f"camera {state.value.replace('_', ' ')}"
            self._rooms.vehicle.statustext(f"Homing: {said}", _NOTICE if fine else _WARNING, t_ns)
