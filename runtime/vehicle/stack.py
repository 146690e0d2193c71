"""What differs between autopilots, as the one interface that `ardupilot/stack.py` and `px4/stack.py` fill."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from runtime import geodesy
from runtime.mavlink.dialect import mavlink
from runtime.values import AidingRoute, Covariance, FailedOdometry, GeoPoint, LocalOdometry
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.odometry import NO_ATTITUDE, as_measured, odometry_failed, odometry_ned
from runtime.vehicle.parameters.rules import Rule

POSITION_ONLY = 3576  # type_mask: ignore velocity, acceleration, yaw and yaw rate
_ANY_SPEED = -1.0


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A message to be streamed to us.

    ``required``: its absence is a reason not to command. ``conditional``: the autopilot sends it only while it has
    something to say (a target, a home, a range), so silence after an accepted request is no fault.
    """

    message_id: int
    name: str
    rate_hz: float
    required: bool
    conditional: bool = False


class Stack(Protocol):
    """One autopilot's dialect of MAVLink: modes, estimator flags, streams and setpoints."""

    @property
    def name(self) -> str:
        """ "ardupilot", "px4" or "other"."""

    @property
    def setpoint_period_s(self) -> float | None:
        """How often a target must be repeated for the autopilot to keep it; None: once is enough."""

    @property
    def wants_idle_stream(self) -> bool:
        """Whether targets must already flow before the guided mode is entered, in which it then stays only while they
        do; outside of it they move nothing."""

    @property
    def loiter_radius_m(self) -> float | None:
        """The radius at which the vehicle circles a target; None: it stands still there."""

    @property
    def enters_at_a_place(self) -> bool:
        """Whether on entering the guided mode it takes the place where it is for its target, and reports that."""

    @property
    def reports_local_targets(self) -> bool:
        """Whether the echo of a position target comes as POSITION_TARGET_LOCAL_NED only."""

    @property
    def no_fence_without_bit(self) -> bool:
        """Whether SYS_STATUS would say so if there were a geofence."""

    @property
    def tells_estimator(self) -> bool:
        """Whether the flags of its estimator are known; nothing is believed of one whose flags are not."""

    @property
    def has_source_sets(self) -> bool:
        """Whether a command tells its estimator which sources to use; without, it fuses whatever comes."""

    @property
    def aiding_routes(self) -> tuple[AidingRoute, ...]:
        """What its estimator may be fed by, the best first; GLOBAL_POSITION only where it says that it has it."""

    @property
    def takes_vision_speed(self) -> bool:
        """Whether it reads VISION_SPEED_ESTIMATE."""

    @property
    def reads_unhealthy(self) -> bool:
        """Whether it reads GLOBAL_POSITION_SENSOR's flags; one that does not would take the message for a position."""

    @property
    def bytewise_parameters(self) -> bool:
        """Whether integer parameters travel byte for byte, rather than cast to the message's float."""

    @property
    def parameter_rules(self) -> tuple[Rule, ...]:
        """What its parameters have to be."""

    def stamp_usec(self, t_ns: int, offset_ns: int) -> int:
        """The microseconds that it takes for the instant ``t_ns`` of ours; ``offset_ns``: its clock less ours."""

    def pose_variances_m2(self, measured: LocalOdometry) -> tuple[Covariance, float]:
        """The variances of north and east, and of down, that make its estimator use the sigma that is meant."""

    def north_east_m(self, origin: GeoPoint, point: GeoPoint) -> tuple[float, float]:
        """(north, east) of a point in its local frame, in its own metres."""

    def point_at(self, origin: GeoPoint, north_m: float, east_m: float) -> GeoPoint:
        """The point that it means by them."""

    def odometry(self, odometry: LocalOdometry, ned_m: tuple[float, float, float], offset_ns: int) -> Any:
        """ODOMETRY in the frames that it takes, at ``ned_m`` of its local frame; ``offset_ns``: its clock less ours."""

    def failed_odometry(self, failed: FailedOdometry, offset_ns: int) -> Any:
        """ODOMETRY of quality -1, that no setting of the autopilot makes it use."""

    def mode_name(self, vehicle_type: int, custom_mode: int) -> str:
        """The mode's usual name, or "MODE_<number>"."""

    def is_guided(self, vehicle_type: int, custom_mode: int) -> bool:
        """Whether the vehicle follows our position targets in this mode."""

    def is_pilots_switch(self, previous: str | None) -> bool:
        """Whether a change into the guided mode from ``previous`` can only be somebody's switch: an autopilot may also
        enter that mode by itself."""

    def position_target(self, position: GeoPoint, altitude_amsl_m: float, system_id: int, component_id: int) -> Any:
        """The message that sends it to an AMSL point."""

    def streams(self, config: VehicleConfig) -> tuple[StreamRequest, ...]:
        """The messages to request."""


