"""Histories put together, made smaller, and measured on the ground."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import HistoryError
from runtime.geodesy import distance_m, offset
from runtime.history.compose import compose
from runtime.history.covered import covered_cells
from runtime.history.gate import Origin
from runtime.history.history import History
from runtime.history.thin import kept
from runtime.values import Coverage, GeoPoint, ViewKind
from tests.runtime.cli.called import homing
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe

HERE = GeoPoint(60.45, 22.26)
NOTHING = np.zeros((0, 0, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine keyframes 11 m apart along a meridian, each of a picture of its own."""
    path = tmp_path_factory.mktemp("town") / "town.db"
    with History.create(path, SPACE, "bundle") as made:
        for number in range(9):
            made.add(keyframe(number), embeddings(number), Origin(f"picture {number}", 1.0, 0.1))
    return path


def contents(path: Path) -> list[tuple[object, ...]]:
    """All that a history says of each keyframe, but for its id."""
    with History.open(path) as history:
        gallery = history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0])
        rows = {int(one): vector.tobytes() for one, vector in zip(gallery.ids, gallery.vectors, strict=True)}
        prints = {one: fingerprint for fingerprint, one in history.fingerprints().items()}
        return [
            (replace(one, keyframe_id=0, crop=NOTHING), one.crop.tobytes(), rows[number], prints[number])
            for one in history.keyframes()
            for number in [one.keyframe_id]
        ]


def test_two_halves_put_together_are_the_whole(town: Path, tmp_path: Path) -> None:
    halves = [tmp_path / "first.db", tmp_path / "second.db"]
    for half, part in zip(halves, (slice(None, 4), slice(4, None)), strict=True):
        compose(half, [town], lambda history, part=part: np.array(history.ids()[part]))  # type: ignore[misc]
    done = compose(tmp_path / "whole.db", halves)
    assert (done.keyframes, done.repeated) == (9, 0)
    assert contents(tmp_path / "whole.db") == contents(town)
    assert json.loads(homing("history", "verify", tmp_path / "whole.db", "--json").stdout)["faults"] == []


def test_a_picture_that_two_hold_is_kept_once_and_the_sources_stay(town: Path, tmp_path: Path) -> None:
    before = town.read_bytes()
    told = json.loads(homing("history", "merge", tmp_path / "both.db", town, town, "--json").stdout)
    assert (told["keyframes"], told["repeated"]) == (9, 9)
    assert town.read_bytes() == before


def test_what_does_not_belong_together_is_refused_and_nothing_is_left(town: Path, tmp_path: Path) -> None:
    with History.create(tmp_path / "other.db", "another.space", "bundle"):
        pass
    refused = homing("history", "merge", tmp_path / "new.db", town, tmp_path / "other.db")
    assert refused.returncode == 1 and "homing history reembed" in refused.stderr
    with pytest.raises(HistoryError, match="exists already"):
        compose(tmp_path / "other.db", [town])
    with pytest.raises(HistoryError, match="does not exist"):
        compose(tmp_path / "new.db", [town, tmp_path / "gone.db"])
    assert {path.name.removesuffix("-wal").removesuffix("-shm") for path in tmp_path.iterdir()} == {"other.db"}


def test_kept_apart_the_newer_stays_and_all_ground_has_one(town: Path, tmp_path: Path) -> None:
    with History.open(town) as history:
        frames = {one.keyframe_id: one.ground for one in history.keyframes(crops=False)}
        assert list(kept(history, apart_m=10.0)) == history.ids()
        chosen = [int(one) for one in kept(history, apart_m=20.0)]
    assert max(frames) in chosen and len(chosen) == 5
    apart = [distance_m(frames[one], frames[other]) for one in chosen for other in chosen if one < other]
    assert min(apart) >= 20.0
    assert all(min(distance_m(ground, frames[one]) for one in chosen) < 20.0 for ground in frames.values())
    told = homing("history", "prune", town, "--apart-m", "20", "--out", tmp_path / "thin.db")
    assert told.returncode == 0 and f"{len(chosen)} of 9 keyframes" in told.stdout


def test_a_flight_is_left_out_by_its_name(town: Path, tmp_path: Path) -> None:
    with History.open(town) as history:
        assert len(kept(history, without={"flight one"})) == 0
    unknown = homing("history", "prune", town, "--without-flight", "other", "--out", tmp_path / "new.db")
    assert unknown.returncode == 2 and "holds no flight other" in unknown.stderr
    nothing = homing("history", "prune", town, "--out", tmp_path / "new.db")
    assert nothing.returncode == 2 and "say what to leave out" in nothing.stderr and not list(tmp_path.iterdir())


def test_cells_count_the_squares_over_them() -> None:
    centres = [HERE, offset(HERE, 0.0, 50.0), offset(HERE, 300.0, 0.0)]
    squares = Coverage(
        np.array([[one.latitude_deg, one.longitude_deg] for one in centres]), np.array([100.0, 100.0, 40.0])
    )
    cells = covered_cells(squares)
    assert cells.area_m2() == pytest.approx(100 * 150 + 40 * 40, rel=0.03)
    assert cells.area_m2(2) == pytest.approx(100 * 50, rel=0.05) and cells.area_m2(3) == 0.0
    north, east = cells.centres_m()
    far_north = cells.counts[north > 200.0].sum()
    assert far_north * cells.cell_m**2 == pytest.approx(1600, rel=0.1) and cells.counts[-1].max() >= 0
    assert distance_m(cells.south_west, offset(HERE, -50.0, -50.0)) < 1.0 and east.max() > 140.0


def test_the_ground_is_drawn_with_the_operators_polygon(town: Path, tmp_path: Path) -> None:
    with History.open(town) as history:
        middle = next(iter(history.keyframes(crops=False))).ground
    corners = [offset(middle, north, east) for north, east in ((0, 0), (0, 20), (20, 20), (20, 0))]
    polygon = [[one.latitude_deg, one.longitude_deg] for one in corners]
    (tmp_path / "homing.toml").write_text(
        '[camera]\nuri = "x"\nwidth_px = 320\nheight_px = 240\nhfov_deg = 70.0\n'
        '[vehicle]\nuri = "udpin:127.0.0.1:14550"\n'
        f'[history]\npath = "h.db"\n[commanding]\npolygon = {polygon}\n'
    )
    picture = tmp_path / "coverage.png"
    done = homing("history", "coverage", town, "--config", tmp_path / "homing.toml", "--out", picture, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["of_polygon"] == pytest.approx(1.0, abs=0.2) and told["area_1_m2"] > told["area_3_m2"] > 0
    image = cv2.imread(str(picture))
    assert image is not None and image.std() > 10
