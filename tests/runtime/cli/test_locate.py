"""`homing locate` on real files with the shipped bundle: the exact lines, the exit status, what mistakes say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from runtime.bundle import Bundle
from runtime.cli.main import app
from runtime.embedder.embedder import Embedder
from runtime.errors import EmbeddingSpaceError, HistoryError, HomingError, UsageError
from runtime.geodesy import distance_m, offset
from runtime.history.history import History, StoredEmbedding
from runtime.values import Attitude, GeoPoint, Keyframe, Measured, Pose, Position, PositionSource, ViewKind
from tests.runtime.place.fakes import ORIGIN, Land, grid

KEYS = ["schema", "target", "decision", "probability", "place", "candidates", "reason"]
CANDIDATE_KEYS = ["keyframe", "latitude_deg", "longitude_deg", "similarity", "probability"]


@pytest.fixture(scope="module")
def land() -> Land:
    return Land(500, seed=9)


def _recorded(path: Path, land: Land, view: ViewKind) -> Path:
    """A history of 25 keyframes at two rungs, embedded by the shipped network."""
    bundle = Bundle.load()
    embedder, size, rungs = Embedder(bundle, threads=1), bundle.input_size_px, (56.0, 80.0)
    with History.create(path, bundle.embedding_space_id, bundle.name) as history:
        for north, east in grid(60.0, 30.0):
            crops = np.stack([land.cut(north, east, rung, rung / size)[:size, :size] for rung in rungs])
            made = embedder.embed(view, crops)
            assert made.maps is not None
            ground = offset(ORIGIN, north, east)
            at = Position.circular(ground, 1.0, PositionSource.AUTOPILOT)
            pose = Pose(0, height_agl_m=Measured(100, 1, "test"), attitude=Attitude.level(Measured(0.0, 0.1, "test")))
            stored = [StoredEmbedding(r, 0.0, v, m) for r, v, m in zip(rungs, made.vectors, made.maps, strict=True)]
            history.add(Keyframe(0, "survey", view, "", pose, at, ground, 2.0, 80.0, crops[1]), stored)
    return path


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory, land: Land) -> Path:
    """What a drone saw."""
    return _recorded(tmp_path_factory.mktemp("locate") / "flight.homing", land, ViewKind.DRONE)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory, land: Land) -> Path:
    """The same ground from a map."""
    return _recorded(tmp_path_factory.mktemp("locate") / "tiles.homing", land, ViewKind.SATELLITE)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, land: Land) -> dict[str, Path]:
    """A target, a place elsewhere, a letter."""
    folder = tmp_path_factory.mktemp("targets")
    images = {"target": land.cut(13.0, -21.0, 90.0, 0.3), "elsewhere": Land(500, seed=77).cut(0.0, 0.0, 90.0, 0.3)}
    paths = {name: folder / f"{name}.png" for name in images} | {"letter": folder / "letter.png"}
    for name, image in images.items():
        cv2.imwrite(str(paths[name]), image[..., ::-1])
    paths["letter"].write_text("Dear Sir")
    return paths


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["locate", *map(str, arguments)])


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_place_is_found_among_map_tiles_and_another_place_is_not(tiles: Path, pictures: dict[str, Path]) -> None:
    asked = (pictures["target"], pictures["elsewhere"])
    result = run("--history", tiles, "--target-gsd", "0.3", "--json", *asked)
    assert result.exit_code == 3
    found, elsewhere = lines(result)
    assert found["decision"] == "match" and elsewhere["decision"] == "no_match"
    at = GeoPoint(found["place"]["latitude_deg"], found["place"]["longitude_deg"])
    assert distance_m(at, offset(ORIGIN, 13.0, -21.0)) < 10.0


def test_a_match_is_one_line_with_exactly_these_keys(flight: Path, pictures: dict[str, Path]) -> None:
    result = run("--history", flight, "--target-gsd", "0.3", "--json", "--top", "3", pictures["target"])
    assert result.exit_code == 0, result.output
    (line,) = lines(result)
    assert list(line) == KEYS
    assert (line["schema"], line["target"], line["decision"]) == (1, str(pictures["target"]), "match")
    assert list(line["place"]) == ["latitude_deg", "longitude_deg", "sigma_m"]
    place = GeoPoint(line["place"]["latitude_deg"], line["place"]["longitude_deg"])
    assert distance_m(place, offset(ORIGIN, 13.0, -21.0)) < 4.0
    assert 0.5 <= line["probability"] <= 1.0 and 0.1 < line["place"]["sigma_m"] < 10.0
    assert 1 <= len(line["candidates"]) <= 3
    assert all(list(one) == CANDIDATE_KEYS for one in line["candidates"])


def test_an_honest_no_exits_with_3(flight: Path, pictures: dict[str, Path]) -> None:
    result = run("--history", flight, "--target-gsd", "0.3", "--json", pictures["elsewhere"], pictures["target"])
    assert result.exit_code == 3
    elsewhere, target = lines(result)
    assert (elsewhere["decision"], target["decision"]) == ("no_match", "match")
    assert elsewhere["place"] is None and elsewhere["candidates"] and elsewhere["reason"]


def test_a_target_that_is_no_image_leaves_the_others_alone(flight: Path, pictures: dict[str, Path]) -> None:
    result = run("--history", flight, "--target-gsd", "0.3", "--json", pictures["letter"], pictures["target"])
    assert result.exit_code == 1
    letter, target = lines(result)
    assert list(letter) == KEYS
    assert (letter["decision"], letter["place"], letter["candidates"]) == ("error", None, [])
    assert "not an image" in letter["reason"] and letter["reason"] in result.stderr
    assert target["decision"] == "match"


def test_a_map_that_nobody_can_place_leaves_the_others_alone(tiles: Path, land: Land, tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    from tests.runtime.sources.raster.writing import colours, write

    local = write(tmp_path / "local.tif", colours(64), crs=rasterio.crs.CRS.from_wkt('LOCAL_CS["x",UNIT["metre",1]]'))
    good = write(tmp_path / "good.tif", np.moveaxis(land.cut(13.0, -21.0, 90.0, 0.3), 2, 0), gsd_m=0.3)
    for order in ((local, good), (good, local)):
        result = run(*order, "--history", tiles, "--json")
        assert result.exit_code == 1 and not isinstance(result.exception, HomingError)
        answers = {Path(answer["target"]).name: answer for answer in lines(result)}
        assert answers["local.tif"]["decision"] == "error"
        assert "cannot be placed on the Earth" in answers["local.tif"]["reason"]
        assert answers["good.tif"]["decision"] in ("match", "no_match")


def test_for_people_it_is_plain_text(flight: Path, pictures: dict[str, Path]) -> None:
    result = run("--history", flight, "--target-gsd", "0.3", pictures["target"], pictures["elsewhere"])
    assert f"{pictures['target']}: match at 60.4" in result.stdout
    assert f"{pictures['elsewhere']}: no match: " in result.stdout
    assert "{" not in result.stdout


def test_the_report_shows_target_and_candidates(flight: Path, pictures: dict[str, Path], tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    result = run("--history", flight, "--target-gsd", "0.3", "--json", "--report", page, *pictures.values())
    assert len(lines(result)) == 3
    assert "target.png" in page.read_text() and page.stat().st_size > 10_000


def test_mistakes_are_one_sentence(flight: Path, pictures: dict[str, Path], tmp_path: Path) -> None:
    target = pictures["target"]
    bad_scale = run("--history", flight, "--target-gsd", "-1", target)
    assert isinstance(bad_scale.exception, UsageError) and "--target-gsd" in str(bad_scale.exception)
    missing = run("--history", tmp_path / "none", target)
    assert isinstance(missing.exception, HistoryError)
    foreign = tmp_path / "foreign.homing"
    History.create(foreign, "another space", "other").close()
    refused = run("--history", foreign, target)
    assert isinstance(refused.exception, EmbeddingSpaceError)
    assert f"homing history reembed {foreign}" in str(refused.exception)
    assert run("--history", flight).exit_code == 2