def position_target(position: GeoPoint, altitude_amsl_m: float, system_id: int, component_id: int) -> Any:
    """SET_POSITION_TARGET_GLOBAL_INT to an AMSL point: position only, all three axes, no yaw.

    Frame GLOBAL_INT: PX4 takes only the ``_INT`` frames, ArduPilot reads 0 and 5 alike as AMSL. ``time_boot_ms`` 0:
    no claim about the autopilot's clock.
    """
    return mavlink.MAVLink_set_position_target_global_int_message(
        0,
        system_id,
        component_id,
        mavlink.MAV_FRAME_GLOBAL_INT,
        POSITION_ONLY,
        round(position.latitude_deg * 1e7),
        round(position.longitude_deg * 1e7),
        altitude_amsl_m,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    )


def reposition(
    position: GeoPoint, altitude_amsl_m: float, system_id: int, component_id: int, radius_m: float = 0.0
) -> Any:
    """DO_REPOSITION to an AMSL point, without flags: one of them would change the mode. ``radius_m``: of the circle,
    clockwise, that a plane flies there; 0: its own."""
    return mavlink.MAVLink_command_int_message(
        system_id,
        component_id,
        mavlink.MAV_FRAME_GLOBAL_INT,
        mavlink.MAV_CMD_DO_REPOSITION,
        0,
        0,
        _ANY_SPEED,
        0.0,
        radius_m,
        math.nan,
        round(position.latitude_deg * 1e7),
        round(position.longitude_deg * 1e7),
        altitude_amsl_m,
    )


# Much faster than our own targets go out, or the next one would overwrite another's before its echo is seen.
ECHO_HZ = 50.0
_HEALTH_HZ = 4.0  # at 2 Hz nothing is READY before a whole second of it
_HOME_HZ = 2.0  # it never moves, but until it is heard first nothing is READY


