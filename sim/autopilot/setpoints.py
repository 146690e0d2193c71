"""SET_POSITION_TARGET_GLOBAL_INT and _LOCAL_NED: no acknowledgement, no effect outside GUIDED."""

from __future__ import annotations

import math

from sim.autopilot.commands import height_in_frame
from sim.autopilot.guided import Place, Velocity
from sim.autopilot.state import State
from sim.autopilot.wire import Message

IGNORE_POSITION, IGNORE_VELOCITY, IGNORE_ACCEL = 0x007, 0x038, 0x1C0  # POSITION_TARGET_TYPEMASK
FORCE, IGNORE_YAW, IGNORE_YAW_RATE = 0x200, 0x400, 0x800
LOCAL_NED, LOCAL_OFFSET_NED, BODY_NED, BODY_OFFSET_NED = 1, 7, 8, 9  # MAV_FRAME
_LOCAL_FRAMES = (LOCAL_NED, LOCAL_OFFSET_NED, BODY_NED, BODY_OFFSET_NED)


def take(state: State, message: Message) -> None:
    """Gives a position target to GUIDED, where that mode flies and the target makes sense."""
    guided, vehicle = state.flight.guided, state.vehicle
    mask = message.type_mask
    if guided is None or mask & FORCE and not mask & IGNORE_ACCEL:
        return
    wants_place, wants_velocity = not mask & IGNORE_POSITION, not mask & IGNORE_VELOCITY
    yaw = None if mask & IGNORE_YAW else message.yaw
    rate = 0.0 if mask & IGNORE_YAW_RATE else message.yaw_rate
    if not mask & IGNORE_ACCEL:
        return  # acceleration targets are not covered
    if not wants_place and not wants_velocity:  # nothing to do is an order to stop
        guided.set_target(vehicle, None, None)
        return
    place = _place(state, message) if wants_place else None
    if wants_place and place is None:
        return
    velocity = _velocity(state, message) if wants_velocity else (0.0, 0.0, 0.0)
    if velocity is None:
        return
    until_s = vehicle.t_s + state.parameters["GUID_TIMEOUT"]
    if place is None:
        guided.set_target(vehicle, Velocity(*velocity, until_s), yaw, rate)
    elif wants_velocity:
        target = Place(*place, velocity[0], velocity[1], vehicle.t_s, until_s)
        guided.set_target(vehicle, target, yaw, rate)
    else:
        guided.set_target(vehicle, Place(*place), yaw, rate)


def _place(state: State, message: Message) -> tuple[float, float, float] | None:
    vehicle, here = state.vehicle, state.vehicle.estimator
    if message.get_type() == "SET_POSITION_TARGET_GLOBAL_INT":
        height = height_in_frame(state, message.alt, message.coordinate_frame)
        if height is None or abs(message.lat_int) > 900_000_000 or abs(message.lon_int) > 1_800_000_000:
            return None
        return *vehicle.frame.north_east(message.lat_int * 1e-7, message.lon_int * 1e-7), height
    frame = message.coordinate_frame
    if frame not in _LOCAL_FRAMES or here.origin_ne is None:
        return None
    if frame == LOCAL_NED:
        return here.origin_ne[0] + message.x, here.origin_ne[1] + message.y, -message.z
    n, e = _turned(state, frame, message.x, message.y)
    return here.n + n, here.e + e, here.h - message.z


def _velocity(state: State, message: Message) -> tuple[float, float, float] | None:
    """(north, east, up) in m/s."""
    if message.get_type() == "SET_POSITION_TARGET_GLOBAL_INT":
        return message.vx, message.vy, -message.vz
    if message.coordinate_frame not in _LOCAL_FRAMES:
        return None
    return *_turned(state, message.coordinate_frame, message.vx, message.vy), -message.vz


def _turned(state: State, frame: int, x: float, y: float) -> tuple[float, float]:
    """Forward and right of the nose as north and east, in the body frames."""
    if frame not in (BODY_NED, BODY_OFFSET_NED):
        return x, y
    c, s = math.cos(state.vehicle.estimator.yaw), math.sin(state.vehicle.estimator.yaw)
    return c * x - s * y, s * x + c * y
