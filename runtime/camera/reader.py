"""A thread and a bounded queue for a blocking camera; what the daemon does not take in time is dropped and counted.

A live camera that stops is opened again, for ever: an RTSP server that hiccups must not blind the rest of a flight.
The thread alone opens, reads and releases its camera: a capture that is released while it is being read aborts the
whole process.
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
_FIRST_PAUSE_S = 0.5  # before a camera that stopped is opened again; doubled until a frame comes
_LONGEST_PAUSE_S = 5.0
_END_TIMEOUT_S = 5.0  # longer than a read over a network may take (opencv.py, mjpeg.py)


class CameraReader:
    """Reads in its own thread; the newest frames win."""

    def __init__(
        self,
        camera: Camera,
        capacity: int = 2,
        reopen: Callable[[], Camera] | None = None,
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        """``reopen``: opens a live camera anew, or raises CameraError; None for a file, whose end is its end."""
        self._camera = camera
        self._reopen = reopen
        self._frames: queue.Queue[Frame] = queue.Queue(capacity)
        self._stop = threading.Event()
        self._first_pause_s = self._pause_s = first_pause_s
        self._wake: Callable[[], None] = lambda: None
        self.dropped = 0
        self.breaks = 0  # times that a live camera stopped
        self.failures = 0  # errors that no camera is known to make
        self.ended = False
        self.error: Exception | None = None  # why no frames come; None while they do
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def wakes(self, wake: Callable[[], None]) -> None:
        """``wake`` is called, from the camera's thread, whenever a frame has come."""
        self._wake = wake

    def poll(self) -> list[Frame]:
        """The frames that came since the last call, oldest first; never blocks."""
        frames = []
        while True:
            try:
                frames.append(self._frames.get_nowait())
            except queue.Empty:
                return frames

    def counts(self) -> dict[str, int]:
        """What went wrong so far, by name."""
        return {"camera_breaks": self.breaks, "camera_failures": self.failures}

    def close(self, timeout_s: float = _END_TIMEOUT_S) -> bool:
        """Have the thread release the camera and end; False where it is still in the driver after ``timeout_s``.

        Such a thread is left behind, and with it the camera, until the process ends.
        """
        self._stop.set()
        self._camera.interrupt()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.error("the camera does not return from a read; it is left to the end of the process")
            return False
        return True

    def _run(self) -> None:
        while True:
            self._read_to_its_end()
            self._release()
            if self._reopen is None or self._stop.is_set() or not self._opened_again(self._reopen):
                break
        self.ended = True

    def _read_to_its_end(self) -> None:
        try:
            while not self._stop.is_set():
                frame = self._camera.read()
                if frame is None:
                    break
                self._put(frame)
                self._wake()
                self._pause_s, self.error = self._first_pause_s, None
            if self._reopen is not None:
                self._stopped(CameraError("the camera ended its stream."))
        except CameraError as error:
            self._stopped(error)
        except Exception as error:  # the thread's edge: counted, and treated as a camera that stopped
            self._failed(error)

    def _release(self) -> None:
        try:
            self._camera.close()
        except Exception as error:  # the thread's edge: what is left of it goes with the process
            self._failed(error)

    def _opened_again(self, reopen: Callable[[], Camera]) -> bool:
        """Once there is a camera again; False once it is to stop."""
        self.breaks += 1
        while not self._stop.wait(self._pause_s):
            known = logging.DEBUG if self._pause_s >= _LONGEST_PAUSE_S else logging.WARNING
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
            try:
                self._camera = reopen()
            except CameraError as error:
                _log.log(known, "%s It is tried again in %g s.", error, self._pause_s)
            except Exception as error:  # the thread's edge: the next try may go well
                self._failed(error)
            else:
                _log.warning("the camera is open again")
                return True
        return False

    def _stopped(self, error: CameraError) -> None:
        if self._stop.is_set():
            return
        self.error = error
        again = "" if self._reopen is None else f" It is opened again in {self._pause_s:g} s."
        _log.error("%s%s", error, again)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self.error = CameraError(f"the camera failed: {error or type(error).__name__}.")
        _log.error("the camera's thread: %s", error, exc_info=error)

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