def common_streams(
    config: VehicleConfig, estimator: StreamRequest, echo_hz: float = ECHO_HZ
) -> tuple[StreamRequest, ...]:
    """The streams that every stack needs, with ``estimator`` as its own word on its health; ``echo_hz``: of the target
    that it flies to."""
    required: tuple[StreamRequest, ...] = (
        StreamRequest(mavlink.MAVLINK_MSG_ID_ATTITUDE, "ATTITUDE", config.attitude_hz, True),
        StreamRequest(mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, "GLOBAL_POSITION_INT", config.position_hz, True),
        StreamRequest(
            mavlink.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT, "POSITION_TARGET_GLOBAL_INT", echo_hz, True, True
        ),
        StreamRequest(mavlink.MAVLINK_MSG_ID_GPS_RAW_INT, "GPS_RAW_INT", 5.0, True),
        StreamRequest(mavlink.MAVLINK_MSG_ID_SYS_STATUS, "SYS_STATUS", _HEALTH_HZ, True),
        StreamRequest(mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE, "EXTENDED_SYS_STATE", _HEALTH_HZ, True),
        estimator,
        StreamRequest(mavlink.MAVLINK_MSG_ID_HOME_POSITION, "HOME_POSITION", _HOME_HZ, False, True),
        StreamRequest(mavlink.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN, "GPS_GLOBAL_ORIGIN", 0.5, False, True),
    )
    if config.unix_time:
        required += (StreamRequest(mavlink.MAVLINK_MSG_ID_SYSTEM_TIME, "SYSTEM_TIME", 0.5, False),)
    if config.probe_global_position:
        required += (
            StreamRequest(mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_SENSOR, "GLOBAL_POSITION_SENSOR", 1.0, False, True),
        )
    if not config.optional_streams:
        return required
    return (
        *required,
        StreamRequest(mavlink.MAVLINK_MSG_ID_POSITION_TARGET_LOCAL_NED, "POSITION_TARGET_LOCAL_NED", 5.0, False, True),
        StreamRequest(mavlink.MAVLINK_MSG_ID_RC_CHANNELS, "RC_CHANNELS", 5.0, False, True),
        StreamRequest(mavlink.MAVLINK_MSG_ID_DISTANCE_SENSOR, "DISTANCE_SENSOR", 10.0, False, True),
        StreamRequest(mavlink.MAVLINK_MSG_ID_FENCE_STATUS, "FENCE_STATUS", 1.0, False, True),
    )


class OtherStack:
    """An autopilot that we know nothing of: read it, never command it."""

    name = "other"
    setpoint_period_s: float | None = None
    wants_idle_stream = False
    loiter_radius_m: float | None = None
    enters_at_a_place = False
    reports_local_targets = False
    no_fence_without_bit = False
    tells_estimator = False
    has_source_sets = False
    aiding_routes: tuple[AidingRoute, ...] = ()
    takes_vision_speed = False
    reads_unhealthy = False
    bytewise_parameters = False
    parameter_rules: tuple[Rule, ...] = ()

    north_east_m = staticmethod(geodesy.north_east_m)
    point_at = staticmethod(geodesy.offset)

    def stamp_usec(self, t_ns: int, offset_ns: int) -> int:
        """In its own clock."""
        return (t_ns + offset_ns) // 1000

    def pose_variances_m2(self, measured: LocalOdometry) -> tuple[Covariance, float]:
        """As measured."""
        return as_measured(measured)

    def odometry(self, odometry: LocalOdometry, ned_m: tuple[float, float, float], offset_ns: int) -> Any:
        """As common.xml describes it: pose and velocity in NED, stamped in its clock."""
        return odometry_ned(odometry, ned_m, self.stamp_usec(odometry.t_ns, offset_ns))

    def failed_odometry(self, failed: FailedOdometry, offset_ns: int) -> Any:
        """The same without a measurement."""
        frame = mavlink.MAV_FRAME_LOCAL_NED
        return odometry_failed(failed, self.stamp_usec(failed.t_ns, offset_ns), frame, frame, NO_ATTITUDE)

    def mode_name(self, vehicle_type: int, custom_mode: int) -> str:
        """The bare number."""
        return f"MODE_{custom_mode}"

    def is_guided(self, vehicle_type: int, custom_mode: int) -> bool:
        """Never: its modes are unknown."""
        return False

    def is_pilots_switch(self, previous: str | None) -> bool:
        """Never."""
        return False

    def position_target(self, position: GeoPoint, altitude_amsl_m: float, system_id: int, component_id: int) -> Any:
        """As common.xml describes it; it is never sent."""
        return position_target(position, altitude_amsl_m, system_id, component_id)

    def streams(self, config: VehicleConfig) -> tuple[StreamRequest, ...]:
        """The streams to request of what common.xml offers."""
        estimator = StreamRequest(mavlink.MAVLINK_MSG_ID_ESTIMATOR_STATUS, "ESTIMATOR_STATUS", 2.0, False)
        return common_streams(config, estimator)
