"""Writes small videos of a flight over a painted ground."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from runtime.camera_model import CameraModel
from tests.runtime.survey.flights import Truth, photograph


def write_video(
    path: Path, ground: np.ndarray, gsd_m: float, flown: list[Truth], camera: CameraModel, rate_hz: float
) -> Path:
    """One frame per truth; the suffix chooses the container."""
    code = cv2.VideoWriter.fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG"))
    writer = cv2.VideoWriter(str(path), code, rate_hz, (camera.width_px, camera.height_px))
    assert writer.isOpened()
    for truth in flown:
        writer.write(cv2.cvtColor(photograph(ground, gsd_m, truth, camera), cv2.COLOR_RGB2BGR))
    writer.release()
    return path
