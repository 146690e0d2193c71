"""The losses that hard exemplar reweighting is measured against, each as the loop it stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from runtime.errors import UsageError  # noqa: E402
from tests.train.losses.batches import arrays, batch  # noqa: E402
from train.losses.catalogue import LOSSES, LossSpec, WeightedSum  # noqa: E402
from train.losses.embedded import Embedded  # noqa: E402
from train.losses.info_nce import InfoNce, ReweightedInfoNce, negative_weights  # noqa: E402
from train.losses.instance import Instance  # noqa: E402
from train.losses.triplet import SoftMargin, Triplet  # noqa: E402


def _triplets(relation: np.ndarray) -> list[tuple[int, int, int]]:
    n, m = relation.shape
    return [
        (i, j, k) for i in range(n) for j in range(m) for k in range(m) if relation[i, j] == 1 and relation[i, k] == -1
    ]


def test_triplet() -> None:
    one = batch(0)
    ways = []
    for a, b, related in (arrays(one), arrays(one.turned())):
        values = [
            np.linalg.norm(a[i] - b[j]) - np.linalg.norm(a[i] - b[k]) + 0.3 for i, j, k in _triplets(related)
        ]  # fmt: skip
        ways.append(np.mean([v for v in values if v > 0]))
    assert (Triplet(0.3)(one)).item() == pytest.approx(np.mean(ways), rel=1e-6)


def test_soft_margin() -> None:
    one = batch(1)
    ways = []
    for a, b, related in (arrays(one), arrays(one.turned())):
        gaps = [((a[i] - b[j]) ** 2).sum() - ((a[i] - b[k]) ** 2).sum() for i, j, k in _triplets(related)]
        ways.append(np.mean([math.log(1 + math.exp(10 * gap)) for gap in gaps]))
    assert (SoftMargin(10.0)(one)).item() == pytest.approx(np.mean(ways), rel=1e-6)


def test_instance() -> None:
    one = batch(2)
    torch.manual_seed(0)
    loss = Instance(places=5, dimensions=6, temperature=0.2)
    directions = next(loss.parameters()).detach().numpy()
    queries, gallery, _ = arrays(one)
    total = []
    for row, place in zip([*queries, *gallery], [*one.query_places, *one.gallery_places], strict=True):
        cosines = [row @ d / np.linalg.norm(d) for d in directions.T]
        total.append(-cosines[int(place)] / 0.2 + math.log(sum(math.exp(c / 0.2) for c in cosines)))
    assert (loss(one)).item() == pytest.approx(np.mean(total), rel=1e-5)


def _info_nce_loop(one: Embedded, smoothing: float, temperature: float, weights: list[np.ndarray] | None) -> float:
    ways = []
    for way, (a, b, related) in enumerate((arrays(one), arrays(one.turned()))):
        rows = []
        for i in range(len(a)):
            candidates = [k for k in range(len(b)) if related[i, k] != 0]
            positives = [k for k in candidates if related[i, k] == 1]
            if not positives:
                continue
            mass = {k: math.exp(a[i] @ b[k] / temperature) for k in candidates}
            if weights is not None:
                mass = {k: v * (weights[way][i, k] if related[i, k] == -1 else 1) for k, v in mass.items()}
            p = {k: v / sum(mass.values()) for k, v in mass.items()}
            target = {k: smoothing / len(candidates) + (1 - smoothing) * (k in positives) / len(positives) for k in p}
            rows.append(-sum(target[k] * math.log(p[k]) for k in candidates))
        ways.append(np.mean(rows))
    return float(np.mean(ways))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_info_nce(smoothing: float) -> None:
    one = batch(3)
    expected = _info_nce_loop(one, smoothing, 0.2, None)
    assert (InfoNce(smoothing, 0.2)(one)).item() == pytest.approx(expected, rel=1e-6)


def test_reweighted_info_nce() -> None:
    one = batch(4, spread=1.2)
    weights = [negative_weights(way, 5.0).detach().numpy() for way in (one, one.turned())]
    for way, w in zip((one, one.turned()), weights, strict=True):
        negatives = way.relation.numpy() == -1
        assert (w[~negatives] == 0).all()
        np.testing.assert_allclose([row[n].mean() for row, n in zip(w, negatives, strict=True)], 1.0, rtol=1e-9)
    assert weights[0].max() > 1.2  # not all alike
    expected = _info_nce_loop(one, 0.1, 0.2, weights)
    assert (ReweightedInfoNce(0.1, 0.2)(one)).item() == pytest.approx(expected, rel=1e-6)


def test_harder_negatives_weigh_more() -> None:
    one = batch(8, spread=1.2)
    queries, gallery, relation = arrays(one)
    weights = negative_weights(one, 5.0).detach().numpy()
    for i in range(len(queries)):
        negatives = np.flatnonzero(relation[i] == -1)
        order = negatives[np.argsort([((queries[i] - gallery[k]) ** 2).sum() for k in negatives])]
        assert (np.diff(weights[i, order]) <= 1e-9).all()


def test_every_loss_has_gradients_and_a_name() -> None:
    one = batch(9)
    maps = torch.randn(5, 4, 3, 3, dtype=torch.float64), torch.randn(6, 4, 3, 3, dtype=torch.float64)
    shifts = torch.zeros(5, 6, 2)
    maps = maps[0].requires_grad_(), maps[1].requires_grad_()
    targets = torch.randn_like(maps[0]), torch.randn_like(maps[1])
    places = one.query_places, one.gallery_places
    full = Embedded(one.queries, one.gallery, one.relation, *places, *maps, shifts, *targets)
    for name in LOSSES:
        if name == "hard_exemplar_reweighting":
            continue  # one view a place only
        part = WeightedSum([LossSpec(name, 2.0)], places=5, dimensions=6)
        value = part(full)
        assert torch.isfinite(value) and value.item() == pytest.approx(2 * part.last[name], rel=1e-6)
        of_the_map = name in ("dense_correspondence", "kept_map")
        assert torch.autograd.grad(value, maps[0] if of_the_map else one.queries)[0].abs().sum() > 0


def test_sums_are_weighted_and_wrong_names_are_named() -> None:
    one = batch(10)
    both = WeightedSum([LossSpec("triplet", 0.5), LossSpec("soft_margin", 2.0, {"alpha": 5.0})], 5, 6)
    expected = 0.5 * Triplet()(one).item() + 2 * SoftMargin(5.0)(one).item()
    assert (both(one)).item() == pytest.approx(expected, rel=1e-6)
    with pytest.raises(UsageError, match="there is no loss hinge: choose hard_exemplar"):
        WeightedSum([LossSpec("hinge")], 5, 6)
    with pytest.raises(UsageError, match="the loss triplet has no such option"):
        WeightedSum([LossSpec("triplet", 1.0, {"alpha": 5.0})], 5, 6)
    with pytest.raises(UsageError, match="needs one view a place"):
        WeightedSum([LossSpec("hard_exemplar_reweighting")], 5, 6)(one)
