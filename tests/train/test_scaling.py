"""The pixels' way in: scaling as the weights expect, and a crop's own light taken out of it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from train.backbones import BackboneSpec, build  # noqa: E402
from train.scaling import Scaling  # noqa: E402

MEAN, STD = (100.0, 120.0, 140.0), (50.0, 60.0, 70.0)


def crops(seed: int = 0) -> np.ndarray:
    """Three smooth scenes of mid greys, so that neither end of the scale is reached."""
    coarse = np.random.default_rng(seed).uniform(60, 180, (3, 8, 8, 3))
    return coarse.repeat(8, axis=1).repeat(8, axis=2).round().astype(np.uint8)


def scaled(images: np.ndarray, standardise: bool) -> np.ndarray:
    return Scaling(MEAN, STD, standardise)(torch.from_numpy(images)).numpy()


def test_plain_scaling_is_the_formula() -> None:
    images = crops()
    expected = (images.astype(float) - MEAN) / STD
    np.testing.assert_allclose(scaled(images, False), expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_standardised_is_the_loop_it_stands_for() -> None:
    images = crops()
    found = scaled(images, True)
    for crop, image in zip(found, images, strict=True):
        for colour in range(3):
            plane = image[..., colour].astype(float)
            some = plane[::4, ::4]
            level = (plane - some.mean()) / np.sqrt(some.var() + 8.0**2) * 50.0 + 115.0
            np.testing.assert_allclose(crop[colour], (level - MEAN[colour]) / STD[colour], atol=1e-4)


@pytest.mark.parametrize(("factor", "offset"), [(0.5, 0.0), (0.6, 70.0), ((1.2, 1.0, 0.8), 10.0)])
def test_another_light_on_a_whole_crop_leaves_little(factor: float | tuple[float, ...], offset: float) -> None:
    images = crops()
    changed = np.clip(images * np.asarray(factor) + offset, 0, 255).round().astype(np.uint8)
    moved = [np.abs(scaled(images, how) - scaled(changed, how)).mean() for how in (False, True)]
    assert moved[1] < 0.3 * moved[0]


def test_a_crop_of_one_colour_stays_finite() -> None:
    assert np.isfinite(scaled(np.zeros((1, 64, 64, 3), np.uint8), True)).all()


@pytest.mark.parametrize("name", ["resnet18", "alexnet", "efficientnet_lite0"])
def test_every_backbone_can_be_told_to(name: str) -> None:
    for standardise in (False, True):
        backbone = build(BackboneSpec(name, 0, standardise=standardise))[0].backbone
        assert backbone.scaling.standardise is standardise
