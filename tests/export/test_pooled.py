"""The network that judges worlds says what torch says, in half the bytes; the file that is shipped is the one made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from export.pooled import FILE, SIZE_PX, PooledLastLayer, write_pooled  # noqa: E402
from sim.hardness import network  # noqa: E402


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pooled") / "pooled.onnx"
    write_pooled(path)
    return path


def test_it_says_what_torch_says(written: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    crops[1] = crops[1] // 3 + 80
    with torch.inference_mode():
        reference = PooledLastLayer()(torch.from_numpy(crops)).numpy()
    ours = network(written)(crops)
    assert ours.dtype == np.float32 and ours.shape == (3, 1280)
    cosine = (ours * reference).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(reference, axis=1)
    assert cosine.min() > 0.9995


def test_the_shipped_file_is_this_network(written: Path) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (2, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    np.testing.assert_allclose(network()(crops), network(written)(crops), atol=1e-4)
    assert FILE.stat().st_size < 7_000_000
