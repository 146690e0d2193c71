"""What a log says of the daemon that wrote it, and what it must not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.config.config import Config
from runtime.replay.started import versions, without_secrets
from tests.runtime.replay.flights import embedder


def configured(camera: str) -> Config:
    sections: dict[str, Any] = {
        "camera": {"uri": camera, "width_px": 640, "height_px": 480, "hfov_deg": 70.0},
        "vehicle": {"uri": "serial:/dev/ttyS0:921600"},
        "history": {"path": "history.db"},
    }
    return Config.model_validate(sections)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("rtsp://pilot:s3cret@10.0.0.2:8554/live?token=s3cret", "rtsp://10.0.0.2:8554/(left out)"),
        ("http://10.0.0.2/s3cret.mjpg", "http://10.0.0.2/(left out)"),
        ("rtsp://[s3cret", "(left out)"),
        ("gst:rtspsrc location=x user-pw=s3cret ! appsink", "gst:(left out)"),
        ("/dev/video0", "/dev/video0"),
        ("file:///flights/film.mp4", "file:///flights/film.mp4"),
    ],
)
def test_no_password_gets_into_the_log(uri: str, said: str) -> None:
    config = configured(uri)
    kept = without_secrets(config)
    assert kept["camera"]["uri"] == said and "s3cret" not in str(kept)
    back = Config.model_validate(kept)  # whole but for that
    assert back == config.model_copy(update={"camera": config.camera.model_copy(update={"uri": said})})
    assert back.history.path == Path("history.db")


def test_versions_name_what_computes() -> None:
    found = versions(embedder())
    assert {"homing", "python", "numpy", "opencv", "onnxruntime"} <= set(found)
    assert found["bundle"] == embedder().bundle.embedding_space_id and "onnxruntime" in found["engine"]
