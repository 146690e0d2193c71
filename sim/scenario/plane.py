"""ArduPlane's dialect: it takes off by a mode of its own, or, where it can hover, as a copter does in GUIDED."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.values import GeoPoint
from sim.scenario.copter import Copter
from sim.scenario.crew import arm, until
from sim.scenario.dialect import Script

if TYPE_CHECKING:
    from sim.scenario.station import GroundStation

_HIGH_ENOUGH_M = 3.0  # below the height asked for: take-off is done
_CHANGE_MODE = float(mavlink.MAV_DO_REPOSITION_FLAGS_CHANGE_MODE)


class Plane(Copter):
    """See `sim.scenario.dialect.Dialect`; by hand is FLY_BY_WIRE_A."""

    modes = {"ALT_HOLD": 5, "AUTO": 10, "RTL": 11, "LOITER": 12, "TAKEOFF": 13, "GUIDED": 15, "LAND": 20}

    def take_off(self, station: GroundStation, height_m: float) -> Script:
        """To the height that TKOFF_ALT has, circling at it."""
        station.set_mode("TAKEOFF")
        yield from until(lambda: station.is_in("TAKEOFF"))
        yield from arm(station)
        yield from until(lambda: station.relative_height_m > height_m - _HIGH_ENOUGH_M)

    def target(self, station: GroundStation, place: GeoPoint, height_m: float) -> Any:
        """As a ground station's "go there", relative to home."""
        degrees = round(place.latitude_deg * 1e7), round(place.longitude_deg * 1e7)
        return mavlink.MAVLink_command_int_message(
            1, 1, mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT, mavlink.MAV_CMD_DO_REPOSITION, 0, 0, -1.0, _CHANGE_MODE, 0.0,
            0.0, *degrees, height_m)  # fmt: skip


class QuadPlane(Plane):
    """The same with motors that lift it."""

    def take_off(self, station: GroundStation, height_m: float) -> Script:
        """Arm and climb in GUIDED, and then fly on as a plane."""
        yield from Copter.take_off(self, station, height_m)


PLANE = Plane()
QUADPLANE = QuadPlane()
