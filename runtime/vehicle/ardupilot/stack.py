"""What is ArduPilot's own: modes, the estimator's report, and targets that it keeps for ever.

A position target is sent once: ArduCopter's GUIDED never times it out (only velocity and attitude, after 3 s). It has
no acknowledgement; POSITION_TARGET_GLOBAL_INT, which has to be requested, is the echo. It is ignored outside GUIDED,
and before lift-off it silently cancels a take-off, so guidance waits until the vehicle is in the air.
"""

from __future__ import annotations

from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.values import AidingRoute, GeoPoint
from runtime.vehicle.ardupilot import local_frame, modes, parameters
from runtime.vehicle.ardupilot import odometry as dialect
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.stack import ECHO_HZ, StreamRequest, common_streams, position_target


class ArduPilot:
    """ArduCopter; `ArduPlane` is a stack of its own, and rovers and others are read but have no guided mode here."""

    name = "ardupilot"
    setpoint_period_s: float | None = None
    wants_idle_stream = False
    loiter_radius_m: float | None = None
    enters_at_a_place = False
    reports_local_targets = False
    no_fence_without_bit = True
    tells_estimator = True
    has_source_sets = True
    # ODOMETRY: its sigma, its failures (quality -1) and its jumps are all read. VISION_*: the sigma, not the quality.
    # GPS_INPUT: every sigma, but it is no use against a receiver that lies. The command: only without GPS, no failures.
    aiding_routes = (
        AidingRoute.ODOMETRY,
        AidingRoute.VISION,
        AidingRoute.GPS_INPUT,
        AidingRoute.GLOBAL_POSITION,
        AidingRoute.POSITION_ESTIMATE,
    )
    takes_vision_speed = True
    reads_unhealthy = True
    bytewise_parameters = False
    parameter_rules = parameters.RULES
    echo_hz = ECHO_HZ
    stamp_usec = staticmethod(dialect.stamp_usec)
    pose_variances_m2 = staticmethod(dialect.pose_variances_m2)
    mode_name = staticmethod(modes.mode_name)
    is_guided = staticmethod(modes.is_guided)
    north_east_m = staticmethod(local_frame.north_east_m)
    point_at = staticmethod(local_frame.point_at)
    odometry = staticmethod(dialect.odometry)
    failed_odometry = staticmethod(dialect.failed_odometry)

    def is_pilots_switch(self, previous: str | None) -> bool:
        """It never enters that mode by itself but where it was already meant to be in it."""
        return True

    def position_target(self, position: GeoPoint, altitude_amsl_m: float, system_id: int, component_id: int) -> Any:
        """SET_POSITION_TARGET_GLOBAL_INT."""
        return position_target(position, altitude_amsl_m, system_id, component_id)

    def streams(self, config: VehicleConfig) -> tuple[StreamRequest, ...]:
        """The streams to request: nothing but HEARTBEAT, TIMESYNC and texts comes unasked."""
        own = StreamRequest(mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT, "EKF_STATUS_REPORT", 4.0, True)
        return common_streams(config, own, self.echo_hz)
