"""The parity gate refuses what differs, and its images are always the same."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from export.parity import compare, drawn_images, gate
from runtime.errors import BundleError


@pytest.fixture
def reference() -> NDArray[np.float32]:
    vectors = np.random.default_rng(0).normal(size=(12, 32)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_reference_agrees_with_itself(reference: NDArray[np.float32]) -> None:
    comparison = compare(reference, reference)
    assert comparison.cosine_min == pytest.approx(1.0)
    assert comparison.similarity_change == 0.0 and comparison.same_top1 and comparison.finite
    gate("tower.onnx", comparison)


def test_one_bad_row_among_many_is_found(reference: NDArray[np.float32]) -> None:
    spoilt = reference.copy()
    spoilt[7] = reference[3]
    comparison = compare(spoilt, reference)
    assert comparison.cosine_min == pytest.approx(float(reference[7] @ reference[3]), abs=1e-6)
    with pytest.raises(BundleError, match=r"tower.onnx is refused: its cosine .* falls to"):
        gate("tower.onnx", comparison)


def test_what_is_not_finite_is_refused(reference: NDArray[np.float32]) -> None:
    spoilt = reference.copy()
    spoilt[2, 5] = np.nan
    with pytest.raises(BundleError, match="not finite"):
        gate("tower.onnx", compare(spoilt, reference))


def test_another_nearest_neighbour_is_refused_though_every_cosine_is_high() -> None:
    angles = np.array([0.0, 0.0100, -0.0101])  # the first one's two neighbours are nearly equally near
    moved = np.array([0.0, 0.0102, -0.0101])
    reference, spoilt = (np.stack([np.cos(a), np.sin(a)], axis=1).astype(np.float64) for a in (angles, moved))
    comparison = compare(spoilt, reference)  # type: ignore[arg-type]
    assert comparison.cosine_min > 0.9999999
    with pytest.raises(BundleError, match="nearest neighbour"):
        gate("tower.onnx", comparison)


def test_the_images_are_always_the_same_and_hold_the_extremes() -> None:
    images = drawn_images(64)
    np.testing.assert_array_equal(images, drawn_images(64))
    assert images.shape[1:] == (64, 64, 3) and images.dtype == np.uint8
    spread = images.reshape(len(images), -1)
    assert (spread.max(axis=1) == 0).any() and (spread.min(axis=1) == 255).any()
    assert len(np.unique(spread, axis=0)) == len(images)
