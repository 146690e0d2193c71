"""What a large gallery costs in memory; ``python -m tests.runtime.matching.test_memory`` prints it, in bytes a row."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from runtime.history.reader import Gallery, Mark, StoredRung
from runtime.history.spatial_maps import CentredMap
from runtime.machine import give_freed_memory_back
from runtime.matching.coarse import available
from runtime.matching.gallery import GalleryCache, Rung
from runtime.matching.pool import Embedded
from runtime.matching.search import Nearest
from runtime.values import Keyframe, ViewKind
from tests.runtime.history.recording import keyframe

ROWS, NUMBERS = 210_000, 128  # 54 MB in half precision: more than are held in memory as they are
VECTOR_BYTES = 2 * NUMBERS
SEARCHED = 60_000  # rows: codes of more take longer and no more each
RUNG = (ViewKind.SATELLITE, 80.0)


class Wide:
    """A history of so many keyframes, whose vectors differ along some axes more than along others, as real ones do."""

    def __init__(self, count: int) -> None:
        self._count = count
        widths = (1.0 / np.sqrt(1.0 + np.arange(NUMBERS))).astype(np.float32)
        self._some = np.random.default_rng(1).standard_normal((4096, NUMBERS), np.float32) * widths

    def mark(self) -> Mark:
        return Mark(last_id=self._count, last_row=self._count)

    def stored_rungs(self, after: Mark, until: Mark) -> list[StoredRung]:
        return [StoredRung(*RUNG, self._count, 1)]

    def gallery(self, view: ViewKind, footprint_m: float, after_id: int = 0, until_id: int | None = None) -> Gallery:
        ids = np.arange(after_id, until_id or self._count) + 1
        one, other = (self._some[ids * step % len(self._some)] for step in (1, 1 + ids[0]))  # of two places each
        ground = np.stack([60.0 + 1e-6 * ids, np.full(len(ids), 22.0)], axis=1)
        return Gallery(ids, (one + other).astype(np.float16), ground, np.zeros(len(ids)))

    def centred_maps(self, ids: Sequence[int], footprint_m: float) -> list[CentredMap] | None:
        return None

    def first_id(self) -> int:
        return 1

    def keyframe(self, keyframe_id: int, *, crop: bool = True) -> Keyframe:
        return keyframe(keyframe_id, ViewKind.SATELLITE)


def resident_bytes() -> int:
    """What this process holds, now."""
    give_freed_memory_back()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def searched(rung: Rung, count: int) -> Nearest:
    """The first so many rows, after they were asked for places that they have and for some that they have not, for
    which every row is compared."""
    index = rung.searched(rung.ids[:count], rung.vectors[:count], None)
    nowhere = np.random.default_rng(2).standard_normal((3, NUMBERS), np.float32)
    nowhere[:, : NUMBERS // 2] = 0.0  # only where rows hardly differ
    index.search(np.concatenate([rung.vectors[: count : count // 5], nowhere]), 50)
    return index


def main() -> None:
    """Prints what a row takes, and what searching it does besides."""
    pool = Embedded(large=1_000)
    few = GalleryCache(Wide(2_000), pool=pool).snapshot().rung(*RUNG)
    held: list[object] = [searched(few, 2_000)]  # what libraries take is taken
    before = resident_bytes()
    rung = GalleryCache(Wide(ROWS), pool=pool).snapshot().rung(*RUNG)
    read = resident_bytes()
    held.append(searched(rung, SEARCHED))
    print((read - before) / ROWS, (resident_bytes() - read) / SEARCHED)


@pytest.mark.skipif(not available(), reason="faiss is not installed (extra `large`)")
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_large_gallery_takes_less_than_its_vectors_would() -> None:
    command = [sys.executable, "-m", "tests.runtime.matching.test_memory"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    row, search = map(float, ran.stdout.split())
    assert row < VECTOR_BYTES / 4 and search < VECTOR_BYTES


if __name__ == "__main__":
    main()
