"""A map embedded by Dask's workers is the map embedded here, whoever of them dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.history.history import History
from runtime.record.map_cluster import made_by_cluster
from runtime.record.map_plan import grid_of
from runtime.record.map_work import TileWork, made_here
from runtime.values import Embeddings, ViewKind
from tests.runtime.once import is_first
from tests.runtime.record.fakes import FakeEmbedder, ground_texture

pytest.importorskip("rasterio")
from runtime.record.map_record import MapOptions, Towers, planned, record_map  # noqa: E402
from runtime.record.map_tiles import open_map  # noqa: E402
from tests.runtime.record.test_map_record import Bars, contents  # noqa: E402
from tests.runtime.record.test_map_tiles import write_map  # noqa: E402

# Found, and imported where it is used: every process of the suite collects this file, and one runs it.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Dask's own sockets and threads, as it ends
    pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed (extra `cluster`)"),
]

RUNGS_M = (32.0, 64.0)


@dataclass
class DiesOnce(FakeEmbedder):
    """The first of all workers that embeds a second time is killed by it."""

    mark: Path = Path()
    calls: int = 0

    def embed(self, view: ViewKind, crops: NDArray[np.uint8]) -> Embeddings:
        self.calls += 1
        if self.calls == 2 and is_first(self.mark):
            os._exit(9)
        return super().embed(view, crops)


@dataclass(frozen=True)
class Dying:
    """Starts them."""

    mark: Path

    def __call__(self) -> DiesOnce:
        return DiesOnce(mark=self.mark)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("town") / "town.tif"
    write_map(path, ground_texture(800)[:400])
    return path


@pytest.fixture
def threads() -> Iterator[str]:
    """The address of a scheduler whose workers are threads of this process."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, processes=False, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def places_in(path: Path) -> list[tuple[float, float]]:
    with open_map(path) as opened:
        return list(grid_of(opened.size_m, FakeEmbedder().bundle, 64.0, 40.0).centres())


def test_its_tiles_come_in_order_each_once_and_as_if_made_here(town: Path, threads: str) -> None:
    work, places = TileWork(town, 64.0, RUNGS_M, "map"), places_in(town)
    there = [one for made in made_by_cluster(FakeEmbedder, work, places, threads, 2) for one in made]
    with open_map(town) as opened:
        here = [one for made in made_here(opened, FakeEmbedder(), work, places) for one in made]
    assert [one.name for one in there] == [one.name for one in here]
    assert len({one.name for one in there if one.keyframe is not None}) > 20
    for one, same in zip(there, here, strict=True):
        assert one.reason == same.reason
        if one.keyframe is None or same.keyframe is None:
            continue
        for mine, theirs in zip(one.keyframe.embeddings, same.keyframe.embeddings, strict=True):
            np.testing.assert_array_equal(mine.vector, theirs.vector)


@pytest.mark.long
def test_of_a_worker_killed_in_the_middle_no_tile_is_lost_or_doubled(town: Path, tmp_path: Path) -> None:
    histories = {}
    for name, cluster, start in (("here", None, FakeEmbedder), ("there", "local", Dying(tmp_path / "died"))):
        options = MapOptions(tile_m=64.0, stride_m=40.0, heights_m=(30.0, 70.0), processes=2, cluster=cluster)
        with open_map(town) as opened, History.append(tmp_path / f"{name}.db", "fake-space", "fake") as history:
            plan = planned(opened, FakeEmbedder(), options)
            kept, _ = record_map(opened, plan, history, Towers(FakeEmbedder(), start), options, Bars())
        histories[name] = contents(tmp_path / f"{name}.db")
        assert kept > 20
    assert (tmp_path / "died").exists()
    assert histories["there"] == histories["here"]
