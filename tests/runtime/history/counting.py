"""A history that counts what is read from it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.history.history import History
from runtime.history.reader import Gallery
from runtime.history.spatial_maps import CentredMap
from runtime.values import Keyframe, ViewKind


class Counting(History):
    """Counts, by keyframe, the embeddings, maps and keyframes that are read."""

    def __init__(self, path: Path, connection: sqlite3.Connection, write: bool) -> None:
        super().__init__(path, connection, write)
        self.rows: Counter[tuple[ViewKind, float, int]] = Counter()
        self.spatial: Counter[tuple[float, int]] = Counter()
        self.whole: Counter[int] = Counter()  # with their crops
        self.listed: Counter[int] = Counter()  # without

    def gallery(self, view: ViewKind, footprint_m: float, after_id: int = 0, until_id: int | None = None) -> Gallery:
        found = super().gallery(view, footprint_m, after_id, until_id)
        self.rows.update((view, footprint_m, keyframe_id) for keyframe_id in found.ids.tolist())
        return found

    def centred_maps(self, ids: Sequence[int] | NDArray[np.int64], footprint_m: float) -> list[CentredMap] | None:
        self.spatial.update((footprint_m, int(keyframe_id)) for keyframe_id in ids)
        return super().centred_maps(ids, footprint_m)

    def keyframe(self, keyframe_id: int, *, crop: bool = True) -> Keyframe:
        self.whole[keyframe_id] += 1
        return super().keyframe(keyframe_id)

    def keyframes(
        self, view: ViewKind | None = None, *, crops: bool = True, after_id: int = 0
    ) -> Iterator[Keyframe]:
        for one in super().keyframes(view, crops=crops, after_id=after_id):
            if not crops:
                self.listed[one.keyframe_id] += 1
            yield one
