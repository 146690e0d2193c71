"""The exchanges: what a companion and a pilot do with an autopilot, and the facts that came of it, in words.

They run in order, on one vehicle, from the ground into the air: each leaves it as the next one needs it. A fact is a
word or a truth, never a measurement, so that two runs of one firmware give the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import distance_m, offset
from runtime.rotations import ned_from_euler
from runtime.values import GeoPoint
from runtime.vehicle.ardupilot.modes import mode_name as ardupilot_mode_name
from runtime.vehicle.px4.modes import mode_name as px4_mode_name
from tests.sim.conformance.side import SILENCE, Side

Facts = dict[str, Any]
HEIGHT_M = 20.0
POSITION, VELOCITY = 3576, 3527  # type masks: of a place alone, of a velocity alone
ARM, TAKE_OFF, SET_MODE, START, REPOSITION = 400, 22, 176, 300, 192
INTERVAL, REQUEST, REBOOT, SOURCE_SET, EXTERNAL_ESTIMATE = 511, 512, 246, 42007, 43003
FORCED = 21196.0
_RELATIVE_INT = mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT
_STREAMS_HZ = {24: 5, 30: 10, 32: 10, 33: 10, 245: 4, 1: 2}  # GPS, attitude, local and global position, landed, sensors


def ready(side: Side) -> Facts:
    """From boot until it would arm."""
    side.until(lambda: side.peer.mode is not None, 30.0)
    _set(side, side.peer.firmware.set_up())
    for message_id, hz in (_STREAMS_HZ | dict(side.peer.firmware.streams_hz)).items():
        side.command(INTERVAL, message_id, 1e6 / hz)
    side.peer.watch_estimator()
    reached = side.until(lambda: side.peer.has_position, 120.0)
    side.run(5.0)
    Feed(side)  # a vehicle that is set up to be fed does not arm before it is
    side.run(3.0)
    return {"the estimator has a position": reached is not None}


def messages(side: Side) -> Facts:
    """What may be asked for."""
    return {
        "a stream that it has": side.command(INTERVAL, mavlink.MAVLINK_MSG_ID_ATTITUDE, 100_000.0),
        "a stream that nobody has": side.command(INTERVAL, 65_000.0, 100_000.0),
        "AUTOPILOT_VERSION, once": side.command(REQUEST, mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION),
        "a command that nobody has": side.command(30_999),
    }


def parameters(side: Side) -> Facts:
    """Read, set, and names that do not exist."""
    name, wanted = ("MPC_XY_CRUISE" if side.peer.firmware.name == "PX4" else "WPNAV_SPEED"), 7.0
    read = mavlink.MAVLink_param_request_read_message(1, 1, name.encode(), -1)
    unknown = mavlink.MAVLink_param_request_read_message(1, 1, b"NO_SUCH_NAME", -1)
    before = side.parameter(read)
    told = side.parameter(side.peer.firmware.parameter_set(name, wanted))
    after = side.parameter(read)
    value = side.peer.firmware.parameter_value
    if before is not None:
        side.parameter(side.peer.firmware.parameter_set(name, value(before)))
    return {
        "a known name": "answered" if before is not None else SILENCE,
        "setting it": "answered" if told is not None and value(told) == wanted else SILENCE,
        "it stays": after is not None and value(after) == wanted,
        "an unknown name": "answered" if side.parameter(unknown, 2.0) is not None else SILENCE,
    }


def missions(side: Side) -> Facts:
    """Upload, read back, clear."""
    here, asked = _here(side), list[str]()
    items = [_waypoint(number, offset(here, 20.0 * number, 0.0)) for number in range(3)]
    before = len(side.peer.heard)
    side.peer.upload(items)
    side.until(lambda: side.peer.mission_accepted, 5.0)
    for message in side.peer.heard[before:]:
        if message.get_type().startswith("MISSION_REQUEST"):
            asked.append(message.get_type())
    accepted = side.peer.mission_accepted
    told = side.answer(mavlink.MAVLink_mission_request_list_message(1, 1), "MISSION_COUNT")
    for number in range(2):  # in order: one of them gives no other
        second = side.answer(mavlink.MAVLink_mission_request_int_message(1, 1, number), "MISSION_ITEM_INT")
    beyond = side.answer(mavlink.MAVLink_mission_request_int_message(1, 1, 99), "MISSION_ACK", 2.0)
    side.peer.send(mavlink.MAVLink_mission_ack_message(1, 1, mavlink.MAV_MISSION_ACCEPTED))
    started = side.command(START)
    cleared = side.answer(mavlink.MAVLink_mission_clear_all_message(1, 1), "MISSION_ACK")
    empty = side.answer(mavlink.MAVLink_mission_request_list_message(1, 1), "MISSION_COUNT")
    return {
        "it asks for items by": " and ".join(sorted(set(asked))) or SILENCE,
        "the upload": "accepted" if accepted else "not accepted",
        "items read back": None if told is None else told.count,
        "the second item is where it was put": second is not None and abs(second.x - items[1].x) <= 1,
        "an item that it has not": SILENCE if beyond is None else _mission_result(beyond.type),
        "MISSION_START on the ground, disarmed": started,
        "clearing": SILENCE if cleared is None else _mission_result(cleared.type),
        "items after clearing": None if empty is None else empty.count,
    }


def modes(side: Side) -> Facts:
    """What a mode may be called."""
    hold = side.peer.dialect.modes["LOITER"]
    return {
        "the companion's mode, on the ground": side.set_mode("GUIDED"),
        "a mode that it has not": side.command(SET_MODE, 1.0, 99.0, 0.0),
        "without the flag that it is its own": side.command(SET_MODE, 0.0, float(hold)),
        "hold, on the ground": side.set_mode("LOITER"),
    }


def arming(side: Side) -> Facts:
    """On the ground: what is refused, what arms, and what disarms by itself."""
    facts: Facts = {"take-off, disarmed": _take_off(side)}
    side.set_mode("LOITER")
    facts["arming in hold"] = side.command(ARM, 1.0)
    facts["it is armed within 2 s"] = side.until(lambda: side.peer.armed, 2.0) is not None
    facts["a reboot, armed on the ground"] = side.command(REBOOT, 1.0)
    facts["a position target lifts it"] = _lifts(side, lambda: _target(side, 0.0, 0.0, HEIGHT_M))
    facts["disarming on the ground"] = side.command(ARM, 0.0)
    side.until(lambda: not side.peer.armed, 3.0)
    side.set_mode("GUIDED" if not side.peer.dialect.idles else "LOITER")
    side.command(ARM, 1.0)
    side.until(lambda: side.peer.armed, 2.0)
    disarmed = side.until(lambda: not side.peer.armed, 15.0)
    facts["left alone on the ground, it disarms within 15 s"] = disarmed is not None
    side.command(ARM, 0.0)
    side.until(lambda: not side.peer.armed, 3.0)
    return facts


def cancelled_take_off(side: Side) -> Facts:
    """A position target in the instant after the take-off command, before it leaves the ground."""
    if side.peer.dialect.idles:
        return {}  # there is no take-off in the companion's mode
    side.set_mode("GUIDED")
    side.command(ARM, 1.0)
    side.until(lambda: side.peer.armed, 2.0)
    facts: Facts = {"take-off as COMMAND_INT, relative frame for integers": side.command_int(
        TAKE_OFF, _RELATIVE_INT, 0, 0, HEIGHT_M)}  # fmt: skip
    facts["take-off"] = _take_off(side)
    facts["it lifts after a target that came before lift-off"] = _lifts(
        side, lambda: _target(side, 0.0, 0.0, HEIGHT_M), 6.0
    )
    side.command(ARM, 0.0)
    side.until(lambda: not side.peer.armed, 12.0)
    return facts


def take_off(side: Side) -> Facts:
    """As a pilot does."""
    climbed = side.follow(side.peer.dialect.take_off(side.peer, HEIGHT_M), 90.0)
    side.run(3.0)
    up = abs(side.peer.relative_height_m - HEIGHT_M) < 1.5
    return {"it climbs to its height": climbed and up}


def guided(side: Side) -> Facts:
    """Targets and velocities in the companion's mode, and what comes of them when they are not repeated."""
    facts: Facts = {}
    if side.peer.dialect.idles:
        facts["the companion's mode, without targets"] = _enters(side)
        stop = _streaming(side)
        facts["the companion's mode, while targets flow"] = _enters(side)
        stop()
        left = side.until(lambda: not side.peer.dialect.companions(side.peer.mode or 0), 10.0)
        facts["it leaves the mode within 10 s of the last target"] = left is not None
        side.set_mode("LOITER")
        side.run(8.0)
    else:
        facts["the companion's mode"] = _enters(side)
        start = _here(side)
        _target(side, 60.0, 0.0, HEIGHT_M)
        side.run(8.0)
        facts["a target that is not repeated is flown to"] = distance_m(start, _here(side)) > 15.0
        side.set_mode("LOITER")
        side.run(6.0)
        side.set_mode("GUIDED")
        _velocity(side, -4.0, 0.0)
        side.run(2.5)
        moved = _speed(side)
        side.run(5.0)
        facts["a velocity is flown"] = moved > 1.5
        facts["a velocity that is not repeated stops within 8 s"] = _speed(side) < 0.5
    side.set_mode("LOITER")
    side.run(5.0)
    before = _here(side)
    _target(side, 60.0, 60.0, HEIGHT_M)
    side.run(4.0)
    facts["a target in hold is heeded"] = distance_m(before, _here(side)) > 4.0
    return facts


