"""How good towers are on places kept for choosing among checkpoints: held-out worlds, never two warps of one image.

Queries are asked as they are and made harder (bad weather, a heading and a scale that are wrong): an untrained network
finds nearly every clear one in a small gallery, and what is at its ceiling chooses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from train.data.pairs import TOWER_OF, Pair
from train.data.places import read_places
from train.data.university import University
from train.data.views import Skipped
from train.evaluate.encoder import Change, embed_pictures
from train.evaluate.measure import Asked, by_labels, by_metres, in_weather, misjudged
from train.evaluate.towers_encoder import TowersEncoder
from train.precision import FP32
from train.towers import Towers

_HEADING_DEG, _SCALE = 10.0, 0.2


def _changes() -> dict[str, Change | None]:
    """Anew for each measurement, so that each sees the same weather."""
    return {
        "clear": None, "mixed weather": in_weather("mixed"), "dark": in_weather("dark"),
        "heading 10°": misjudged(heading_deg=_HEADING_DEG), "scale +20 %": misjudged(scale_error=_SCALE),
    }  # fmt: skip


class Selection:
    """Measures towers on a folder's test/ part, each pair both ways, in the precision that they learn in."""

    def __init__(self, root: Path, pairs: Sequence[Pair], precision: str = FP32) -> None:
        self._precision = precision
        self._data, self._squares = University.open(root), read_places(root)
        ways = [(pair, Pair(pair.gallery, pair.query)) for pair in pairs]
        self._pairs = [pair for both in ways for pair in both]
        self._skipped = Skipped()

    def measure(self, towers: Towers) -> dict[str, float]:
        """R@1 by name; ``selected`` is the mean of the vector's, which the best checkpoint is chosen by."""
        encoder = TowersEncoder(towers, precision=self._precision)
        values, chosen = dict[str, float](), list[float]()
        maps = self._squares is not None
        for pair in self._pairs:
            pictures = self._data.gallery(pair.gallery)
            gallery = embed_pictures(encoder, TOWER_OF[pair.gallery], pictures, self._skipped, keep_maps=maps)
            for name, change in _changes().items():
                asked = embed_pictures(
                    encoder, TOWER_OF[pair.query], self._data.query(pair.query), self._skipped, change=change,
                    keep_maps=maps and change is None,
                )  # fmt: skip
                found = self._recalls(Asked(asked, gallery))
                chosen.append(found["vector"])
                values |= {f"R@1 {pair}, {name}, {how}": value for how, value in found.items()}
        return values | {"selected": float(np.mean(chosen))}

    def _recalls(self, asked: Asked) -> dict[str, float]:
        if self._squares is None:
            return {"vector": by_labels(asked.features()).recall(1)}
        return {how: result.recall.value for how, result in by_metres(asked, self._squares).items()}
