"""Weather: each condition does what its name says, repeats from its seed, and leaves the picture recognisable."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.errors import UsageError
from tests.train.data.folders import picture
from train.data.weather import CONDITIONS, under


def _crop() -> np.ndarray:
    return np.clip(picture(3, 128).astype(float) * 0.5 + 40, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_it_repeats_and_keeps_the_picture(condition: str) -> None:
    crop = _crop()
    once, again = (under(condition, crop, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert once.shape == crop.shape and once.dtype == np.uint8
    assert (condition == "clear") == np.array_equal(once, crop)
    assert np.corrcoef(once.ravel(), crop.ravel())[0, 1] > 0.35


def test_each_does_what_its_name_says() -> None:
    crop, rng = _crop(), np.random.default_rng(2)
    seen = {name: under(name, crop, rng).astype(float) for name in CONDITIONS}
    assert seen["dark"].mean() < 0.5 * crop.mean() and seen["over_exposed"].mean() > 1.4 * crop.mean()
    assert seen["fog"].std() < 0.7 * crop.std() and seen["fog"].mean() > crop.mean()
    assert seen["snow"].mean() > crop.mean()
    edges = [np.abs(np.diff(image, axis=1)).max(axis=1).mean() for image in (seen["wind"], crop.astype(float))]
    assert edges[0] < edges[1]
    with pytest.raises(UsageError, match="there is no condition hail"):
        under("hail", crop, rng)