def reposition(side: Side) -> Facts:
    """DO_REPOSITION, in hold and in the companion's mode, without the flag that changes the mode."""
    place = offset(_here(side), 15.0, 0.0)
    x, y = round(place.latitude_deg * 1e7), round(place.longitude_deg * 1e7)
    told = side.last("GLOBAL_POSITION_INT")
    amsl_m = told.alt / 1000.0
    asked = (-1.0, 0.0, 0.0, math.nan)
    facts: Facts = {
        "as COMMAND_LONG, in hold": side.command(
            REPOSITION, *asked, place.latitude_deg, place.longitude_deg, amsl_m),
        "as COMMAND_INT, in hold": side.command_int(REPOSITION, mavlink.MAV_FRAME_GLOBAL, x, y, amsl_m, *asked),
    }  # fmt: skip
    if not side.peer.dialect.idles:
        side.set_mode("GUIDED")
        facts["as COMMAND_INT, in the companion's mode"] = side.command_int(
            REPOSITION, mavlink.MAV_FRAME_GLOBAL, x, y, amsl_m, *asked
        )
        side.set_mode("LOITER")
    side.run(6.0)
    return facts


def in_flight(side: Side) -> Facts:
    """What a vehicle in the air must not do."""
    return {
        "disarming": side.command(ARM, 0.0),
        "a reboot": side.command(REBOOT, 1.0),
        "it is still armed": side.peer.armed,
    }


