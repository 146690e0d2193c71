"""Missions in files: what is written is read back the same, and what is none is one sentence that names the item."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink import mavwp

from runtime.errors import MissionError, UsageError
from runtime.mavlink.dialect import mavlink
from runtime.mission.files import read_mission, write_mission
from runtime.mission.items import Mission, MissionItem
from runtime.values import GeoPoint
from runtime.vehicle.telemetry.state import GeoHeight

HOME = GeoHeight(GeoPoint(60.3995, 22.0995), 31.5)
NAN = math.nan


def item(command: int = 16, frame: int = 3, at: tuple[float, float] = (60.4, 22.1), four: float = 0.0) -> MissionItem:
    return MissionItem(command, frame, (0.0, 1.5, 0.0, four), *at, 40.0)


def plan(*items: Any) -> str:
    mission = {"version": 2, "firmwareType": 12, "plannedHomePosition": [60.0, 22.0, 30], "items": list(items)}
    return json.dumps({"fileType": "Plan", "version": 1, "mission": mission})


def simple(**changed: Any) -> dict[str, Any]:
    params = [0, 0, 0, None, 60.4, 22.1, 40]
    return {"type": "SimpleItem", "command": 16, "frame": 3, "params": params, **changed}


@pytest.mark.parametrize("suffix", [".plan", ".waypoints"])
def test_a_mission_is_read_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    rtl = MissionItem(20, 2, (0.0, 0.0, 0.0, 0.0), 0.0, 0.0, 0.0)
    mission = Mission((item(22), item(16, 0), item(19, 10, (-33.5, 151.25)), rtl), HOME)
    path = tmp_path / f"m{suffix}"
    write_mission(mission, path)
    assert read_mission(path) == mission
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_what_is_as_the_autopilot_likes_stays_so_in_a_plan(tmp_path: Path) -> None:
    write_mission(Mission((item(four=NAN),), None, "px4"), tmp_path / "m.plan")
    read = read_mission(tmp_path / "m.plan")
    assert math.isnan(read.items[0].parameters[3]) and read.stack == "px4" and read.home is None


def _float(least: float, most: float) -> st.SearchStrategy[float]:
    # Whoever has used ONNX Runtime in this process has no subnormal numbers any more.
    return st.floats(least, most, allow_subnormal=False)


@settings(max_examples=25, deadline=None)
@given(
    _float(-90, 90), _float(-180, 180), _float(-500, 9000), st.sampled_from([16, 19, 82]),
    st.sampled_from([0, 3, 10]),
)  # fmt: skip
def test_every_place_comes_back(
    tmp_path_factory: pytest.TempPathFactory, latitude: float, longitude: float, height: float, what: int, frame: int
) -> None:
    folder = tmp_path_factory.mktemp("m")
    sent = Mission((MissionItem(what, frame, (0.0, 0.0, 0.0, 0.0), latitude, longitude, height),), HOME)
    for suffix in (".plan", ".waypoints"):
        write_mission(sent, folder / f"m{suffix}")
        (read,) = read_mission(folder / f"m{suffix}").items
        assert (read.command, read.frame) == (what, frame)
        assert (read.latitude_deg, read.longitude_deg) == pytest.approx((latitude, longitude), abs=1e-8)
        assert read.height_m == pytest.approx(height, abs=1e-6)


def test_what_pymavlink_writes_is_read(tmp_path: Path) -> None:
    loader = mavwp.MAVWPLoader(target_system=1, target_component=1)
    for number, (command, height) in enumerate([(16, 31.5), (22, 20.0), (16, 40.0), (20, 0.0)]):
        loader.add(mavlink.MAVLink_mission_item_message(1, 1, number, 3, command, 0, 1, 5, 0, 0, 0, 60.5, 22.5, height))
    loader.save(str(tmp_path / "theirs.waypoints"))
    mission = read_mission(tmp_path / "theirs.waypoints")
    read = [(one.command, one.height_m, one.parameters[0]) for one in mission.items]
    assert read == [(22, 20, 5), (16, 40, 5), (20, 0, 5)]
    assert mission.home is not None and mission.home.position == GeoPoint(60.5, 22.5)


def test_the_items_of_a_survey_are_read(tmp_path: Path) -> None:
    survey = {"type": "ComplexItem", "complexItemType": "survey", "TransectStyleComplexItem": {"Items": [simple()] * 2}}
    (tmp_path / "s.plan").write_text("\ufeff" + plan(simple(command=22), survey))
    mission = read_mission(tmp_path / "s.plan")
    assert [one.command for one in mission.items] == [22, 16, 16] and mission.stack == "px4"


@pytest.mark.parametrize(
    "name, text, sentence",
    [
        ("a.plan", "{", "is no .plan of QGroundControl"),
        ("a.plan", "[]", "is no .plan of QGroundControl"),
        ("a.plan", plan({"type": "SimpleItem"}), "is no .plan of QGroundControl"),
        ("a.plan", plan(simple(params=[0, 0])), "is no .plan of QGroundControl"),
        ("a.plan", "[" * 100_000, "is no .plan of QGroundControl"),
        ("a.plan", plan(), "holds no item to fly"),
        ("a.plan", plan({"type": "ComplexItem", "complexItemType": "fwLandingPattern"}), "a fwLandingPattern holds no"),
        ("a.plan", plan(simple(), simple(params=[0, 0, 0, 0, 91, 22, 40])), r"item 2 \(NAV_WAYPOINT\): it lies at 91"),
        ("a.plan", plan(simple(command=70_000)), "its command or frame is none"),
        ("a.plan", plan(simple()).replace("40", "1e999"), "its height or a parameter is no number"),
        ("a.waypoints", "", "its first line is not QGC WPL 110"),
        ("a.waypoints", "QGC WPL 110\n", "holds no item to fly"),
        ("a.waypoints", "QGC WPL 110\n0 1 0 16 0 0 0 0 60 22 30 1\n1 0 3 16 0 0 0\n", "line 3 is no item"),
        ("a.waypoints", "QGC WPL 110\n0 1 0 16 0 0 0 0 60 22 30 1\n1 0 3 16 0 0 0 0 sixty 22 30 1\n", "line 3 is no"),
        ("a.waypoints", "QGC WPL 110\n0 1 0 16 0 0 0 0 60 22 30 1\n1 0 3 16 0 0 0 0 nan 22 30 1\n", "it lies at nan"),
    ],
)
def test_what_is_no_mission_is_one_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(MissionError, match=sentence) as error:
        read_mission(tmp_path / name)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_other_names_and_missing_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name it so"):
        read_mission(tmp_path / "a.kml")
    with pytest.raises(MissionError, match="cannot be read: No such file"):
        read_mission(tmp_path / "a.plan")
    (tmp_path / "b.plan").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MissionError, match="is no text"):
        read_mission(tmp_path / "b.plan")
