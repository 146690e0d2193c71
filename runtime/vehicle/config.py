"""What the vehicle room needs to know before the first byte; the defaults suit a serial or UDP companion link."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.events import VEHICLE_LINK
from runtime.freshness import HEARTBEAT, LINK, OWN_PROGRESS, POSE_AHEAD, POSES_KEPT, TIMESYNC
from runtime.mavlink.dialect import ONBOARD_COMPUTER

LOITER_RADIUS_M = 80.0  # what ArduPilot's own simulated plane has as WP_LOITER_RAD


@dataclass(frozen=True, slots=True)
class VehicleConfig:
    """Identity, patience and rates of the MAVLink side. ``system_id``: the vehicle's; None takes the first heard."""

    system_id: int | None = None
    links: tuple[str, ...] = (VEHICLE_LINK,)  # names of the lines to the vehicle, the preferred one first
    component_id: int = ONBOARD_COMPUTER
    loiter_radius_m: float = LOITER_RADIUS_M  # at which a plane circles its targets
    px4_hold: bool = False  # a PX4 is guided in Hold by DO_REPOSITION, not in OFFBOARD
    operator_system_id: int | None = None  # of the ground station whose commands to us are taken; None: nobody's
    link_timeout_s: float = LINK.seconds
    heartbeat_timeout_s: float = HEARTBEAT.seconds
    feed_timeout_s: float = OWN_PROGRESS.seconds
    timesync_period_s: float = 0.5
    timesync_max_rtt_s: float = 0.05
    timesync_stale_s: float = TIMESYNC.seconds
    command_timeout_s: float = 0.5  # MAVSDK's; resent with confirmation + 1
    command_attempts: int = 4
    attitude_hz: float = 30.0
    position_hz: float = 20.0
    optional_streams: bool = True  # sticks, range finder, fence, local targets: their absence is known by their age
    unix_time: bool = False  # SYSTEM_TIME too: what is sent in the form of a GPS answer carries GPS time
    probe_global_position: bool = False  # ask for GLOBAL_POSITION_SENSOR: who streams it takes it too
    heading_sigma_rad: float = math.radians(3.0)  # a calibrated compass in flight
    height_sigma_m: float = 1.0  # barometer against take-off, over minutes
    altitude_sigma_m: float = 2.0  # AMSL by GPS where it reports no v_acc
    pose_buffer_s: float = POSES_KEPT.seconds
    extrapolate_s: float = POSE_AHEAD.seconds
