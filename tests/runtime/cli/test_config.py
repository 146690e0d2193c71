"""`homing config`: what is in order, and what is in force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.config.config import Config, load_config
from runtime.config.file import tomllib
from tests.runtime.cli.called import homing

DEPLOY = Path(__file__).parents[3] / "deploy"
AREA = '{"type": "Polygon", "coordinates": [[[22.25, 60.45], [22.26, 60.45], [22.26, 60.46], [22.25, 60.46]]]}'
COMMANDING = """
[commanding]
enabled = true
polygon_file = "area.geojson"
floor_height_takeoff_m = 30.0
ceiling_height_takeoff_m = 110.0
max_distance_m = 900.0
battery_reserve_percent = 30.0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "area.geojson").write_text(AREA)
    text = (DEPLOY / "cameras/usb.toml").read_text()
    path = tmp_path / "homing.toml"
    path.write_text(text[: text.index("[commanding]")] + COMMANDING)
    return path


def test_check_says_what_it_lets_the_daemon_do(file: Path) -> None:
    done = homing("config", "check", "--config", str(file))
    assert done.returncode == 0 and "in order" in done.stdout and "within an area of 61.3 ha" in done.stdout
    assert json.loads(homing("config", "check", "--config", str(file), "--json").stdout)["commanding"] is True


def test_check_refuses_what_the_daemon_would_refuse(file: Path) -> None:
    file.write_text(file.read_text().replace("area.geojson", "gone.kml"))
    done = homing("config", "check", "--config", str(file))
    assert done.returncode == 1 and "gone.kml cannot be read" in done.stderr and "line " in done.stderr


def test_what_is_shown_can_be_read_again_and_is_the_same(file: Path) -> None:
    for words in ((), ("--effective",)):
        shown = homing("config", "show", "--config", str(file), *words).stdout
        assert Config.model_validate(tomllib.loads(shown)) == load_config(file)
    assert "guidance" not in tomllib.loads(homing("config", "show", "--config", str(file)).stdout)
    assert "lead_s = 4.0   # default" in shown and "# threads is not set" in shown and "polygon = [[" in shown
    told = json.loads(homing("config", "show", "--config", str(file), "--effective", "--json").stdout)
    assert told["guidance"]["lead_s"] == 4.0
