"""A thread and a bounded queue for a blocking camera; what the daemon does not take in time is dropped and counted.

A live camera that stops is opened again, for ever: an RTSP server that hiccups must not blind the rest of a flight.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from runtime.camera.source import Camera
from runtime.errors import CameraError
from runtime.values import Frame

_log = logging.getLogger(__name__)
_REOPEN_FIRST_S = 0.5
_REOPEN_MOST_S = 5.0


class CameraReader:
    """Reads in its own thread; the newest frames win."""

    def __init__(self, camera: Camera, capacity: int = 2, reopen: Callable[[], Camera] | None = None) -> None:
        """``reopen``: opens a live camera anew, or raises CameraError; None for a file, whose end is its end."""
        self._camera = camera
        self._reopen = reopen
        self._frames: queue.Queue[Frame] = queue.Queue(capacity)
        self._stop = threading.Event()
        self.dropped = 0
        self.breaks = 0
        self.ended = False
        self.error: CameraError | None = None
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def poll(self) -> list[Frame]:
        """The frames that came since the last call, oldest first; never blocks."""
        frames = []
        while True:
            try:
                frames.append(self._frames.get_nowait())
            except queue.Empty:
                return frames

    def close(self) -> None:
        """Stop reading and release the camera."""
        self._stop.set()
        self._camera.close()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._read_to_its_end()
            if self._reopen is None or not self._opened_again(self._reopen):
                break
        self.ended = True

    def _read_to_its_end(self) -> None:
        try:
            while not self._stop.is_set():
                frame = self._camera.read()
                if frame is None:
                    return
                self._put(frame)
        except CameraError as error:
            if not self._stop.is_set():
                self.error = error
                _log.error("%s", error)

    def _opened_again(self, reopen: Callable[[], Camera]) -> bool:
        """False once it is to stop."""
        self.breaks += 1
        self._camera.close()
        pause_s = _REOPEN_FIRST_S
        while not self._stop.wait(pause_s):
            try:
                self._camera = reopen()
            except CameraError as error:
                pause_s = min(2 * pause_s, _REOPEN_MOST_S)
                _log.debug("the camera is still gone: %s", error)
                continue
            if self._stop.is_set():  # closed meanwhile: nobody else closes this one
                self._camera.close()
            _log.warning("the camera is open again")
            return True
        return False

    def _put(self, frame: Frame) -> None:
        while True:
            try:
                self._frames.put_nowait(frame)
                return
            except queue.Full:
                try:
                    self._frames.get_nowait()
                    self.dropped += 1
                except queue.Empty:
                    pass  # the daemon took it this instant
