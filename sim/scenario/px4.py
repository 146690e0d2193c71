"""PX4's dialect: altitudes above the sea, OFFBOARD for the companion, Hold for a place that the pilot gives.

Where the companion guides in Hold, the pilot waits in Position, which is flown by hand: from another mode a change to
Hold would be nobody's word.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.values import GeoPoint
from sim.scenario.crew import arm, until
from sim.scenario.dialect import Script

if TYPE_CHECKING:
    from sim.scenario.station import GroundStation

_MAIN = {"ALTCTL": 2, "POSCTL": 3, "AUTO": 4, "OFFBOARD": 6}  # PX4_CUSTOM_MAIN_MODE
_LOITER, _MISSION, _RTL, _LAND = 3, 4, 5, 6  # PX4_CUSTOM_SUB_MODE_AUTO
_HAS_POSITION = mavlink.ESTIMATOR_ATTITUDE | mavlink.ESTIMATOR_VELOCITY_HORIZ | mavlink.ESTIMATOR_POS_HORIZ_ABS
_HIGH_ENOUGH_M = 1.5  # below the height asked for: take-off is done
_ASK_AGAIN_NS = 2_000_000_000
_CHANGE_MODE = float(mavlink.MAV_DO_REPOSITION_FLAGS_CHANGE_MODE)


def _custom(main: str, sub: int = 0) -> int:
    return _MAIN[main] << 16 | sub << 24


_HOLD = _custom("AUTO", _LOITER)


class Px4Dialect:
    """See `sim.scenario.dialect.Dialect`."""

    modes = {
        "GUIDED": _custom("OFFBOARD"),
        "LOITER": _HOLD,
        "ALT_HOLD": _custom("ALTCTL"),
        "AUTO": _custom("AUTO", _MISSION),
        "RTL": _custom("AUTO", _RTL),
        "LAND": _custom("AUTO", _LAND),
    }
    idles = True
    home_item = False
    estimator_message = mavlink.MAVLINK_MSG_ID_ESTIMATOR_STATUS

    def set_mode(self, name: str) -> tuple[float, ...]:
        """Main and sub mode, each a parameter of its own."""
        number = self.modes[name]
        return float(mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED), float(number >> 16 & 0xFF), float(number >> 24)

    def has_position(self, message: Any) -> bool:
        """All flags of ESTIMATOR_STATUS that flying by position needs."""
        return bool(message.flags & _HAS_POSITION == _HAS_POSITION)

    def take_off(self, station: GroundStation, height_m: float) -> Script:
        """The take-off is commanded on the ground, and begins with arming; PX4 holds when it is there."""
        yield from until(lambda: station.ground_amsl_m is not None)
        assert station.ground_amsl_m is not None
        nowhere = math.nan
        altitude_m = station.ground_amsl_m + height_m
        station.command(mavlink.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, nowhere, nowhere, nowhere, altitude_m)
        yield from arm(station)
        yield from until(lambda: station.relative_height_m > height_m - _HIGH_ENOUGH_M and station.mode == _HOLD)

    def fly_mission(self, station: GroundStation) -> Script:
        """The mission mode begins with its first item."""
        station.set_mode("AUTO")
        yield from until(lambda: station.is_in("AUTO"))

    def target(self, station: GroundStation, place: GeoPoint, height_m: float) -> Any:
        """As a ground station's "go there": to Hold, and in it to the place. In OFFBOARD a single position target of
        somebody else would be flown to for a tenth of a second."""
        assert station.ground_amsl_m is not None
        frame, altitude_m = mavlink.MAV_FRAME_GLOBAL, station.ground_amsl_m + height_m
        degrees = round(place.latitude_deg * 1e7), round(place.longitude_deg * 1e7)
        return mavlink.MAVLink_command_int_message(
            1, 1, frame, mavlink.MAV_CMD_DO_REPOSITION, 0, 0, -1.0, _CHANGE_MODE, 0.0, math.nan, *degrees, altitude_m
        )

    def fly_to(self, station: GroundStation, place: GeoPoint, height_m: float) -> Script:
        """In Hold. Without a position PX4 refuses that, and a failsafe would put it down blindly: until there is one,
        the height is held by hand."""
        yield from until(lambda: station.ground_amsl_m is not None)
        due_ns, given = 0, False
        while not (given and station.mode == _HOLD):
            if station.t_ns >= due_ns:
                due_ns, given = station.t_ns + _ASK_AGAIN_NS, station.has_position
                if given:
                    station.go_to(place, height_m)
                else:
                    station.set_mode("ALT_HOLD")
            yield

    def companions(self, custom_mode: int) -> bool:
        """OFFBOARD."""
        return custom_mode >> 16 & 0xFF == _MAIN["OFFBOARD"]


class Px4InHoldDialect(Px4Dialect):
    """The companion's mode is Hold, and the pilot holds a place in Position, by the sticks' centres."""

    modes = {**Px4Dialect.modes, "GUIDED": _HOLD, "LOITER": _custom("POSCTL")}
    idles = False

    def companions(self, custom_mode: int) -> bool:
        """Hold."""
        return custom_mode == _HOLD


PX4 = Px4Dialect()
PX4_IN_HOLD = Px4InHoldDialect()
