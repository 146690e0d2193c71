"""A map's picture kept once in a history: crops cut from it, parts replaced, and histories with it put together."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.centred import centred
from runtime.errors import CropDamagedError
from runtime.geodesy import offset
from runtime.history.compose import compose
from runtime.history.file import FORMAT_VERSION, MAPPED_VERSION
from runtime.history.gate import Origin
from runtime.history.history import History, packed
from runtime.history.mapped import Cell, CutKeyframe, MapWriter, fingerprint_of_pixels
from runtime.history.past import copy_until
from runtime.history.pictures import CELL_PX, Cut, Picture, encode_cell
from runtime.history.repair import repair
from runtime.history.spatial_maps import centred_map_of, pack
from runtime.history.verify import examine
from runtime.matching.alignment import surfaces
from runtime.values import GeoPoint, ViewKind
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe
from tests.runtime.record.fakes import ground_texture

MIDDLE = GeoPoint(60.0, 17.0)
PICTURE = Picture("town.tif", MIDDLE, 0.5, 700, 900)
SIDE_M = 60.0
GROUND = np.repeat(ground_texture(1024)[..., :1], 3, axis=2)  # grey: a JPEG halves the resolution of colours
CUTS = [Cut(north, east, SIDE_M, 0.1, 160) for north in (-90.0, 0.0, 90.0) for east in (-100.0, 0.0, 100.0)]


def cell(row: int, column: int, ground: np.ndarray = GROUND) -> Cell:
    image = np.zeros((CELL_PX, CELL_PX, 3), np.uint8)
    part = ground[:700, :900][row * CELL_PX : (row + 1) * CELL_PX, column * CELL_PX : (column + 1) * CELL_PX]
    image[: part.shape[0], : part.shape[1]] = part
    return Cell(row, column, fingerprint_of_pixels(image), encode_cell(image))


def cut_keyframe(number: int) -> CutKeyframe:
    cut, made = CUTS[number], keyframe(number, ViewKind.SATELLITE)
    ground = offset(MIDDLE, cut.north_m, cut.east_m)
    one = replace(made, ground=ground, footprint_m=SIDE_M)
    return CutKeyframe(one, cut, packed(embeddings(number)), Origin(f"tile {number}", 1.0, 0.5))


def write(history: History) -> MapWriter:
    writer = MapWriter(history, PICTURE)
    writer.put_cells([cell(row, column) for row in range(3) for column in range(4)])
    writer.make_overviews()
    writer.add([cut_keyframe(number) for number in range(len(CUTS))])
    return writer


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("town") / "town.db"
    with History.create(path, SPACE, "bundle") as history:
        history.add(keyframe(50), embeddings(50))
        write(history)
    return path


def bilinear(north_m: float, east_m: float) -> np.ndarray:
    """The ground's colour at a point, slowly."""
    column, row = east_m / 0.5 + 450 - 0.5, 350 - north_m / 0.5 - 0.5
    i, j = int(np.floor(row)), int(np.floor(column))
    v, u = row - i, column - j
    four = GROUND[i : i + 2, j : j + 2].astype(float)
    return np.asarray((four * np.outer([1 - v, v], [1 - u, u])[..., None]).sum(axis=(0, 1)))


def test_a_crop_shows_the_ground_that_its_place_and_turn_say(town: Path) -> None:
    with History.open(town) as history:
        ids = history.ids(ViewKind.SATELLITE)
        for number in (0, 4, 8):
            crop, cut = history.keyframe(ids[number]).crop, CUTS[number]
            assert crop.shape == (160, 160, 3)
            for row, column in ((3, 5), (80, 80), (150, 20)):
                up, right = (79.5 - row) * SIDE_M / 160, (column - 79.5) * SIDE_M / 160
                north = cut.north_m + up * np.cos(0.1) - right * np.sin(0.1)
                east = cut.east_m + right * np.cos(0.1) + up * np.sin(0.1)
                assert np.abs(crop[row, column] - bilinear(north, east)).max() < 25  # JPEG of a noisy ground
        assert history.keyframe(ids[4], crop=False).crop.size == 0
        assert [one.crop.shape for one in history.keyframes()] == [(64, 64, 3)] + [(160, 160, 3)] * 9


def test_a_wide_crop_is_cut_from_an_overview(town: Path) -> None:
    with History.open(town) as history:
        wide = history._pictures.cut(1, PICTURE, Cut(1.0, 1.0, 320.0, 0.0, 160))  # 2 m a pixel: level 2
        assert wide is not None
        expected = GROUND[28:668, 132:772].reshape(160, 4, 160, 4, 3).mean(axis=(1, 3))
        assert np.abs(wide - expected).mean() < 6 < np.abs(GROUND[28:668:4, 132:772:4] - expected).mean()


