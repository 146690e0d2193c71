"""A small recorded history for commands that ask one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.camera_model import CameraModel
from runtime.embedder.embedder import Embedder
from runtime.history.history import History
from runtime.record.recorder import Recorder
from runtime.values import Frame
from tests.runtime.survey.flights import Truth, photograph

GSD_M = 0.12  # of the ground's picture


def write_history(path: Path, ground: NDArray[np.uint8], camera: CameraModel) -> Path:
    """Nine keyframes 16 m apart, 45 m above a picture of ``GSD_M`` a pixel, in three rows of three."""
    bundle = Bundle.load()
    with History.create(path, bundle.embedding_space_id, bundle.name) as made:
        recorder = Recorder(made, Embedder(bundle, threads=1), camera, "flight")
        for k in range(9):
            truth = Truth(float(k), 16.0 * (k // 3) - 16.0, 16.0 * (k % 3) - 16.0, 45.0, 0.3)
            frame = Frame(photograph(ground, GSD_M, truth, camera), truth.pose.t_ns or 0, str(k), k)
            assert recorder.add(frame, truth.pose, truth.position).keyframe_id is not None
    return path
