"""Hard exemplar reweighting against the formulas in a loop, triplet by triplet."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.train.losses.batches import arrays, batch  # noqa: E402
from train.losses.embedded import Embedded  # noqa: E402
from train.losses.hard_exemplar import HardExemplarReweighting  # noqa: E402
from train.losses.university_reweighting import UniversityReweighting  # noqa: E402


def _weight(d_p: float, d_n: float, margin: float, easy: float) -> float:
    """One triplet's, as the paper's figure has it: pruned below, clipped above."""

    beta = margin / 2
    w = max(0.0, -math.log2(1 / (1 + math.exp(d_p - d_n + beta)) + 1e-8))
    if w < math.log2(1 + math.exp(beta - margin) + 1e-8):
        return easy
    return min(w, math.log2(1 + math.exp(beta) + 1e-8))


def _distance(a: np.ndarray, b: np.ndarray, scale: float) -> float:
    return float(((scale * a - scale * b) ** 2).sum())


def _margin(queries: np.ndarray, gallery: np.ndarray, scale: float) -> float:
    return scale**2 * 0.15 * ((queries**2).sum(1).mean() + (gallery**2).sum(1).mean()) / 2


def _loop(queries: np.ndarray, gallery: np.ndarray, scale: float, wrong: np.ndarray | None = None) -> float:
    count, margin, total = len(queries), _margin(queries, gallery, scale), 0.0
    for i in range(count):
        for k in range(count):
            if k == i:
                continue
            d_p, d_n = (_distance(queries[i], gallery[j], scale) for j in (i, k))
            loss = math.log(1 + math.exp(d_p - d_n))
            if wrong is not None:
                loss += 0.5 * wrong[i]
            total += _weight(d_p, d_n, margin, 0.1 / count) * loss
    return total / count**2


@pytest.mark.parametrize(("scale", "unit"), [(5.0, True), (1.0, False)])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_loop(scale: float, unit: bool, seed: int) -> None:
    one = batch(seed, unit=unit, spread=0.3)
    queries, gallery = one.queries, one.gallery[:5]
    expected = _loop(queries.detach().numpy(), gallery.detach().numpy(), scale)
    assert (HardExemplarReweighting(scale)(queries, gallery)).item() == pytest.approx(expected, rel=1e-9)


def test_orientation_is_weighed_with_the_triplet() -> None:
    one, rng = batch(4), np.random.default_rng(0)
    predicted, true = rng.normal(size=(2, 5, 2))
    wrong = ((predicted - true) ** 2).sum(axis=1)
    queries, gallery = one.queries, one.gallery[:5]
    expected = _loop(queries.detach().numpy(), gallery.detach().numpy(), 5.0, wrong)
    angles = torch.from_numpy(predicted), torch.from_numpy(true)
    assert (HardExemplarReweighting()(queries, gallery, angles)).item() == pytest.approx(expected, rel=1e-9)


def test_pruned_and_clipped_triplets_are_among_them() -> None:
    """Otherwise the loop above would not have tested them."""
    queries, gallery, _ = arrays(batch(0, spread=0.3))
    margin = _margin(queries, gallery[:5], 5.0)
    pairs = [(i, k) for i in range(5) for k in range(5) if i != k]
    weights = [
        _weight(*(_distance(queries[i], gallery[j], 5.0) for j in (i, k)), margin, -1.0) for i, k in pairs
    ]  # fmt: skip
    assert min(weights) == -1.0 and max(weights) == pytest.approx(_weight(1.0, 1.0, margin, -1.0))
    assert any(-1.0 < w < max(weights) for w in weights)


def test_features_far_from_unit_length_stay_finite() -> None:
    queries = (100 * torch.randn(4, 8, dtype=torch.float32)).requires_grad_()
    loss = HardExemplarReweighting(1.0)(queries, 100 * torch.randn(4, 8))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(queries.grad).all()


@pytest.mark.parametrize("detach", [True, False])
def test_its_university_form_is_the_loop_over_places(detach: bool) -> None:
    one = batch(5, spread=0.4)
    queries, gallery, relation = arrays(one)
    margin = _margin(queries, gallery, 5.0)

    def one_way(a: np.ndarray, b: np.ndarray, related: np.ndarray) -> float:
        terms, pairs = 0.0, 0
        for i in range(len(a)):
            for j in range(len(b)):
                if related[i, j] != 1:
                    continue
                pairs += 1
                for k in range(len(b)):
                    if related[i, k] == -1:
                        d_p, d_n = (_distance(a[i], b[x], 5.0) for x in (j, k))
                        terms += _weight(d_p, d_n, margin, 0.1 / len(b)) * math.log(1 + math.exp(d_p - d_n))
        return terms / (pairs * len(b))

    expected = (one_way(queries, gallery, relation) + one_way(gallery, queries, relation.T)) / 2
    assert (UniversityReweighting(detach=detach)(one)).item() == pytest.approx(expected, rel=1e-9)


def test_with_one_view_a_place_it_is_the_authors_both_ways() -> None:
    one = batch(6)
    queries, gallery = one.queries, one.gallery[:5]
    relation = (2 * torch.eye(5) - 1).to(torch.int8)
    author = HardExemplarReweighting()
    expected = (author(queries, gallery) + author(gallery, queries)) / 2
    grads = torch.autograd.grad(expected, (one.queries, one.gallery))
    ours = UniversityReweighting(detach=False)(Embedded(queries, gallery, relation))
    assert (ours).item() == pytest.approx(expected.item(), rel=1e-12)
    for a, b in zip(torch.autograd.grad(ours, (one.queries, one.gallery)), grads, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)


def test_detached_weights_carry_no_gradient() -> None:
    """The gradient is the one of the loop with its weights held: steps of the loss alone."""
    one = batch(7)
    gradients = []
    for detach in (True, False):
        loss = UniversityReweighting(detach=detach)(one)
        gradients.append(torch.autograd.grad(loss, one.queries)[0])
    assert not torch.allclose(gradients[0], gradients[1])
