"""Plans: what is written is what pymavlink and QGroundControl's format read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pymavlink import mavwp

from runtime.errors import StorageError
from runtime.geodesy import distance_m, offset
from runtime.mavlink.dialect import mavlink
from runtime.mission.files import write_mission
from runtime.mission.plan import plan_to
from runtime.values import GeoPoint
from runtime.vehicle.telemetry.state import GeoHeight

START = GeoPoint(60.4, 22.1)
HOME = GeoHeight(GeoPoint(60.3995, 22.0995), 31.5)
TARGET = offset(START, 430.0, -310.0)
TAKES_AUTHORITY = {
    mavlink.MAV_CMD_NAV_TAKEOFF, mavlink.MAV_CMD_NAV_LAND, mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH,
    mavlink.MAV_CMD_DO_SET_MODE, mavlink.MAV_CMD_COMPONENT_ARM_DISARM,
}  # fmt: skip


def test_the_way_is_straight_and_ends_over_the_target() -> None:
    plan = plan_to(START, TARGET, 110.0, HOME)
    assert plan.waypoints[-1] == TARGET and len(plan.waypoints) == 3
    legs = [distance_m(a, b) for a, b in zip((START, *plan.waypoints), plan.waypoints, strict=False)]
    assert max(legs) <= 200.0 and sum(legs) == pytest.approx(distance_m(START, TARGET), abs=0.01)
    assert [item.command for item in plan.mission.items] == [16, 16, 16, mavlink.MAV_CMD_NAV_LOITER_UNLIM]


def test_a_target_right_below_is_one_waypoint() -> None:
    assert plan_to(START, START, 110.0, HOME).waypoints == (START,)


def test_the_waypoints_file_reads_back_through_pymavlink(tmp_path: Path) -> None:
    path, plan = tmp_path / "to.waypoints", plan_to(START, TARGET, 110.0, HOME)
    write_mission(plan.mission, path)
    loader = mavwp.MAVWPLoader()
    assert loader.load(str(path)) == 5
    home, *items = [loader.wp(i) for i in range(5)]
    assert (home.x, home.y, home.z, home.current) == (
        pytest.approx(60.3995), pytest.approx(22.0995), pytest.approx(31.5), 1,
    )  # fmt: skip
    for item, ours in zip(items, plan.mission.items, strict=True):
        assert (item.frame, item.command, item.autocontinue) == (mavlink.MAV_FRAME_GLOBAL, ours.command, 1)
        point = GeoPoint(ours.latitude_deg, ours.longitude_deg)
        assert distance_m(GeoPoint(item.x, item.y), point) < 0.01
        assert item.z == pytest.approx(110.0)


def test_the_plan_file_is_what_qgroundcontrol_reads(tmp_path: Path) -> None:
    """Keys and types as its file format says (docs.qgroundcontrol.com, "Plan File Format")."""
    path, plan = tmp_path / "to.plan", plan_to(START, TARGET, 110.0, HOME)
    write_mission(plan.mission, path)
    document = json.loads(path.read_text())
    assert (document["fileType"], document["version"], document["groundStation"]) == ("Plan", 1, "QGroundControl")
    assert document["geoFence"] == {"version": 2, "circles": [], "polygons": []}
    assert document["rallyPoints"] == {"version": 2, "points": []}
    mission = document["mission"]
    assert {k: mission[k] for k in ("version", "firmwareType", "vehicleType")} == {
        "version": 2, "firmwareType": 3, "vehicleType": 2,
    }  # fmt: skip
    assert mission["plannedHomePosition"] == [60.3995, 22.0995, 31.5]
    assert [item["doJumpId"] for item in mission["items"]] == [1, 2, 3, 4]
    for item, ours in zip(mission["items"], plan.mission.items, strict=True):
        assert item["type"] == "SimpleItem" and item["autoContinue"] is True and item["frame"] == 0
        assert (item["command"], item["Altitude"], item["AltitudeMode"]) == (ours.command, 110.0, 2)
        assert item["params"] == [0, 0, 0, None, ours.latitude_deg, ours.longitude_deg, 110.0]


def test_px4_is_named_in_its_plan(tmp_path: Path) -> None:
    write_mission(plan_to(START, TARGET, 110.0, HOME, stack="px4").mission, tmp_path / "p.plan")
    assert json.loads((tmp_path / "p.plan").read_text())["mission"]["firmwareType"] == 12


def test_a_plan_takes_no_authority() -> None:
    assert not {item.command for item in plan_to(START, TARGET, 110.0, HOME).mission.items} & TAKES_AUTHORITY


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="none/to.plan cannot be written: No such file"):
        write_mission(plan_to(START, TARGET, 110.0, HOME).mission, tmp_path / "none" / "to.plan")
