"""`homing mission` against the built-in autopilot on a socket: a file goes up, comes down again, and is cleared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.geodesy import offset
from runtime.mission.files import read_mission, write_mission
from runtime.mission.plan import plan_to
from runtime.values import GeoPoint
from runtime.vehicle.telemetry.state import GeoHeight
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.autopilot.server import AutopilotServer
from tests.runtime.cli.called import homing

HOME = GeoPoint(60.4, 22.1)


@pytest.fixture(scope="module")
def vehicle() -> Iterator[str]:
    server = AutopilotServer(Autopilot(AutopilotConfig(HOME, ready_at_boot=True)), ["tcpin:127.0.0.1:0"], speedup=4.0)
    try:
        server.start()
        yield f"tcp:127.0.0.1:{server.addresses[0][1]}"
    finally:
        server.close()


def test_a_mission_goes_up_comes_down_and_is_cleared(vehicle: str, tmp_path: Path) -> None:
    sent = plan_to(HOME, offset(HOME, 500.0, 100.0), 110.0, GeoHeight(HOME, 31.0)).mission
    write_mission(sent, tmp_path / "way.plan")
    up = homing("mission", "upload", tmp_path / "way.plan", "--link", vehicle, "--json")
    assert (up.returncode, up.stderr) == (0, "")
    assert json.loads(up.stdout) == {"schema": 1, "uploaded": 4, "stack": "ardupilot", "notes": []}
    down = homing("mission", "download", tmp_path / "read.waypoints", "--link", vehicle)
    assert down.returncode == 0 and "4 items written" in down.stdout
    read = read_mission(tmp_path / "read.waypoints")
    assert [item.command for item in read.items] == [item.command for item in sent.items]
    assert homing("mission", "clear", "--link", vehicle, "--json").stdout == '{"schema": 1, "cleared": true}\n'


@pytest.mark.parametrize(
    "words, status, sentence",
    [
        (("upload", "none.plan", "--link", "tcp:127.0.0.1:9"), 1, "cannot be read"),
        (("upload", "way.kml", "--link", "tcp:127.0.0.1:9"), 2, "name it so"),
        (("clear",), 2, "--link ADDRESS, or --config FILE"),
        (("clear", "--link", "tcp:127.0.0.1:9"), 1, "does not open"),
        (("clear", "--link", "nonsense"), 1, "is no vehicle link"),
        (("download", "a.plan", "--link", "udpin:127.0.0.1:0", "--within-s", "0.2"), 1, "no vehicle answers"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words: tuple[str, ...], status: int, sentence: str) -> None:
    said = homing("mission", *words)
    assert said.returncode == status and said.stdout == ""
    assert sentence in said.stderr and said.stderr.count("\n") == 1
