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
