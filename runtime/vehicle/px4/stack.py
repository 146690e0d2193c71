"""What is PX4's own: modes, the estimator's report, and targets that must never stop in OFFBOARD.

PX4 wants targets at 2 Hz or more *before* OFFBOARD is entered and for as long as it lasts; when they stop for
``COM_OF_LOSS_T`` it leaves for what ``COM_OBL_RC_ACT`` says. So the last target is repeated at 10 Hz until it expires.

Outside OFFBOARD PX4 notes of a target that one came, and throws the rest away (its `mavlink_receiver.cpp` publishes
``offboard_control_mode`` always, ``trajectory_setpoint`` in OFFBOARD alone): an idle stream there is no command. In
OFFBOARD it is one, from the instant at which PX4 switches, which is up to a second before its heartbeat tells of it:
what idles is therefore the present point.
"""

from __future__ import annotations

from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.reports.sticks import AXES, AXES_ID
from runtime.values import AidingRoute, GeoPoint
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.odometry import as_measured
from runtime.vehicle.px4 import local_frame, modes, parameters
from runtime.vehicle.px4 import odometry as dialect
from runtime.vehicle.stack import StreamRequest, common_streams, position_target


class Px4:
    """PX4 1.14 and later."""

    name = "px4"
    setpoint_period_s: float | None = 0.1  # 10 Hz: five times what COM_OF_LOSS_T's default of 1 s needs at least
    wants_idle_stream = True
    loiter_radius_m: float | None = None
    enters_at_a_place = False
    reports_local_targets = True  # recorded: POSITION_TARGET_GLOBAL_INT falls silent in OFFBOARD
    no_fence_without_bit = False  # recorded: it never sets the bit
    tells_estimator = True
    has_source_sets = False
    # ODOMETRY: stamp, sigmas, quality and jumps are all read. VISION_*: no quality and no velocity.
    # GLOBAL_POSITION_SENSOR: the sigma, neither stamp nor flags. The command: it is put there, whatever it has.
    aiding_routes = (
        AidingRoute.ODOMETRY,
        AidingRoute.VISION,
        AidingRoute.GLOBAL_POSITION,
        AidingRoute.POSITION_ESTIMATE,
    )
    takes_vision_speed = False
    reads_unhealthy = False
    bytewise_parameters = True
    parameter_rules = parameters.RULES
    stamp_usec = staticmethod(dialect.stamp_usec)
    pose_variances_m2 = staticmethod(as_measured)
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
        """The streams to request: the onboard link streams by default, and asking sets the rates that we need."""
        own = StreamRequest(mavlink.MAVLINK_MSG_ID_ESTIMATOR_STATUS, "ESTIMATOR_STATUS", 4.0, True)
        sticks = StreamRequest(AXES_ID, AXES, 5.0, False, True)
        return (*common_streams(config, own), *((sticks,) if config.optional_streams else ()))
