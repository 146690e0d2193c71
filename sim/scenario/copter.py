"""ArduCopter's dialect, which the built-in autopilot speaks too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.values import GeoPoint
from sim.scenario.crew import arm, until
from sim.scenario.dialect import Script

if TYPE_CHECKING:
    from sim.scenario.station import GroundStation

READY_FLAGS = 0x33F  # what the EKF reports once it may fly by position
_POSITION_ONLY = 3576  # type mask of a position target
_HIGH_ENOUGH = 0.98  # of the height asked for: take-off is done


class Copter:
    """See `sim.scenario.dialect.Dialect`."""

    modes = {"STABILIZE": 0, "ALT_HOLD": 2, "AUTO": 3, "GUIDED": 4, "LOITER": 5, "RTL": 6, "LAND": 9}
    idles = False
    home_item = True
    estimator_message = mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT

    def set_mode(self, name: str) -> tuple[float, ...]:
        """By number."""
        return float(mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED), float(self.modes[name])

    def has_position(self, message: Any) -> bool:
        """All flags of EKF_STATUS_REPORT that flying by position needs."""
        return bool(message.flags & READY_FLAGS == READY_FLAGS)

    def take_off(self, station: GroundStation, height_m: float) -> Script:
        """Arm and climb in GUIDED."""
        station.set_mode("GUIDED")
        yield from until(lambda: station.is_in("GUIDED"))
        yield from arm(station)
        station.command(mavlink.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, height_m)
        yield from until(lambda: station.relative_height_m > _HIGH_ENOUGH * height_m)

    def fly_mission(self, station: GroundStation) -> Script:
        """AUTO, and start: it goes by itself where it was in the air already."""
        station.set_mode("AUTO")
        station.command(mavlink.MAV_CMD_MISSION_START)
        yield from until(lambda: station.is_in("AUTO"))

    def target(self, station: GroundStation, place: GeoPoint, height_m: float) -> Any:
        """A position target, relative to home."""
        return mavlink.MAVLink_set_position_target_global_int_message(
            0, 1, 1, mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT, _POSITION_ONLY, round(place.latitude_deg * 1e7),
            round(place.longitude_deg * 1e7), height_m, 0, 0, 0, 0, 0, 0, 0, 0)  # fmt: skip

    def fly_to(self, station: GroundStation, place: GeoPoint, height_m: float) -> Script:
        """In GUIDED."""
        station.set_mode("GUIDED")
        yield from until(lambda: station.is_in("GUIDED"))
        station.go_to(place, height_m)

    def companions(self, custom_mode: int) -> bool:
        """GUIDED."""
        return custom_mode == self.modes["GUIDED"]


COPTER = Copter()
