"""`homing history compact`: a history of before made smaller, and nothing that it remembers lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import HistoryError
from runtime.geodesy import offset
from runtime.history.compact import compact
from runtime.history.gate import Origin
from runtime.history.history import History
from runtime.history.verify import examine
from runtime.values import Attitude, GeoPoint, Measured, Pose, Position, PositionSource, ViewKind
from tests.runtime.cli.called import homing
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe
from tests.runtime.record.fakes import ground_texture

MIDDLE, SIDE_M, SIDE_PX = GeoPoint(60.0, 17.0), 64.0, 128  # half a metre a pixel
GROUND = cv2.GaussianBlur(np.repeat(ground_texture(600)[..., :1], 3, axis=2), (0, 0), 1.0)
STRANGE = 23  # a tile that shows other ground than its neighbours do


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history as maps were recorded before: a crop for each of 24 overlapping tiles, among two photos."""
    path = tmp_path_factory.mktemp("old") / "old.db"
    pose = Pose(t_ns=None, attitude=Attitude.level(Measured(0.0, 0.01, "map")))
    with History.create(path, SPACE, "bundle") as history:
        history.add(keyframe(100), embeddings(100), Origin("photo 100"))
        for number in range(24):
            row, column = divmod(number, 6)
            top, left = 60 + 40 * row, 60 + 40 * column
            ground = offset(MIDDLE, (300 - top - SIDE_PX / 2) * 0.5, (left + SIDE_PX / 2 - 300) * 0.5)
            crop = np.ascontiguousarray(GROUND[top : top + SIDE_PX, left : left + SIDE_PX])
            crop = np.ascontiguousarray(crop[::-1]) if number == STRANGE else crop
            place = Position.circular(ground, 2.0, PositionSource.MAP)
            tile = replace(
                keyframe(number, ViewKind.SATELLITE), flight="map town.tif", name=f"tile {number}", pose=pose,
                position=place, ground=ground, footprint_m=SIDE_M, crop=crop,
            )  # fmt: skip
            history.add(tile, embeddings(number), Origin(f"tile {number}", 1.0, 0.5))
        history.add(keyframe(101), embeddings(101), Origin("photo 101"))
    return path


def crops_stored(path: Path, view: ViewKind) -> list[bytes]:
    with History.open(path) as history:
        return [row[0] for row in history.ask("SELECT crop FROM keyframe WHERE view = ? ORDER BY id", (view.value,))]


def test_nothing_is_lost_but_bytes(old: Path, tmp_path: Path) -> None:
    before, new = old.read_bytes(), tmp_path / "new.db"
    told = json.loads(homing("history", "compact", old, "--out", new, "--json").stdout)
    assert old.read_bytes() == before and told["keyframes"] == 26
    kept = {n for n, crop in enumerate(crops_stored(new, ViewKind.SATELLITE)) if crop}
    assert STRANGE in kept and len(kept) < 9  # it, and tiles that show some of it
    assert told["cut_from_pictures"] == 24 - len(kept)
    assert all(crops_stored(new, ViewKind.SATELLITE)[n] == crops_stored(old, ViewKind.SATELLITE)[n] for n in kept)
    assert told["bytes"] == new.stat().st_size < 0.8 * told["bytes_before"]
    assert crops_stored(new, ViewKind.DRONE) == crops_stored(old, ViewKind.DRONE)
    assert examine(new) == (26, [])
    with History.open(old) as one, History.open(new) as other:
        assert one.ids() == other.ids() and one.fingerprints() == other.fingerprints()
        for keyframe_id in one.ids():
            a, b = one.keyframe(keyframe_id), other.keyframe(keyframe_id)
            assert (a.pose, a.position, a.ground, a.footprint_m, a.flight) == (
                b.pose, b.position, b.ground, b.footprint_m, b.flight
            )  # fmt: skip
            assert np.abs(a.crop.astype(int) - b.crop)[2:-2, 2:-2].mean() < 6
        for view in one.views():
            vectors = [one.gallery(view, FOOTPRINTS_M[0]).vectors, other.gallery(view, FOOTPRINTS_M[0]).vectors]
            assert np.array_equal(*vectors)
        read = [each.centred_maps(one.ids(), FOOTPRINTS_M[1]) or [] for each in (one, other)]
        maps = [np.stack([spatial.unpacked() for spatial in each]) for each in read]
        assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.8


def test_what_stands_in_the_way_is_said_and_nothing_is_left(old: Path, tmp_path: Path) -> None:
    (tmp_path / "there.db").write_bytes(b"")
    with pytest.raises(HistoryError, match="exists already"):
        compact(old, tmp_path / "there.db")
    with pytest.raises(HistoryError, match="does not exist"):
        compact(tmp_path / "none.db", tmp_path / "new.db")

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compact(old, tmp_path / "new.db", interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["there.db"]


def test_a_compact_history_made_compact_again_is_the_same(old: Path, tmp_path: Path) -> None:
    compact(old, tmp_path / "once.db")
    done = compact(tmp_path / "once.db", tmp_path / "twice.db")
    with History.open(tmp_path / "once.db") as once, History.open(tmp_path / "twice.db") as twice:
        maps = [each.maps(once.ids(), FOOTPRINTS_M[0]) for each in (once, twice)]
        assert np.array_equal(*(np.asarray(one) for one in maps)) and done.keyframes == len(twice) == 26
