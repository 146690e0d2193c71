"""The way to the target, read back by the programs that fly it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pymavlink.mavwp import MAVWPLoader

from runtime.cli.way import write_way
from runtime.errors import UsageError, VehicleError
from runtime.mission.files import check_suffix


def status(**changes: Any) -> dict[str, Any]:
    home = {"latitude_deg": 60.4, "longitude_deg": 22.4, "altitude_amsl_m": 37.0}
    vehicle = {"stack": "ardupilot", "altitude_amsl_m": 137.0, "home": home, **changes}
    position = {"latitude_deg": 60.401, "longitude_deg": 22.4}
    return {
        "vehicle": vehicle,
        "estimate": {"position": position},
        "target": {"latitude_deg": 60.405, "longitude_deg": 22.41},
    }


def test_waypoints_end_over_the_target_at_the_present_height(tmp_path: Path) -> None:
    write_way(status(), tmp_path / "way.waypoints")
    loader = MAVWPLoader()
    assert loader.load(str(tmp_path / "way.waypoints")) >= 3
    last = loader.wp(loader.count() - 1)
    assert (last.x, last.y, last.z) == pytest.approx((60.405, 22.41, 137.0))


def test_a_plan_carries_home_and_target(tmp_path: Path) -> None:
    write_way(status(), tmp_path / "way.plan")
    mission = json.loads((tmp_path / "way.plan").read_text())["mission"]
    assert mission["plannedHomePosition"] == [60.4, 22.4, 37.0]
    assert mission["items"][-1]["params"][4:] == [60.405, 22.41, 137.0]


def test_what_is_not_known_and_what_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(VehicleError, match="home is not known"):
        write_way(status(home=None), tmp_path / "way.plan")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="way.kml"):
        check_suffix(Path("way.kml"))