def test_the_format_changes_with_the_first_map_alone(town: Path, tmp_path: Path) -> None:
    with History.create(tmp_path / "flight.db", SPACE, "bundle") as flight:
        flight.add(keyframe(1), embeddings(1))
        assert flight.format_version == FORMAT_VERSION
    with History.open(town) as history:
        assert history.format_version == MAPPED_VERSION
        assert len(history.gallery(ViewKind.SATELLITE, FOOTPRINTS_M[0])) == 9


def test_a_packed_map_fits_like_the_map() -> None:
    rng = np.random.default_rng(5)
    coarse = rng.standard_normal((8, 32, 20, 20)) + 2 * rng.standard_normal((1, 32, 1, 1))
    maps = coarse / np.linalg.norm(coarse, axis=1, keepdims=True)
    own, others = centred(maps[:, :, 2:18, 2:18].astype(np.float32)), maps[:, :, :16, 1:17]
    kept = [pack(one) for one in others]
    read = np.stack([one.unpacked() for one in (centred_map_of((*one.shape, one.data)) for one in kept) if one])
    exact, found = (surfaces(own[3], gallery, 4).means for gallery in (centred(others.astype(np.float32)), read))
    assert np.corrcoef(exact.ravel(), found.ravel())[0, 1] > 0.97
    assert found.max() == pytest.approx(exact.max(), rel=0.03) and exact.argmax() == found.argmax()
    assert max(len(one.data) for one in kept) < 0.25 * 2 * others[0].size
    for damage in (b"", kept[0].data[:40], kept[0].data[:8] + b"\0" * 50):
        assert centred_map_of((*kept[0].shape, damage)) is None


def test_what_is_there_is_not_doubled_and_a_changed_part_takes_its_keyframes(town: Path, tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    copy_until(town, path, 100)
    with History.open(path, write=True) as history:
        before = history.mark()
        again = MapWriter(history, PICTURE)
        assert again.add([cut_keyframe(number) for number in range(len(CUTS))]) == []
        assert again.recorded() == {one.key: frozenset(FOOTPRINTS_M) for one in CUTS}
        changed = cell(0, 0, np.ascontiguousarray(GROUND[::-1]))
        shows = [n for n, cut in enumerate(CUTS) if cut.north_m > 15 and cut.east_m < -60]  # the cell ends at 47, -97
        assert again.put_cells([changed]) == len(shows) == 1
        assert history.mark().rewritten > before.rewritten and len(history) == 9
        assert again.add([cut_keyframe(number) for number in range(len(CUTS))]) != []
        new = history.keyframe(history.last_id()).crop
    with History.open(town) as old:
        assert np.abs(new.astype(int) - old.keyframe(old.ids(ViewKind.SATELLITE)[shows[0]]).crop).mean() > 10
    assert examine(path)[1] == []


def test_a_damaged_part_costs_what_shows_it_and_can_be_recorded_again(town: Path, tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    copy_until(town, path, 100)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE cell SET image = x'00' WHERE level = 0 AND cell_row = 1 AND cell_column = 1")
    connection.close()
    with History.open(path) as history, pytest.raises(CropDamagedError, match="record its map again"):
        history.keyframe(history.ids(ViewKind.SATELLITE)[4])
    assert {fault.table for fault in repair(path).faults} == {"keyframe", "cell"}
    with History.open(path, write=True) as history:
        lost = 10 - len(history)
        writer = write(history)
        assert lost > 0 and len(writer.fingerprints()) == 12 and len(history) == 10
    assert examine(path) == (10, [])


def test_histories_with_maps_are_put_together(town: Path, tmp_path: Path) -> None:
    with History.create(tmp_path / "other.db", SPACE, "bundle") as other:
        write(other)
        other.add(keyframe(60), embeddings(60))
    done = compose(tmp_path / "both.db", [town, tmp_path / "other.db"])
    assert (done.keyframes, done.repeated) == (11, 9)  # what both hold of the map is kept once
    with History.open(tmp_path / "both.db") as both, History.open(town) as first:
        assert both.format_version == MAPPED_VERSION
        pairs = zip(both.ids(ViewKind.SATELLITE), first.ids(ViewKind.SATELLITE), strict=True)
        assert all(np.array_equal(both.keyframe(a).crop, first.keyframe(b).crop) for a, b in pairs)
        maps = both.maps(both.ids(ViewKind.SATELLITE), FOOTPRINTS_M[0])
        assert maps is not None
        assert np.array_equal(maps, first.maps(first.ids(ViewKind.SATELLITE), FOOTPRINTS_M[0]))
    assert examine(tmp_path / "both.db")[1] == []
