"""A map recorded whole, cut off and gone on with, changed in part, and by another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.errors import HomingError, UsageError
from runtime.history.history import History
from runtime.history.verify import examine
from runtime.record.map_plan import grid_of
from runtime.record.map_record import MapOptions, Towers, planned, record_map
from runtime.record.map_work import TileWork, made_by_processes, made_here
from runtime.record.surveyed import ALREADY
from runtime.values import Embeddings, ViewKind
from tests.runtime.record.fakes import FakeEmbedder, ground_texture

pytest.importorskip("rasterio")
from runtime.record.map_tiles import open_map  # noqa: E402
from tests.runtime.record.test_map_tiles import write_map  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

GROUND = ground_texture(800)[:400]
OPTIONS = MapOptions(tile_m=64.0, stride_m=40.0, heights_m=(30.0, 70.0))


Town = tuple[Path, Path, int, list[str]]


@dataclass
class CutOff(FakeEmbedder):
    """Embeds so many times, then its process is killed, or a user ends it."""

    left: int = 3
    kill: bool = False

    def embed(self, view: ViewKind, crops: NDArray[np.uint8]) -> Embeddings:
        self.left -= 1
        if self.left < 0 and self.kill:
            os._exit(9)
        if self.left < 0:
            raise KeyboardInterrupt
        return super().embed(view, crops)


@dataclass
class Bars:
    """Counts steps by what they are of."""

    steps: dict[str, int] = field(default_factory=dict)
    what: str = ""

    @contextmanager
    def __call__(self, what: str, total: int) -> Iterator[Bars]:
        self.what = what
        yield self

    def step(self) -> None:
        self.steps[self.what] = self.steps.get(self.what, 0) + 1


def killed_at_the_second() -> CutOff:
    return CutOff(left=1, kill=True)


def recorded(map_file: Path, path: Path, tower: FakeEmbedder, options: MapOptions = OPTIONS) -> tuple[int, list[str]]:
    with open_map(map_file) as opened, History.append(path, "fake-space", "fake") as history:
        plan = planned(opened, FakeEmbedder(), options)
        kept, skipped = record_map(opened, plan, history, Towers(tower, FakeEmbedder), options, Bars())
    return kept, [one.reason for one in skipped]


def contents(path: Path) -> dict[str, tuple[object, ...]]:
    """What a history says of each tile, by name."""
    found: dict[str, tuple[object, ...]] = {}
    with History.open(path) as history:
        rungs = history.footprints(ViewKind.SATELLITE)
        galleries = [history.gallery(ViewKind.SATELLITE, rung) for rung in rungs]
        for number, one in enumerate(history.keyframes()):
            vectors = [gallery.vectors[gallery.ids == one.keyframe_id].tobytes() for gallery in galleries]
            assert one.name not in found, number
            found[one.name] = (one.ground, one.flight, one.crop.tobytes(), rungs, *vectors)
    return found


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int, list[str]]:
    """A map of 200 by 400 m, turned by some degrees; a history of it, and how many of its tiles were and were not
    recorded."""
    folder = tmp_path_factory.mktemp("town")
    map_file = write_map(folder / "town.tif", GROUND)
    kept, left_out = recorded(map_file, folder / "town.db", FakeEmbedder())
    assert kept + len(left_out) == 5 * 10 and kept > 30 and all("has data" in reason for reason in left_out)
    return map_file, folder / "town.db", kept, left_out


def test_its_tiles_are_cut_from_its_picture_and_embedded_for_the_heights(town: Town) -> None:
    map_file, path, tiles, _ = town
    with History.open(path) as history, open_map(map_file) as opened:
        assert history.footprints(ViewKind.SATELLITE) == (32.0, 64.0)
        places = grid_of(opened.size_m, FakeEmbedder().bundle, 64.0, 40.0).centres()
        by_name = {opened.name_of(*place, 64.0): place for place in places}
        for keyframe_id in history.ids()[::12]:
            one = history.keyframe(keyframe_id)
            tile = opened.tile(*by_name[one.name], 64.0)
            seen = np.abs(one.crop.astype(int) - tile.image)[2:-2, 2:-2]
            assert one.crop.shape == tile.image.shape and seen.mean() < 12  # colours at half the resolution
        maps = history.maps(history.ids(), 64.0)
        assert maps is not None and maps.shape == (tiles, 1, 8, 8)
    assert examine(path) == (tiles, [])
    assert path.stat().st_size < 1.2e6


def test_cut_off_it_goes_on_and_nothing_is_lost_or_doubled(town: Town, tmp_path: Path) -> None:
    map_file, whole, tiles, left_out = town
    path = tmp_path / "h.db"
    with pytest.raises(KeyboardInterrupt):
        recorded(map_file, path, CutOff())
    with History.open(path) as history:
        there = len(history)
    assert 0 < there < tiles
    tower = FakeEmbedder()
    assert recorded(map_file, path, tower) == (tiles - there, [ALREADY] * there + left_out)
    assert len(tower.views) == 2 * (tiles - there)
    assert contents(path) == contents(whole)


def test_only_what_has_changed_is_embedded_again(town: Town, tmp_path: Path) -> None:
    (_, _, tiles, left_out), path, ground = town, tmp_path / "h.db", GROUND.copy()
    ground[150:200, 700:760] = ground[150:200, 700:760][::-1, ::-1]
    (tmp_path / "new").mkdir()
    changed = write_map(tmp_path / "new" / "town.tif", ground)
    recorded(town[0], path, FakeEmbedder())
    before = contents(path)
    with pytest.raises(UsageError, match=r"\d parts? of 8 differ.*--update"):
        recorded(changed, path, FakeEmbedder())
    assert contents(path) == before
    tower = FakeEmbedder()
    options = MapOptions(64.0, 40.0, heights_m=(30.0, 70.0), update=True)
    kept, skipped = recorded(changed, path, tower, options)
    assert skipped.count(ALREADY) > tiles / 2 and kept + skipped.count(ALREADY) == tiles
    assert len(tower.views) == 2 * kept
    recorded(changed, tmp_path / "fresh.db", FakeEmbedder())
    after = contents(path)
    assert after == contents(tmp_path / "fresh.db") and after != before
    assert recorded(changed, path, tower) == (0, [ALREADY] * tiles + left_out)
    assert examine(path) == (tiles, [])


def test_other_heights_add_what_they_need(town: Town, tmp_path: Path) -> None:
    path, tiles = tmp_path / "h.db", town[2]
    low = MapOptions(64.0, 40.0, heights_m=(30.0, 40.0))
    assert recorded(town[0], path, FakeEmbedder(), low)[0] == tiles
    with History.open(path) as history:
        assert history.footprints(ViewKind.SATELLITE) == (32.0,)
    assert recorded(town[0], path, FakeEmbedder())[0] == 0  # no keyframe that was not there
    assert {name: said[-2:] for name, said in contents(path).items()} == {
        name: said[-2:] for name, said in contents(town[1]).items()
    }


def test_another_process_makes_the_same_and_when_it_is_killed_that_is_said(town: Town) -> None:
    with open_map(town[0]) as opened:
        grid = grid_of(opened.size_m, FakeEmbedder().bundle, 64.0, 40.0)
        places = [place for place in grid.centres() if max(map(abs, place)) < 130 and abs(place[0]) < 50]
        work = TileWork(town[0], 64.0, (32.0, 64.0), "map town.tif")
        here = list(made_here(opened, FakeEmbedder(), work, places[:8]))
    other = made_by_processes(killed_at_the_second, work, places, 1)
    for one, same in zip(next(other), here[0], strict=True):
        assert one.keyframe is not None and same.keyframe is not None
        assert (one.name, one.keyframe.cut, one.keyframe.origin) == (same.name, same.keyframe.cut, same.keyframe.origin)
        for a, b in zip(one.keyframe.embeddings, same.keyframe.embeddings, strict=True):
            assert np.array_equal(a.vector, b.vector) and a.map == b.map
    with pytest.raises(HomingError, match="the same command goes on from there"):
        next(other)


STARTED = """
import sys, time
from pathlib import Path
from runtime.record.map_work import TileWork, made_by_processes
from tests.runtime.record.fakes import FakeEmbedder
made = made_by_processes(FakeEmbedder, TileWork(Path(sys.argv[1]), 64.0, (64.0,), "map"), [(0.0, 0.0)], 1)
print(len(next(made)), flush=True)
time.sleep(60)
"""


def test_processes_end_with_the_one_that_started_them_however_it_ends(town: Town) -> None:
    started = subprocess.Popen([sys.executable, "-c", STARTED, str(town[0])], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None and started.stdout.readline() == "1\n"
    started.kill()
    assert started.communicate(timeout=20)[0] == ""  # the pipe, which they share, ends with the last of them
