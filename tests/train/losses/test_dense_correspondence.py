"""The map's loss: cell by cell, with maps that are truly displaced."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from runtime.errors import UsageError  # noqa: E402
from tests.train.losses.batches import batch  # noqa: E402
from train.losses.dense_correspondence import DenseCorrespondence  # noqa: E402
from train.losses.embedded import Embedded  # noqa: E402


def _pair(shift: tuple[float, float], seed: int = 0) -> tuple[Embedded, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(2, 1, 8, 4, 4))
    maps /= np.linalg.norm(maps, axis=2, keepdims=True)
    query, gallery = torch.from_numpy(maps)
    unit = torch.ones(1, 3, dtype=torch.float64)
    shifts = torch.tensor(shift, dtype=torch.float64)[None, None]
    relation = torch.ones(1, 1, dtype=torch.int8)
    return Embedded(unit, unit, relation, None, None, query, gallery, shifts), maps[0, 0], maps[1, 0]


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.0, -2.0), (-0.6, 0.4)])
def test_it_is_the_loop_over_cells(shift: tuple[float, float]) -> None:
    one, query, gallery = _pair(shift)
    rows = []
    for r in range(4):
        for c in range(4):
            to = round(r + shift[0]), round(c + shift[1])
            if not (0 <= to[0] < 4 and 0 <= to[1] < 4):
                continue
            scores = {(i, j): query[:, r, c] @ gallery[:, i, j] / 0.1 for i in range(4) for j in range(4)}
            rows.append(math.log(sum(math.exp(v) for v in scores.values())) - scores[to])
    assert float(DenseCorrespondence(0.1)(one)) == pytest.approx(np.mean(rows), rel=1e-9)


def test_the_true_shift_is_the_least_loss() -> None:
    rng = np.random.default_rng(1)
    ground = rng.normal(size=(8, 8, 8))
    ground /= np.linalg.norm(ground, axis=0)
    maps = [torch.from_numpy(ground[:, r : r + 5, c : c + 5].copy())[None] for r, c in ((2, 1), (1, 3))]
    losses = {}
    for shift in [(a, b) for a in (-1, 0, 1) for b in (-2, 0, 2)]:
        one, _, _ = _pair((float(shift[0]), float(shift[1])))
        moved = Embedded(one.queries, one.gallery, one.relation, None, None, *maps, one.shifts)
        losses[shift] = float(DenseCorrespondence()(moved))
    assert min(losses, key=losses.__getitem__) == (1, -2)  # what is at (2, 1) there begins a row on, two columns back


def test_nothing_in_common_is_no_loss_and_no_map_is_an_error() -> None:
    one, _, _ = _pair((9.0, 0.0))
    assert float(DenseCorrespondence()(one)) == 0.0
    unknown = dataclasses.replace(one, shifts=torch.full((1, 1, 2), torch.nan))
    assert float(DenseCorrespondence()(unknown)) == 0.0
    with pytest.raises(UsageError, match="needs a head with a map"):
        DenseCorrespondence()(batch())
