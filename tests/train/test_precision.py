"""What computes: float32 that is float32, on whatever is there."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.train.loop.tiny import area, config  # noqa: E402
from train.fit import _trainer  # noqa: E402
from train.loop.config import load_config  # noqa: E402
from train.precision import device_here  # noqa: E402


@pytest.fixture
def as_cudnn_comes() -> object:
    torch.backends.cudnn.allow_tf32 = True
    return torch.backends.cudnn


def test_float32_is_whole_and_where_the_gpu_is(as_cudnn_comes: object) -> None:
    assert device_here().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert as_cudnn_comes.allow_tf32 is False  # type: ignore[attr-defined]


def test_training_begins_with_float32_whole(tmp_path: Path, as_cudnn_comes: object) -> None:
    """Heads are computed in float32 on purpose, beside a backbone in bfloat16."""
    data = area(tmp_path / "area", places=8)
    assert _trainer(load_config(config(tmp_path, data, "run"))).device.type == device_here().type
    assert as_cudnn_comes.allow_tf32 is False  # type: ignore[attr-defined]
