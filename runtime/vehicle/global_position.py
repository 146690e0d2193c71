"""Positions on the globe for an estimator: GLOBAL_POSITION_SENSOR, and MAV_CMD_EXTERNAL_POSITION_ESTIMATE.

Both say when they were sent and how old the measurement was then. Neither carries a height: the camera measures none.
"""

from __future__ import annotations

import math
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.values import GlobalPosition, PositionEstimate, axis_sigma_m

_UNKNOWN_DEGREES = 2**31 - 1  # of the message's definition
_LONGEST_US = 2**32 - 1


def global_position_sensor(measured: GlobalPosition, autopilot: tuple[int, int], t_ns: int, offset_ns: int) -> Any:
    """GLOBAL_POSITION_SENSOR, sent at ``t_ns``; unhealthy and without a position where none was measured."""
    place = measured.position
    flags = 0 if place is not None else mavlink.GLOBAL_POSITION_UNHEALTHY
    return mavlink.MAVLink_global_position_sensor_message(
        target_system=autopilot[0],
        target_component=autopilot[1],
        id=measured.sensor_id,
        time_usec=(t_ns + offset_ns) // 1000,
        processing_time=min(_LONGEST_US, max(0, t_ns - measured.t_ns) // 1000),
        source=mavlink.GLOBAL_POSITION_SRC_VISION,
        flags=flags,
        lat=_UNKNOWN_DEGREES if place is None else round(place.latitude_deg * 1e7),
        lon=_UNKNOWN_DEGREES if place is None else round(place.longitude_deg * 1e7),
        alt_ellipsoid=math.nan,
        alt=math.nan,
        eph=math.nan if place is None else axis_sigma_m(measured.covariance_m2),
        epv=math.nan,
    )


def external_position_estimate(
    measured: PositionEstimate, autopilot: tuple[int, int], t_ns: int, offset_ns: int
) -> Any:
    """The command, sent at ``t_ns`` of ours; in seconds of the autopilot's clock, which float32 has to a millisecond
    for the first four hours. It is never sent again: a repetition would say another instant."""
    return mavlink.MAVLink_command_int_message(
        *autopilot,
        mavlink.MAV_FRAME_GLOBAL,
        mavlink.MAV_CMD_EXTERNAL_POSITION_ESTIMATE,
        0,
        0,
        (t_ns + offset_ns) * 1e-9,
        max(0, t_ns - measured.t_ns) * 1e-9,
        axis_sigma_m(measured.covariance_m2),
        0.0,
        round(measured.position.latitude_deg * 1e7),
        round(measured.position.longitude_deg * 1e7),
        math.nan,
    )
