"""`homing history`: what it says, what it exports, and a history moved to another bundle."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from xml.etree import ElementTree

import gpxpy
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from runtime.bundle import Bundle
from runtime.cli.main import app
from runtime.embedder.embedder import Embedder
from runtime.errors import HistoryError, StorageError, UsageError
from runtime.history.history import History
from runtime.values import Keyframe, ViewKind
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe


@pytest.fixture
def flight(tmp_path: Path) -> Path:
    path = tmp_path / "flight.homing"
    with History.create(path, SPACE, "old bundle") as history:
        for number in range(1, 6):
            history.add(keyframe(number), embeddings(number))
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["history", *map(str, arguments)])


def test_info_counts_what_is_there(flight: Path) -> None:
    result = run("info", flight, "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert (record["schema"], record["keyframes"], record["flights"]) == (1, 5, ["flight one"])
    assert record["views"] == {"drone": 5} and record["footprints_m"] == {"drone": list(FOOTPRINTS_M)}
    assert (record["embedding_space_id"], record["bundle"]) == (SPACE, "old bundle")
    assert "5 keyframes (5 drone) of 1 flight." in run("info", flight).stdout


def test_list_has_a_line_for_each_keyframe(flight: Path) -> None:
    records = [json.loads(line) for line in run("list", flight, "--json").stdout.splitlines()]
    assert [record["keyframe"] for record in records] == [1, 2, 3, 4, 5]
    third = keyframe(3)
    assert records[2]["ground_latitude_deg"] == third.ground.latitude_deg
    assert records[2]["height_agl_m"] == 99.5 and records[2]["heading_deg"] == pytest.approx(np.degrees(1.25))
    assert len(run("list", flight).stdout.splitlines()) == 5


def test_geojson_holds_points_and_the_track(flight: Path) -> None:
    features = json.loads(run("export", flight).stdout)["features"]
    points = [one for one in features if one["geometry"]["type"] == "Point"]
    (line,) = [one for one in features if one["geometry"]["type"] == "LineString"]
    assert len(points) == len(line["geometry"]["coordinates"]) == 5
    first: Keyframe = keyframe(1)
    assert points[0]["geometry"]["coordinates"] == [first.ground.longitude_deg, first.ground.latitude_deg]


def test_gpx_is_read_back_by_its_library(flight: Path, tmp_path: Path) -> None:
    out = tmp_path / "track.gpx"
    assert run("export", flight, "--out", out).exit_code == 0
    document = gpxpy.parse(out.read_text())
    assert len(document.waypoints) == 5
    points = document.tracks[0].segments[0].points
    position = keyframe(2).track_point
    assert position is not None
    assert (points[1].latitude, points[1].longitude) == (position.latitude_deg, position.longitude_deg)
    assert points[1].elevation == 137.25 and points[1].time is not None and points[1].time.year == 2025


def test_kml_names_the_flight(flight: Path, tmp_path: Path) -> None:
    text = run("export", flight, "--format", "kml").stdout
    assert "<kml" in text and "flight one" in text and text.count("<Point") == 5


def test_reembed_moves_a_history_to_the_shipped_bundle(flight: Path) -> None:
    """What it stores is what the network says of the crop's middle."""
    bundle = Bundle.load()
    result = run("reembed", flight, "--json")
    assert result.exit_code == 0, result.output
    rungs = [rung for rung in bundle.footprints_m if rung <= 112.0 / 0.97]
    assert json.loads(result.stdout)["embeddings"] == 5 * len(rungs)
    with History.open(flight, embedding_space_id=bundle.embedding_space_id) as history:
        assert list(history.footprints(ViewKind.DRONE)) == rungs
        whole = history.keyframe(3)
        gallery = history.gallery(ViewKind.DRONE, 112.0)
        size = bundle.input_size_px
        enlarged = np.kron(whole.crop, np.ones((size // 64, size // 64, 1), np.uint8))
        direct = Embedder(bundle, threads=1).embed(ViewKind.DRONE, enlarged[None]).vectors[0]
        assert float(gallery.vectors[2].astype(np.float32) @ direct) > 0.8  # interpolation differs
        others = [float(gallery.vectors[row].astype(np.float32) @ direct) for row in (0, 1, 3, 4)]
        assert float(gallery.vectors[2].astype(np.float32) @ direct) > max(others)


def test_mistakes_are_one_sentence(flight: Path, tmp_path: Path) -> None:
    assert isinstance(run("info", tmp_path / "none").exception, HistoryError)
    error = run("export", flight, "--out", tmp_path / "no" / "folder.kml").exception
    assert isinstance(error, StorageError) and "folder.kml" in str(error)
    error = run("info", tmp_path).exception
    assert isinstance(error, HistoryError) and str(error) == f"history {tmp_path} is a folder; give the name of a file."


@pytest.mark.parametrize("link", [False, True])
def test_an_export_never_overwrites_the_history_itself(flight: Path, tmp_path: Path, link: bool) -> None:
    before = flight.read_bytes()
    out = flight
    if link:
        out = tmp_path / "link.gpx"
        out.symlink_to(flight)
    error = run("export", flight, "--out", out).exception
    assert isinstance(error, UsageError) and "is the history itself" in str(error)
    assert flight.read_bytes() == before


def test_names_of_any_characters_are_listed_on_a_line_and_exported(flight: Path, tmp_path: Path) -> None:
    odd = "a\x01<b>&\n\x1b[2J\ufffe"
    with sqlite3.connect(flight) as connection:
        connection.execute("UPDATE keyframe SET name = ?, flight = ? WHERE id = 2", (odd, odd))
    connection.close()
    assert len(run("list", flight).stdout.splitlines()) == 5 and "\x1b" not in run("list", flight).stdout
    for kind in ("kml", "gpx"):
        exported = run("export", flight, "--format", kind, "--out", tmp_path / "out")
        assert exported.exit_code == 0, exported.exception
        text = (tmp_path / "out").read_bytes().decode()
        names = [found.text or "" for found in ElementTree.fromstring(text).iter() if found.tag.endswith("}name")]
        assert sum(name.startswith("a\N{REPLACEMENT CHARACTER}<b>&") for name in names) == 2


def test_every_command_does_without_the_rows_that_are_broken(flight: Path, tmp_path: Path) -> None:
    """Rows with NULL for a position, as NaN was once kept, ended in a TypeError."""
    with sqlite3.connect(flight) as connection:
        connection.execute("UPDATE keyframe SET ground_latitude_deg = NULL, ground_longitude_deg = NULL WHERE id < 3")
        connection.execute("UPDATE keyframe SET crop = x'ffd8' WHERE id = 3")
    connection.close()
    assert json.loads(run("info", flight, "--json").stdout)["keyframes"] == 3
    assert [json.loads(line)["keyframe"] for line in run("list", flight, "--json").stdout.splitlines()] == [3, 4, 5]
    assert "nan" not in run("list", flight).stdout.lower()
    for kind in ("geojson", "kml", "gpx"):
        exported = run("export", flight, "--format", kind)
        assert exported.exit_code == 0 and not {"null", "None", "nan"} & set(re.split(r"\W", exported.stdout))
    moved = run("reembed", flight, "--json")
    assert moved.exit_code == 0, moved.output
    assert json.loads(moved.stdout)["keyframes"] == 3
    picture = tmp_path / "query.png"
    Image.fromarray(keyframe(4).crop).resize((256, 256)).save(picture)
    for command in ("fix", "locate"):
        asked = CliRunner().invoke(app, [command, "--history", str(flight), str(picture), "--json"])
        assert asked.exit_code in (0, 3), (asked.output, asked.exception)
    assert run("verify", flight, "--repair").exit_code == 0
    assert json.loads(run("info", flight, "--json").stdout)["keyframes"] == 2
