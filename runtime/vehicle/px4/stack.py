"""What is PX4's own: a mode of two bytes, estimator flags, and targets that must never stop in OFFBOARD.

PX4 wants targets at 2 Hz or more *before* OFFBOARD is entered and for as long as it lasts; when they stop it leaves
(RTL in about 2 s). So the last target is repeated at 10 Hz until it expires. Outside OFFBOARD they do nothing.
"""

from __future__ import annotations

from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.link.dialect import mavlink
from runtime.vehicle.stack import StreamRequest, common_streams

_MAIN = {1: "MANUAL", 2: "ALTCTL", 3: "POSCTL", 4: "AUTO", 5: "ACRO", 6: "OFFBOARD", 7: "STABILIZED", 8: "RATTITUDE"}
_AUTO, _OFFBOARD = 4, 6
_AUTO_SUB = {
    1: "READY",
    2: "TAKEOFF",
    3: "LOITER",
    4: "MISSION",
    5: "RTL",
    6: "LAND",
    8: "FOLLOW_TARGET",
    9: "PRECLAND",
    10: "VTOL_TAKEOFF",
}
_NEEDED = (
    mavlink.ESTIMATOR_ATTITUDE
    | mavlink.ESTIMATOR_VELOCITY_HORIZ
    | mavlink.ESTIMATOR_POS_HORIZ_ABS
    | mavlink.ESTIMATOR_POS_VERT_ABS
)
# not the constant-position bit: PX4 also sets it while it stands on the ground with a good position (recorded: 0x3ff)
_REFUSED = mavlink.ESTIMATOR_GPS_GLITCH | mavlink.ESTIMATOR_ACCEL_ERROR


class Px4:
    """PX4 1.14 and later."""

    name = "px4"
    setpoint_period_s: float | None = 0.1  # 10 Hz: five times what COM_OF_LOSS_T's default of 1 s needs at least
    takes_targets_outside_guided = True
    reports_local_targets = True  # recorded: POSITION_TARGET_GLOBAL_INT falls silent in OFFBOARD

    def mode_name(self, vehicle_type: int, custom_mode: int) -> str:
        """``main << 16 | sub << 24``: the sub mode's name in AUTO, else the main mode's."""
        main, sub = custom_mode >> 16 & 0xFF, custom_mode >> 24 & 0xFF
        if main == _AUTO:
            return _AUTO_SUB.get(sub, f"AUTO_{sub}")
        return _MAIN.get(main, f"MODE_{custom_mode}")

    def is_guided(self, vehicle_type: int, custom_mode: int) -> bool:
        """OFFBOARD."""
        return custom_mode >> 16 & 0xFF == _OFFBOARD

    def estimator_ok(self, flags: int) -> bool:
        """Attitude, velocity, absolute position and height; no GPS glitch, no bad accelerometer."""
        return flags & _NEEDED == _NEEDED and not flags & _REFUSED

    def gps_glitch(self, flags: int) -> bool:
        """The estimator rejects GPS."""
        return bool(flags & mavlink.ESTIMATOR_GPS_GLITCH)

    def streams(self, config: VehicleConfig) -> tuple[StreamRequest, ...]:
        """The onboard link streams by default; asking sets the rates that we need."""
        estimator = StreamRequest(mavlink.MAVLINK_MSG_ID_ESTIMATOR_STATUS, "ESTIMATOR_STATUS", 2.0, True)
        return common_streams(config, estimator)
