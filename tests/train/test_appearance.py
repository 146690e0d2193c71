"""The appearance follows the head's vector, has half the say in a similarity, and leaves the vector as it is."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from export.assemble import assemble  # noqa: E402
from export.torch_source import of_tower  # noqa: E402
from runtime.bundle import Bundle  # noqa: E402
from runtime.embedder.embedder import Embedder  # noqa: E402
from runtime.values import ViewKind  # noqa: E402
from tests.export.tiny import CHANNELS, DEPTH, SIZE_PX, TinyBackbone, recipe, tiny_head, tiny_tower  # noqa: E402
from train.appearance import Appearance  # noqa: E402
from train.evaluate.encoder import BundleEncoder  # noqa: E402
from train.tower import Tower  # noqa: E402
from train.whitening import SHRINK  # noqa: E402


def _crops(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(SIZE_PX // 8, axis=1).repeat(SIZE_PX // 8, axis=2)


def _tower() -> Tower:
    tower = Tower(TinyBackbone(), tiny_head(), DEPTH, Appearance(CHANNELS, 4)).eval()
    assert tower.appearance is not None
    tower.appearance.fit_([tower.features(_crops(40))])
    return tower


def test_fitted_it_is_the_whitened_mean_of_a_crop() -> None:
    tower, crops = _tower(), _crops(40)
    means = tower.features(crops).mean(dim=(2, 3)).double().numpy()
    variance = np.sort(np.linalg.eigvalsh(np.cov(means, rowvar=False)))[::-1]
    with torch.inference_mode():
        found = tower.appearance(tower.features(crops)).numpy()  # type: ignore[misc]
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    expected = np.diag(variance[:4] / (variance[:4] + SHRINK * variance.mean()))
    np.testing.assert_allclose(np.cov(found, rowvar=False), expected, atol=1e-3)


def test_the_vector_leads_as_it_was_and_each_part_has_half_the_say() -> None:
    crops = torch.from_numpy(_crops(6, seed=1))
    with torch.inference_mode():
        plain, plain_map = tiny_tower()(crops)
        both, grid = _tower()(crops)
    assert both.shape == (6, plain.shape[1] + 4) and torch.equal(grid, plain_map)
    leading = both[:, : plain.shape[1]]
    torch.testing.assert_close(leading / leading.norm(dim=1, keepdim=True), plain, atol=1e-4, rtol=0)
    torch.testing.assert_close(both.norm(dim=1), torch.ones(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(leading.norm(dim=1), torch.full((6,), 0.5**0.5), atol=1e-3, rtol=0)


def test_a_bundle_knows_which_part_views_of_different_kinds_share(tmp_path_factory: pytest.TempPathFactory) -> None:
    from dataclasses import replace

    tower = _tower()
    made = replace(recipe(tower, tower, ("fp32", "fp16")), appearance_dim=4)
    bundle = Bundle.load(assemble(made, tmp_path_factory.mktemp("appearance") / "bundle").path)
    assert (bundle.embedding_dim, bundle.shared_dim) == (52, 48)
    crops = _crops(3, seed=2)
    shared, _ = BundleEncoder(bundle, threads=1).embed(ViewKind.DRONE, crops)
    np.testing.assert_allclose(shared, of_tower(tiny_tower(), SIZE_PX).embed(crops), atol=1e-4)
    assert Embedder(bundle, threads=1, precision="fp16").parity > 0.9995
