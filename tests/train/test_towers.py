"""Heads and towers: where an untrained head begins, what sharing shares, and what a file gives back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from runtime.errors import BundleError, UsageError  # noqa: E402
from runtime.values import ViewKind  # noqa: E402
from tests.export.tiny import CHANNELS, DEPTH, SIZE_PX, TinyBackbone  # noqa: E402
from train.backbones import BackboneSpec  # noqa: E402
from train.embedding_head import AVERAGE, POOLINGS, EmbeddingHead, HeadSpec, fit_  # noqa: E402
from train.towers import Towers, TowersSpec, load_towers, save_towers  # noqa: E402
from train.whitening import channel_samples, fit  # noqa: E402

SMALL = {view: BackboneSpec("resnet18", 0) for view in (ViewKind.DRONE, ViewKind.SATELLITE)}


def _crops(count: int = 24, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(SIZE_PX // 8, axis=1).repeat(SIZE_PX // 8, axis=2)


def test_without_projection_it_begins_with_the_mean_and_the_whitening() -> None:
    backbone, crops = TinyBackbone().eval(), _crops()
    head = EmbeddingHead(HeadSpec(AVERAGE, map_channels=6), CHANNELS)
    fit_(head, backbone, DEPTH, [crops])
    expected = fit(channel_samples(backbone, DEPTH, [crops]), 6)
    np.testing.assert_array_equal(head.mean.detach().numpy().ravel(), expected.mean)
    np.testing.assert_array_equal(head.whiten.weight.detach().numpy()[:, :, 0, 0], expected.projection)


def test_cells_need_no_mean_of_all_crops() -> None:
    assert EmbeddingHead(HeadSpec(), CHANNELS).mean is None


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_projection_begins_with_the_principal_directions(pooling: str) -> None:
    backbone, crops = TinyBackbone().eval(), _crops()
    spec = HeadSpec(pooling, 2, dimensions=8, map_channels=0)
    head = EmbeddingHead(spec, CHANNELS)
    fit_(head, backbone, DEPTH, [crops[:10], crops[10:]])
    with torch.inference_mode():
        features = backbone(torch.from_numpy(crops))[DEPTH]
        embedding, grid = head(features)
        pooled = head.pooled(features).permute(0, 2, 3, 1).flatten(0, 2).double().numpy()
    assert embedding.shape == (24, 8) and grid is None
    np.testing.assert_allclose(embedding.norm(dim=1), 1.0, atol=5e-3)  # short of 1 by what keeps it finite
    rows = head.projection.weight[:, :, 0, 0].detach().numpy().astype(np.float64)
    kept = ((pooled @ rows.T) ** 2).sum() / (pooled**2).sum()
    best = np.sort(np.linalg.eigvalsh(pooled.T @ pooled))[::-1][: len(rows)].sum() / (pooled**2).sum()
    assert kept == pytest.approx(best, rel=1e-3)


def test_dimensions_must_divide_among_the_cells() -> None:
    with pytest.raises(UsageError, match="cannot be shared among 4 cells of 12 channels: use a multiple of 4 up to 48"):
        EmbeddingHead(HeadSpec(dimensions=10), 12)
    with pytest.raises(UsageError, match="there is no pooling spirals"):
        EmbeddingHead(HeadSpec(pooling="spirals"), 12)


@pytest.mark.parametrize("shared", [True, False])
def test_sharing_is_one_set_of_weights(shared: bool) -> None:
    towers = Towers(TowersSpec(backbones=SMALL, head=HeadSpec(map_channels=4), shared=shared))
    assert (towers.tower(ViewKind.DRONE) is towers.tower(ViewKind.SATELLITE)) == shared


@pytest.mark.parametrize("shared", [True, False])
def test_a_file_gives_back_the_same_towers(tmp_path: Path, shared: bool) -> None:
    spec = TowersSpec(backbones=SMALL, head=HeadSpec("generalised", dimensions=16, map_channels=4, attention=True),
                      shared=shared, size_px=64)  # fmt: skip
    towers = Towers(spec).eval()
    save_towers(towers, tmp_path / "a.pt", {"loss": "none"})
    again, notes = load_towers(tmp_path / "a.pt")
    crops = torch.from_numpy(_crops(2))
    with torch.inference_mode():
        for view in spec.views:
            for before, after in zip(towers(view, crops), again(view, crops), strict=True):
                assert torch.equal(before, after)
    assert notes["loss"] == "none" and len(notes["digest"]) == 64
    assert again.spec.head == spec.head and again.spec.size_px == 64


@pytest.mark.parametrize("content", [None, b"hello", "other"])
def test_a_file_that_holds_no_towers(tmp_path: Path, content: bytes | str | None) -> None:
    if content == "other":
        torch.save({"weight": torch.zeros(2)}, tmp_path / "a.pt")
    elif isinstance(content, bytes):
        (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(BundleError, match="does not hold trained towers"):
        load_towers(tmp_path / "a.pt")
