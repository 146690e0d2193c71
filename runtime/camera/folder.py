"""A folder of images as a camera, in name order: for replays and for tests."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from runtime.clock import Now
from runtime.errors import CameraError
from runtime.values import Frame

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")


def image_files(folder: Path) -> list[Path]:
    """The images of a folder in name order."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


class FolderCamera:
    """Gives each image once, stamped when it is read; an unreadable one is skipped and counted."""

    def __init__(self, folder: Path, now_ns: Now) -> None:
        self._files = image_files(folder)
        if not self._files:
            raise CameraError(f"camera {folder}: the folder holds no images.")
        self._now_ns = now_ns
        self._next = 0
        self.unreadable = 0

    def read(self) -> Frame | None:
        """The next image as a frame."""
        while self._next < len(self._files):
            path, index = self._files[self._next], self._next
            self._next += 1
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is not None:
                rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
                return Frame(rgb, self._now_ns(), str(path), index)
            self.unreadable += 1
        return None

    def interrupt(self) -> None:
        """Nothing blocks for long."""

    def close(self) -> None:
        """Nothing is held open."""
