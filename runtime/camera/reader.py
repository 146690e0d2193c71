"""A thread and a bounded queue for a blocking camera; what the daemon does not take in time is dropped and counted."""

from __future__ import annotations

import logging
import queue
import threading

from runtime.camera.source import Camera
from runtime.errors import CameraError
from runtime.values import Frame

_log = logging.getLogger(__name__)


class CameraReader:
    """Reads in its own thread; the newest frames win."""

    def __init__(self, camera: Camera, capacity: int = 2) -> None:
        self._camera = camera
        self._frames: queue.Queue[Frame] = queue.Queue(capacity)
        self._stop = threading.Event()
        self.dropped = 0
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
        try:
            while not self._stop.is_set():
                frame = self._camera.read()
                if frame is None:
                    break
                self._put(frame)
        except CameraError as error:
            if not self._stop.is_set():
                self.error = error
                _log.error("%s", error)
        self.ended = True

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
