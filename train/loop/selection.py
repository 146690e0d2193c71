"""How good towers are on places kept for choosing among checkpoints: held-out worlds, never two warps of one image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from train.data.places import read_places
from train.data.university import University
from train.data.views import Skipped
from train.evaluate.encoder import TowersEncoder
from train.evaluate.measure import Pair, ask, by_labels, by_metres
from train.towers import Towers


class Selection:
    """Measures towers on a folder's test/ part, each pair both ways."""

    def __init__(self, root: Path, pairs: Sequence[Pair]) -> None:
        self._data, self._squares = University.open(root), read_places(root)
        ways = [(pair, Pair(pair.gallery, pair.query)) for pair in pairs]
        self._pairs = [pair for both in ways for pair in both]
        self._skipped = Skipped()

    def measure(self, towers: Towers) -> dict[str, float]:
        """R@1 by name; ``selected`` is the mean of the vector's, which the best checkpoint is chosen by."""
        encoder, values = TowersEncoder(towers), {}
        for pair in self._pairs:
            asked = ask(encoder, self._data, pair, self._skipped, keep_maps=self._squares is not None)
            if self._squares is None:
                values[f"R@1 {pair} vector"] = by_labels(asked.features()).recall(1)
            else:
                for how, result in by_metres(asked, self._squares).items():
                    values[f"R@1 {pair} {how}"] = result.recall.value
        values["selected"] = float(np.mean([value for name, value in values.items() if name.endswith("vector")]))
        return values
