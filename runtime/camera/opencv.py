"""V4L2, GStreamer (CSI on a Jetson), RTSP and video files, through OpenCV's capture."""

from __future__ import annotations

import os
import threading

import cv2
import numpy as np

from runtime.camera.uri import is_live, without_secret
from runtime.clock import Now
from runtime.errors import CameraError
from runtime.values import Frame

_STAMP_TOLERANCE_NS = 1_000_000_000  # a driver's stamp further from now than this is on another clock
_OPEN_TIMEOUT_MS = 5_000
_READ_TIMEOUT_MS = 3_000


class OpenCvCamera:
    """A capture whose frames carry the driver's stamp where it is monotonic, else the instant of arrival.

    A file plays at its own pace from the instant at which it was opened, as if it were a camera.
    """

    def __init__(self, uri: str, now_ns: Now) -> None:
        self._shown = without_secret(uri)
        self._now_ns = now_ns
        self._live = is_live(uri)
        self._capture = _open(uri)
        if not self._capture.isOpened():
            what = f"camera {self._shown} does not open"
            raise CameraError(f"{what}; check that it is connected and not in use elsewhere.")
        self._start_ns = now_ns()
        self._interrupted = threading.Event()
        self._index = 0

    def read(self) -> Frame | None:
        """The next frame; a file ends with None, a live camera that stops raises CameraError."""
        grabbed, image = self._capture.read()
        if not grabbed or image is None:
            if self._live:
                raise CameraError(f"camera {self._shown} stopped delivering frames.")
            return None
        rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        frame = Frame(rgb, self._stamp_ns(), self._shown, self._index)
        self._index += 1
        if not self._live:
            self._interrupted.wait(max(0, frame.t_ns - self._now_ns()) * 1e-9)
        return frame

    def interrupt(self) -> None:
        """OpenCV has no way to break off a read from outside; those of a network end with their timeout."""
        self._interrupted.set()

    def close(self) -> None:
        """Release the device."""
        self._capture.release()

    def _stamp_ns(self) -> int:
        position_ns = int(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        if not self._live:  # a file's own time line, from the instant it was opened
            return self._start_ns + position_ns
        # V4L2 stamps buffers with CLOCK_MONOTONIC at exposure; RTSP and GStreamer count from their own start.
        now_ns = self._now_ns()
        return position_ns if abs(now_ns - position_ns) < _STAMP_TOLERANCE_NS else now_ns


def _open(uri: str) -> cv2.VideoCapture:
    if uri.startswith("gst:"):
        return cv2.VideoCapture(uri[len("gst:") :], cv2.CAP_GSTREAMER)
    if uri.startswith("/dev/video"):
        return cv2.VideoCapture(uri, cv2.CAP_V4L2)
    if uri.startswith("v4l2:"):
        return cv2.VideoCapture(f"/dev/video{uri[len('v4l2:') :]}", cv2.CAP_V4L2)
    # An RTSP server that is not there must say so in seconds, not after FFmpeg's half minute.
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
    timeouts = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_TIMEOUT_MS
    ]  # fmt: skip
    if "://" not in uri:
        return cv2.VideoCapture(uri)
    return cv2.VideoCapture(uri, cv2.CAP_FFMPEG, timeouts)
