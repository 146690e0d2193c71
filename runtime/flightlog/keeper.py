"""What makes a flight repeatable and is slow to make: whole frames as files, and the pictures that an operator names.

A thread of its own encodes and reads; the deciding thread hands in a reference, and collects what has become ready.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal

import cv2

from runtime.values import ImageRGB

_LOG = logging.getLogger(__name__)
_WAITING_BYTES = 64 * 2**20  # of frames that wait: 2 s of 640 x 480 at 25 Hz are 46 MB
_FILE_BYTES = 64 * 2**20  # a target image is smaller; a longer file is left out
FRAMES = "frames/"  # what the names of kept frames begin with
TARGETS = "targets/"  # and those of pictures that an operator named

KeptFrames = Literal["pictures", "all", "exact"]


@dataclass(frozen=True, slots=True)
class Codec:
    """How whole frames are kept: the ending of their names, their media type, and OpenCV's parameters."""

    ending: str
    media_type: str
    parameters: Sequence[int]

    def encoded(self, image: ImageRGB) -> bytes:
        """The file of an (H, W, 3) uint8 RGB image; empty where it cannot be made."""
        done, data = cv2.imencode(self.ending, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), self.parameters)
        return bytes(data.tobytes()) if done else b""


# Of 640 x 480 at 5 Hz over fields and towns: JPEG 15 to 56 MB a minute and 1 ms of a core a frame, PNG 76 to 182 MB and
# 12 to 18 ms. PNG at a higher level and lossless WebP take 20 and 140 ms, which a camera leaves no time for. JPEGs of
# quality 90 to 98 move fixes by 0.5 to 0.9 m in the median, of a sigma of 1.9 m: as one grey level of noise does.
CODECS: dict[str, Codec | None] = {
    "pictures": None,
    "all": Codec(".jpg", "image/jpeg", (cv2.IMWRITE_JPEG_QUALITY, 95)),
    "exact": Codec(".png", "image/png", (cv2.IMWRITE_PNG_COMPRESSION, 1)),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A file for the log: its name, the instant of the event that it belongs to, and its bytes, none where it could not
    be made or read."""

    name: str
    t_ns: int
    media_type: str
    data: bytes


class Keeper:
    """Makes `Kept` files aside. What comes while too many bytes wait is refused, and the caller's to count."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._inbox: SimpleQueue[tuple[str, int, str, int, Callable[[], bytes]] | None] = SimpleQueue()
        self._ready: SimpleQueue[Kept] = SimpleQueue()
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._thread = threading.Thread(target=self._run, name="frame keeper", daemon=True)
        self._thread.start()

    def frame(self, index: int, t_ns: int, image: ImageRGB) -> str | None:
        """Takes a frame, which nobody may change from now on; its file's name, or None where too many wait."""
        name = f"{FRAMES}{index}{self._codec.ending}"
        codec = self._codec
        taken = self._take(name, t_ns, codec.media_type, image.nbytes, lambda: codec.encoded(image))
        return name if taken else None

    def file(self, path: Path, t_ns: int) -> str | None:
        """Takes a file that is to be read; its name in the log, or None where too much waits."""
        name = f"{TARGETS}{path.name}"
        taken = self._take(name, t_ns, "application/octet-stream", 0, lambda: _content(path))
        return name if taken else None

    def ready(self) -> list[Kept]:
        """What has become ready since the last call."""
        found = []
        while True:
            try:
                found.append(self._ready.get_nowait())
            except Empty:
                return found

    def close(self, within_s: float = 10.0) -> list[Kept]:
        """Finishes what waits and ends the thread; what has become ready."""
        self._inbox.put(None)
        self._thread.join(within_s)
        if self._thread.is_alive():
            _LOG.error("the last frames of the flight log are not encoded within %g s and are lost", within_s)
        return self.ready()

    def _take(self, name: str, t_ns: int, media_type: str, size: int, make: Callable[[], bytes]) -> bool:
        with self._lock:
            if self._waiting_bytes + size > _WAITING_BYTES:
                return False
            self._waiting_bytes += size
        self._inbox.put((name, t_ns, media_type, size, make))
        return True

    def _run(self) -> None:
        while (item := self._inbox.get()) is not None:
            name, t_ns, media_type, size, make = item
            try:
                data = make()
            except Exception as error:  # the thread's edge: this file is empty, the next one is tried
                _LOG.error("%s cannot be kept in the flight log: %s", name, error)
                data = b""
            self._ready.put(Kept(name, t_ns, media_type, data))
            with self._lock:
                self._waiting_bytes -= size


def _content(path: Path) -> bytes:
    if path.stat().st_size > _FILE_BYTES:
        raise ValueError(f"it is larger than {_FILE_BYTES >> 20} MiB")
    return path.read_bytes()
