"""What a camera is to the rest of Homing, and the one place that turns a URI into one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

from runtime.camera.uri import is_live, without_secret
from runtime.clock import Now
from runtime.errors import CameraError
from runtime.values import Frame


class Camera(Protocol):
    """A source of frames that blocks in `read`; `CameraReader` gives it a thread of its own.

    `read` and `close` are called by that thread alone: a capture released under a read aborts the process.
    """

    def read(self) -> Frame | None:
        """The next frame, None when a finite source is at its end.

        Raises:
            CameraError: the source stopped delivering.
        """

    def interrupt(self) -> None:
        """From any thread, without an error: a blocked `read` ends at once where the source can do that."""

    def close(self) -> None:
        """Release the device or connection."""


def open_camera(uri: str, now_ns: Now = time.monotonic_ns) -> Camera:
    """Open a camera.

    ``/dev/video0`` or ``v4l2:0``; ``gst:PIPELINE`` (ends in an appsink); ``rtsp://…``; ``http://…`` (motion JPEG,
    stamped per frame where the server does so); a video file; a folder of images.

    Raises:
        CameraError: nothing opens at ``uri``.
    """
    # Imported on need: an onboard computer that reads a folder must not pay for, or lack, a network stack.
    from runtime.camera.folder import FolderCamera
    from runtime.camera.mjpeg import MjpegCamera
    from runtime.camera.opencv import OpenCvCamera

    if uri.startswith(("http://", "https://")):
        return MjpegCamera(uri, now_ns)
    if is_live(uri):
        return OpenCvCamera(uri, now_ns)
    path = Path(uri)
    if path.is_dir():
        return FolderCamera(path, now_ns)
    if path.is_file():
        return OpenCvCamera(uri, now_ns)
    raise CameraError(
        f"camera {without_secret(uri)}: no such file, folder or device; "
        "give /dev/videoN, rtsp://, http://, gst:PIPELINE or a path."
    )