def injection(side: Side) -> Facts:
    """GPS is lost while a companion feeds ODOMETRY; the pilot switches the estimator's sources where that is needed."""
    side.set_mode("LOITER")
    side.run(6.0)
    feed = next(one for one in side.peer.each if isinstance(one, Feed))
    feed.place = side.last("LOCAL_POSITION_NED")
    side.run(1.0)
    side.peer.lose_gps(True)
    facts: Facts = {"the receiver's fix is lost within 2 s": side.until(lambda: _fix(side) < 3, 2.0) is not None}
    if side.peer.firmware.name != "PX4":
        facts["the switch of the estimator's sources"] = side.command(SOURCE_SET, 2.0)
        facts["a source set that there is not"] = side.command(SOURCE_SET, 9.0)
    side.run(12.0)
    facts["after 12 s it is in"] = _mode_name(side)
    side.peer.lose_gps(False)
    side.until(lambda: _fix(side) >= 3, 20.0)
    side.run(12.0)  # PX4 watches a receiver for ten seconds before it flies by it
    for message in side.peer.firmware.fly_by_gps():
        side.peer.send(message)
    side.run(3.0)
    feed.stop()
    side.run(10.0)
    facts["by GPS again it is in"] = _mode_name(side)
    return facts


def gps_lost(side: Side) -> Facts:
    """GPS is lost, and nothing comes in its place."""
    side.set_mode("LOITER")
    side.run(2.0)
    side.peer.lose_gps(True)
    after = side.until(lambda: not side.peer.is_in("LOITER"), 30.0)
    side.run(2.0)
    return {
        "it leaves hold within": "never in 30 s" if after is None else "12 s" if after < 12.0 else "30 s",
        "for": _mode_name(side),
    }


EXCHANGES: dict[str, Callable[[Side], Facts]] = {
    "from boot": ready,
    "messages": messages,
    "parameters": parameters,
    "missions": missions,
    "modes": modes,
    "arming": arming,
    "a cancelled take-off": cancelled_take_off,
    "take-off": take_off,
    "the companion's mode": guided,
    "reposition": reposition,
    "in flight": in_flight,
    "injection": injection,
    "GPS lost": gps_lost,
}


def everything(side: Side, tell: Callable[[str], None] = lambda name: None) -> dict[str, Facts]:
    """All exchanges, one after the other."""
    facts = {}
    for name, exchange in EXCHANGES.items():
        tell(name)
        facts[name] = exchange(side)
    return facts


def _mode_name(side: Side) -> str:
    naming = px4_mode_name if side.peer.firmware.name == "PX4" else ardupilot_mode_name
    return naming(mavlink.MAV_TYPE_QUADROTOR, side.peer.mode or 0)


def _here(side: Side) -> GeoPoint:
    told = side.last("GLOBAL_POSITION_INT")
    return GeoPoint(told.lat * 1e-7, told.lon * 1e-7)


def _speed(side: Side) -> float:
    told = side.last("GLOBAL_POSITION_INT")
    return math.hypot(told.vx, told.vy) / 100.0


def _fix(side: Side) -> int:
    return int(side.last("GPS_RAW_INT").fix_type)


