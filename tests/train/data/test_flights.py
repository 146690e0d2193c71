"""Own flights: a history over a map gives pairs of one ground, and no ground of the test is trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rasterio")

from runtime.errors import UsageError  # noqa: E402
from runtime.geodesy import offset  # noqa: E402
from runtime.history.history import History  # noqa: E402
from runtime.record.map_tiles import open_map  # noqa: E402
from runtime.values import GeoPoint, ViewKind  # noqa: E402
from tests.runtime.history.recording import SPACE, embeddings, keyframe  # noqa: E402
from tests.runtime.record.test_map_tiles import write_map  # noqa: E402
from train.data.flights import pairs, write_pairs  # noqa: E402
from train.data.places import overlaps, read_places  # noqa: E402
from train.data.university import University  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
FOOTPRINT_M = 40.0


def _site(folder: Path) -> tuple[Path, Path]:
    """A map with a mark each 100 m, and a flight whose crops are the map's own, along a line of 300 m and outside."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (80, 80, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (800, 800), interpolation=cv2.INTER_CUBIC)
    map_file = write_map(folder / "map.tif", image)
    history = folder / "flight.db"
    with open_map(map_file) as opened, History.create(history, SPACE, "bundle") as store:
        for i in range(130):
            north, east = -150.0 + 2.5 * i, 5.0
            frame = keyframe(i)
            ground = offset(opened.middle, north, east)
            crop = opened.tile(north, east, FOOTPRINT_M).image
            one = dataclasses.replace(frame, ground=ground, footprint_m=FOOTPRINT_M, crop=crop, view=ViewKind.DRONE)
            store.add(one, embeddings(i))
    return history, map_file


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp("site")
    history, map_file = _site(folder)
    with History.open(history) as opened_history, open_map(map_file) as opened_map:
        count = write_pairs(pairs(opened_history, opened_map, opened_map.middle), folder / "out")
    return folder / "out", count


def test_both_views_show_the_same_square(made: tuple[Path, int]) -> None:
    data = University.open(made[0])
    drone, satellite = data.train("drone"), data.train("satellite")
    assert [p.place for p in drone] == [p.place for p in satellite] and len(drone) > 60
    for ours, theirs in list(zip(drone, satellite, strict=True))[::10]:
        a, b = (cv2.imread(str(p.path), cv2.IMREAD_GRAYSCALE).astype(float).ravel() for p in (ours, theirs))
        assert np.corrcoef(a, b)[0, 1] > 0.95


def test_no_ground_of_the_test_is_trained_on(made: tuple[Path, int]) -> None:
    squares = read_places(made[0])
    assert squares is not None and len(squares) == made[1]
    data = University.open(made[0])
    train = [squares[p.place] for p in data.train("drone")]
    test = [squares[p.place] for p in data.query("drone")]
    assert len(test) == 20
    assert overlaps(train, test).max() == 0.0
    assert squares[data.train("drone")[0].place].side_m == FOOTPRINT_M


def test_a_map_of_elsewhere(tmp_path: Path, made: tuple[Path, int]) -> None:
    with History.create(tmp_path / "far.db", SPACE, "bundle") as store:
        far = dataclasses.replace(keyframe(0), ground=GeoPoint(10.0, 10.0), footprint_m=FOOTPRINT_M)
        store.add(far, embeddings(0))
    map_file = made[0].parent / "map.tif"
    with History.open(tmp_path / "far.db") as history, open_map(map_file) as opened:
        with pytest.raises(UsageError, match="covers none of the history's drone views"):
            write_pairs(pairs(history, opened, opened.middle), tmp_path / "out")
