"""The way from where the vehicle is to the confirmed target, as a file for a ground station."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runtime.errors import VehicleError
from runtime.mission.files import write_mission
from runtime.mission.plan import plan_to
from runtime.values import GeoPoint
from runtime.vehicle.telemetry.state import GeoHeight


def write_way(status: dict[str, Any], path: Path) -> None:
    """Write the way that a daemon's ``status`` tells, at the vehicle's present AMSL height.

    Raises:
        VehicleError: the vehicle's position, height or home is not known yet.
        StorageError: the file cannot be written.
    """
    vehicle, start, target = status["vehicle"], status["estimate"]["position"], status["target"]
    known = {"position": start, "height": vehicle["altitude_amsl_m"], "home": vehicle["home"], "target": target}
    missing = [name for name, value in known.items() if value is None]
    if missing:
        raise VehicleError(f"{path} is not written: the vehicle's {' and '.join(missing)} is not known yet; try again.")
    home = GeoHeight(_point(vehicle["home"]), vehicle["home"]["altitude_amsl_m"])
    stack = vehicle["stack"] or "ardupilot"
    write_mission(plan_to(_point(start), _point(target), vehicle["altitude_amsl_m"], home, stack).mission, path)


def _point(place: dict[str, Any]) -> GeoPoint:
    return GeoPoint(place["latitude_deg"], place["longitude_deg"])
