"""`homing target`: what the daemon is asked, on a real socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.control.control import ControlServer
from tests.runtime.cli.called import homing

Request = dict[str, Any]


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[list[Request]]:
    requests: list[Request] = []

    def answer(request: Request, reply: Callable[[Request], None]) -> None:
        requests.append(request)
        reply({"target_id": "1", "target": "it", "confirmable": True, "place": None, "candidates": [], "schema": 1})

    server = ControlServer(tmp_path / "homing.sock", answer)
    yield requests
    server.close()


def test_a_drawing_with_one_point_is_a_position(tmp_path: Path, heard: list[Request]) -> None:
    (tmp_path / "well.geojson").write_text(json.dumps({"type": "Point", "coordinates": [22.2604, 60.4502]}))
    done = homing("target", tmp_path / "well.geojson", "--socket", tmp_path / "homing.sock", "--json")
    assert done.returncode == 0, done.stderr
    assert heard == [{"command": "target", "latitude_deg": 60.4502, "longitude_deg": 22.2604}]


def test_one_that_cannot_be_a_target_asks_the_daemon_nothing(tmp_path: Path, heard: list[Request]) -> None:
    (tmp_path / "area.kml").write_text("<kml/>")
    done = homing("target", tmp_path / "area.kml", "--socket", tmp_path / "homing.sock")
    assert done.returncode == 1 and "area.kml holds no point" in done.stderr
    done = homing("target", "60.1,22.1", "--target-gsd", "0.3", "--socket", tmp_path / "homing.sock")
    assert done.returncode != 0 and "a position has no scale" in done.stderr
    assert heard == []


# Where the aircraft is


def test_the_operator_says_where_the_aircraft_is(tmp_path: Path) -> None:
    """A southern latitude begins with a minus sign; a file with one point is a position here too."""
    asked: list[Request] = []

    def answer(request: Request, reply: Callable[[Request], None]) -> None:
        asked.append(request)
        near = {key: request[key] for key in ("latitude_deg", "longitude_deg")}
        reply({"near": near, "radius_m": request["radius_m"], "schema": 1})

    (tmp_path / "pad.geojson").write_text(json.dumps({"type": "Point", "coordinates": [149.1, -35.3]}))
    socket = ("--socket", tmp_path / "homing.sock")
    server = ControlServer(tmp_path / "homing.sock", answer)
    try:
        told = homing("relocalise", "-35.36,149.16", "--radius", "150", *socket)
        drawn = homing("relocalise", tmp_path / "pad.geojson", "--json", *socket)
        image = homing("relocalise", tmp_path / "pad.png", *socket)
    finally:
        server.close()
    assert told.returncode == 0 and "within 150 m of -35.3600000,149.1600000" in told.stdout + told.stderr
    assert json.loads(drawn.stdout)["radius_m"] == 200.0
    assert image.returncode == 2 and "pad.png is no position; give LAT,LON" in image.stderr
    assert asked == [
        {"command": "relocalise", "latitude_deg": -35.36, "longitude_deg": 149.16, "radius_m": 150.0},
        {"command": "relocalise", "latitude_deg": -35.3, "longitude_deg": 149.1, "radius_m": 200.0},
    ]
