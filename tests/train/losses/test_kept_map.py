"""The map's teacher: nothing to pay where the two agree, else the mean angle; and no teacher is an error."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from runtime.errors import UsageError  # noqa: E402
from train.losses.embedded import Embedded  # noqa: E402
from train.losses.kept_map import KeptMap  # noqa: E402


def _batch(maps: np.ndarray, targets: np.ndarray | None) -> Embedded:
    """(2, N, K, h, w): both views."""
    vectors, relation = torch.zeros(maps.shape[1], 4), torch.eye(maps.shape[1], dtype=torch.int8)
    sides = [torch.from_numpy(m) for m in maps]
    held = [None, None] if targets is None else [torch.from_numpy(t) for t in targets]
    return Embedded(vectors, vectors, relation, None, None, *sides, None, *held)


def test_it_is_the_loop_over_cells() -> None:
    rng = np.random.default_rng(0)
    maps, targets = rng.normal(size=(2, 2, 3, 5, 4, 4))
    apart = []
    for view, crop, row, column in np.ndindex(2, 3, 4, 4):
        a, b = maps[view, crop, :, row, column], targets[view, crop, :, row, column]
        apart.append(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert float(KeptMap()(_batch(maps, targets))) == pytest.approx(np.mean(apart), abs=1e-12)
    assert float(KeptMap()(_batch(maps, 3 * maps))) == pytest.approx(0.0, abs=1e-12)
    assert float(KeptMap()(_batch(maps, -maps))) == pytest.approx(2.0, abs=1e-12)
    turned = _batch(maps, targets).turned()
    assert float(KeptMap()(turned)) == pytest.approx(np.mean(apart), abs=1e-12)


def test_without_a_map_or_a_teacher_it_says_so() -> None:
    with pytest.raises(UsageError, match="set map_channels"):
        KeptMap()(_batch(np.zeros((2, 1, 2, 2, 2)), None))
