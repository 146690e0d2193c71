"""What guidance needs to know of the vehicle at one instant; None is unknown, never zero."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.values import GeoPoint


@dataclass(frozen=True, slots=True)
class Situation:
    """The vehicle as guidance sees it. ``guided``: in the mode in which it takes our position targets."""

    connected: bool = False
    heartbeat_age_s: float | None = None  # of the autopilot's newest heartbeat, which carries the mode
    hovers: bool = False  # a multicopter: it stands still over a target
    loiter_radius_m: float | None = None  # a plane that is known here: it circles its target, about so wide
    entered_here: bool = True  # the guided mode began with no target elsewhere, as far as the autopilot tells
    target_taken: bool = False  # the autopilot reports the last target of ours as its own
    single_autopilot: bool = False
    single_companion: bool = False  # nobody else speaks with our own ids
    time_synced: bool = False
    streams_ok: bool = False  # all telemetry that commanding rests on comes as requested
    mode: str = ""
    guided: bool = False
    wants_stream: bool = False  # it enters that mode, and stays there, only while position targets flow
    armed: bool = False
    in_air: bool = False  # flying: neither on the ground nor in the autopilot's own take-off or landing
    failsafe: bool | None = None
    fence_breached: bool | None = None
    sticks_moved: bool | None = None
    ekf_ok: bool = False  # its attitude, velocity and position are healthy, whatever they rest on
    ekf_rejects: bool = False  # what it measures of position or velocity, whatever its flags still say
    gps_glitch: bool = False  # the autopilot itself rejects its receiver
    gps_doubted: bool = False  # the camera contradicts the receiver; stays for the rest of the flight
    battery_percent: float | None = None
    altitude_amsl_m: float | None = None
    height_takeoff_m: float | None = None
    ground_speed_m_s: float | None = None
    home: GeoPoint | None = None
    position: GeoPoint | None = None  # by the autopilot's own word: what it steers by, though it may be an echo of ours