def _waypoint(number: int, place: GeoPoint) -> Any:
    x, y = round(place.latitude_deg * 1e7), round(place.longitude_deg * 1e7)
    return mavlink.MAVLink_mission_item_int_message(
        1, 1, number, mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT, 16, 0, 1, 0, 0, 0, 0, x, y, HEIGHT_M
    )


def _mission_result(number: int) -> str:
    return str(mavlink.enums["MAV_MISSION_RESULT"][number].name.removeprefix("MAV_MISSION_"))


def _set(side: Side, values: Any) -> None:
    for name, value in values.items():
        side.peer.send(side.peer.firmware.parameter_set(name, value))


def _take_off(side: Side) -> str:
    if side.peer.firmware.name == "PX4":  # above mean sea level
        told = side.last("GLOBAL_POSITION_INT")
        return side.command(TAKE_OFF, 0, 0, 0, math.nan, math.nan, math.nan, told.alt / 1000.0 + HEIGHT_M)
    return side.command(TAKE_OFF, 0, 0, 0, 0, 0, 0, HEIGHT_M)


def _lifts(side: Side, send: Callable[[], None], within_s: float = 4.0) -> bool:
    send()
    return side.until(lambda: side.peer.relative_height_m > 1.0, within_s) is not None


def _target(side: Side, north_m: float, east_m: float, height_m: float) -> None:
    place = offset(_here(side), north_m, east_m)
    side.peer.send(mavlink.MAVLink_set_position_target_global_int_message(
        0, 1, 1, _RELATIVE_INT, POSITION, round(place.latitude_deg * 1e7), round(place.longitude_deg * 1e7), height_m,
        0, 0, 0, 0, 0, 0, 0, 0))  # fmt: skip


def _velocity(side: Side, north_m_s: float, east_m_s: float) -> None:
    side.peer.send(mavlink.MAVLink_set_position_target_global_int_message(
        0, 1, 1, _RELATIVE_INT, VELOCITY, 0, 0, 0, north_m_s, east_m_s, 0, 0, 0, 0, 0, 0))  # fmt: skip


def _enters(side: Side) -> str:
    result = side.set_mode("GUIDED")
    entered = side.until(lambda: side.peer.is_in("GUIDED"), 2.0) is not None
    return f"{result}, {'entered' if entered else 'not entered'}"


class _EveryStep:
    """Sends something as often as bytes are exchanged: the peer's outgoing asks it."""

    def __init__(self, side: Side, send: Callable[[], None], period_s: float) -> None:
        self._peer, self._send, self._period_ns, self._due_ns = side.peer, send, int(period_s * 1e9), 0
        side.peer.each.append(self)

    def __call__(self, t_ns: int) -> None:
        if t_ns >= self._due_ns:
            self._due_ns = t_ns + self._period_ns
            self._send()

    def stop(self) -> None:
        """No more."""
        self._peer.each.remove(self)


def _streaming(side: Side) -> Callable[[], None]:
    """Targets at the present place, ten a second; ends with the call of what is given back."""
    stream = _EveryStep(side, lambda: _target(side, 0.0, 0.0, HEIGHT_M), 0.1)
    side.run(1.5)
    return stream.stop


class Feed(_EveryStep):
    """ODOMETRY, thirty a second: of the autopilot's own position, or of one that hovers at ``place``."""

    def __init__(self, side: Side) -> None:
        super().__init__(side, self._feed, 1 / 30)
        self._side = side
        self.place: Any = None

    def _feed(self) -> None:
        side, px4 = self._side, self._side.peer.dialect.idles
        place, attitude = self.place or side.last("LOCAL_POSITION_NED"), side.last("ATTITUDE")
        frames = (mavlink.MAV_FRAME_LOCAL_NED, mavlink.MAV_FRAME_LOCAL_NED) if px4 else (
            mavlink.MAV_FRAME_LOCAL_FRD, mavlink.MAV_FRAME_BODY_FRD)  # fmt: skip
        pose, velocity = [math.nan] * 21, [math.nan] * 21
        for index in (0, 6, 11, 15, 18, 20):
            pose[index] = velocity[index] = 0.09
        boot_us = side.last("GLOBAL_POSITION_INT").time_boot_ms * 1000
        q = _quaternion(attitude.roll, attitude.pitch, attitude.yaw)
        side.peer.send(mavlink.MAVLink_odometry_message(
            boot_us, *frames, place.x, place.y, place.z, q, 0, 0, 0, 0, 0, 0, pose, velocity, 0,
            mavlink.MAV_ESTIMATOR_TYPE_VISION, 100))  # fmt: skip


def _quaternion(roll: float, pitch: float, yaw: float) -> list[float]:
    return list(ned_from_euler(roll, pitch, yaw))
