"""The parity gate refuses what differs, by cosine, by similarity and by nearest neighbour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.embedder.parity import BARS, Bar, compare, gate, worst
from runtime.errors import BundleError

FAITHFUL = BARS["fp16"]


@pytest.fixture
def reference() -> NDArray[np.float32]:
    vectors = np.random.default_rng(0).normal(size=(12, 32)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_reference_agrees_with_itself(reference: NDArray[np.float32]) -> None:
    comparison = compare(reference, reference)
    assert comparison.cosine_min == pytest.approx(1.0)
    assert comparison.similarity_change == 0.0 and comparison.top1_share == 1.0 and comparison.finite
    gate("tower.onnx", comparison, FAITHFUL)


def test_the_measures_are_those_of_a_slow_loop(reference: NDArray[np.float32]) -> None:
    candidate = reference + 0.1 * np.random.default_rng(1).normal(size=reference.shape).astype(np.float32)
    candidate /= np.linalg.norm(candidate, axis=1, keepdims=True)
    change, kept = 0.0, 0
    for i in range(len(reference)):
        others = [j for j in range(len(reference)) if j != i]
        change = max(change, *(abs(float(candidate[i] @ candidate[j] - reference[i] @ reference[j])) for j in others))
        ours = max(others, key=lambda j: float(candidate[i] @ candidate[j]))
        lost = max(float(reference[i] @ reference[j]) for j in others) - float(reference[i] @ reference[ours])
        kept += lost <= 0.002
    comparison = compare(candidate, reference)
    assert comparison.similarity_change == pytest.approx(change, abs=1e-6)
    assert 0 < kept < len(reference) and comparison.top1_share == pytest.approx(kept / len(reference))


def test_one_bad_row_among_many_is_found(reference: NDArray[np.float32]) -> None:
    spoilt = reference.copy()
    spoilt[7] = reference[3]
    comparison = compare(spoilt, reference)
    assert comparison.cosine_min == pytest.approx(float(reference[7] @ reference[3]), abs=1e-6)
    with pytest.raises(BundleError, match=r"tower.onnx is refused: its cosine .* falls to"):
        gate("tower.onnx", comparison, FAITHFUL)


@pytest.mark.parametrize("spoil", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(reference: NDArray[np.float32], spoil: float) -> None:
    spoilt = reference.copy()
    spoilt[2, 5] = spoil
    with pytest.raises(BundleError, match="not finite"):
        gate("tower.onnx", compare(spoilt, reference), FAITHFUL)


def _on_a_circle(*cosines: float) -> NDArray[np.float64]:
    """One image, and two more at these cosines from it, one on either side."""
    angles = np.array([0.0, np.arccos(cosines[0]), -np.arccos(cosines[1])])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_another_nearest_neighbour_is_refused_though_no_similarity_moves_much() -> None:
    reference, swapped = _on_a_circle(0.9, 0.897), _on_a_circle(0.8981, 0.8989)
    comparison = compare(swapped, reference)  # type: ignore[arg-type]
    assert comparison.cosine_min > 0.9999 and comparison.similarity_change < 0.002
    with pytest.raises(BundleError, match="nearest neighbour than the reference for 33.3% of the images"):
        gate("tower.onnx", comparison, FAITHFUL)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_two_neighbours_that_the_reference_does_not_tell_apart_may_change_places(precision: str) -> None:
    reference, swapped = _on_a_circle(0.9, 0.8985), _on_a_circle(0.899, 0.8995)
    comparison = compare(swapped, reference)  # type: ignore[arg-type]
    assert comparison.top1_share == 1.0 and comparison.refusal(BARS[precision]) is None


def test_images_that_the_reference_holds_for_the_same_are_tied(reference: NDArray[np.float32]) -> None:
    twins = reference.copy()
    twins[5] = twins[2]  # so rows 2 and 5 are equally near to all others
    near = twins[2] + 0.3 * reference[0]
    twins[0] = near / np.linalg.norm(near)
    rounded = twins.copy()
    rounded[2] -= 1e-6 * twins[0]
    assert np.argmax(twins[0] @ twins[1:].T) == 1 and np.argmax(rounded[0] @ rounded[1:].T) == 4
    assert compare(rounded, twins).refusal(FAITHFUL) is None


def test_a_similarity_that_moves_is_refused_though_every_cosine_is_high() -> None:
    angles = np.linspace(0.2, 1.4, 5) ** 2
    bent = angles * 1.01
    reference, spoilt = (np.stack([np.cos(a), np.sin(a)], axis=1) for a in (angles, bent))
    comparison = compare(spoilt, reference)  # type: ignore[arg-type]
    assert comparison.cosine_min > 0.9995 and comparison.top1_share == 1.0
    with pytest.raises(BundleError, match="moves a similarity by"):
        gate("tower.onnx", comparison, FAITHFUL)
    assert comparison.refusal(BARS["int8"]) is None


def test_a_bar_may_let_a_few_neighbours_change(reference: NDArray[np.float32]) -> None:
    comparison = compare(reference, reference)
    assert comparison.refusal(Bar(0.9, None, 1.0)) is None
    assert worst([comparison, compare(np.roll(reference, 1, axis=0), reference)]).cosine_min < 0.9


def test_a_sample_is_not_asked_who_is_nearest_but_held_to_everything_else(reference: NDArray[np.float32]) -> None:
    rng = np.random.default_rng(4)
    candidate = reference + 0.1 * rng.normal(size=reference.shape).astype(np.float32) / np.sqrt(32)
    candidate /= np.linalg.norm(candidate, axis=1, keepdims=True)
    swapped = replace(compare(candidate, reference), top1_share=0.5)
    eight = BARS["int8"]
    assert "nearest neighbour" in (swapped.refusal(eight) or "") and swapped.refusal(eight.of_a_sample()) is None
    assert "cosine" in (replace(swapped, cosine_min=0.9).refusal(eight.of_a_sample()) or "")


def test_rows_that_are_missing_are_refused(reference: NDArray[np.float32]) -> None:
    assert compare(reference[:-1], reference).refusal(FAITHFUL) is not None


def test_rows_without_any_feature_agree_and_others_of_another_length_do_not(reference: NDArray[np.float32]) -> None:
    featureless = reference.copy()
    featureless[4] = 0.0
    assert compare(featureless, featureless).cosine_min == 1.0
    assert compare(featureless, reference).refusal(FAITHFUL) is not None
    assert compare(reference * np.float32(1.1), reference).cosine_min < 0.9995


def test_of_an_image_that_rounding_decides_finite_numbers_are_asked_and_no_more(
    reference: NDArray[np.float32],
) -> None:
    said = reference.copy()
    said[3] = np.nan
    other = reference.copy()
    other[3] = reference[7]
    assert compare(other, said).refusal(FAITHFUL) is None
    assert compare(other, said) == compare(np.delete(other, 3, axis=0), np.delete(reference, 3, axis=0))
    other[3, 0] = np.inf
    assert "not finite" in (compare(other, said).refusal(FAITHFUL) or "")
    assert compare(reference, np.full_like(reference, np.nan)).refusal(FAITHFUL) is not None
