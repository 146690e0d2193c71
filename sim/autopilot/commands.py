"""COMMAND_LONG and COMMAND_INT: each command with the result that ArduCopter gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sim.autopilot.guided import Place
from sim.autopilot.links import Link
from sim.autopilot.modes import Mode, mode_of
from sim.autopilot.state import State
from sim.autopilot.telemetry import BUILDERS
from sim.autopilot.vehicle import Home
from sim.autopilot.wire import Message, mavlink

ACCEPTED, TEMPORARILY_REJECTED, DENIED, UNSUPPORTED, FAILED = 0, 1, 2, 3, 4  # MAV_RESULT
FORCE_DISARM, FORCE_ARM = 21196, 2989
CUSTOM_MODE_ENABLED = 1
RELATIVE_ALTITUDE = (3, 6)  # MAV_FRAME_GLOBAL_RELATIVE_ALT, _INT
ABSOLUTE_ALTITUDE = (0, 5)
FASTEST_US = 10_000  # 100 Hz, one message per step
DEFAULT_US = {mavlink.MAVLINK_MSG_ID_HEARTBEAT: 1_000_000}


@dataclass(frozen=True, slots=True)
class Command:
    """Either kind of command: ``p`` holds parameters 1 to 4; x and y are degrees, z metres, in ``frame``."""

    link: Link
    p: tuple[float, float, float, float]
    latitude_deg: float
    longitude_deg: float
    z: float
    frame: int
    is_int: bool


Handler = Callable[[State, Command], int]


def read(message: Message, link: Link) -> Command:
    """The command in a COMMAND_LONG or COMMAND_INT."""
    p = (message.param1, message.param2, message.param3, message.param4)
    if message.get_type() == "COMMAND_INT":
        return Command(link, p, message.x * 1e-7, message.y * 1e-7, message.z, message.frame, True)
    return Command(link, p, message.param5, message.param6, message.param7, RELATIVE_ALTITUDE[0], False)


def execute(state: State, number: int, command: Command) -> int:
    """Runs a command and gives its MAV_RESULT."""
    handler = HANDLERS.get(number)
    return UNSUPPORTED if handler is None else handler(state, command)


def set_mode(state: State, base_mode: int, custom_mode: int) -> int:
    """A mode as MAV_CMD_DO_SET_MODE and SET_MODE give it."""
    if not base_mode & CUSTOM_MODE_ENABLED:
        return DENIED
    mode = mode_of(custom_mode)
    return ACCEPTED if mode is not None and state.flight.set_mode(mode) else FAILED


def _do_set_mode(state: State, command: Command) -> int:
    return set_mode(state, int(command.p[0]), int(command.p[1]))


def _switch(mode: Mode) -> Handler:
    def switch(state: State, command: Command) -> int:
        return ACCEPTED if state.flight.set_mode(mode) else FAILED

    return switch


def _arm(state: State, command: Command) -> int:
    flight, (wanted, magic, _, _) = state.flight, command.p
    if wanted == 1:
        return ACCEPTED if flight.arm(force=magic == FORCE_ARM) else FAILED
    if wanted == 0:
        return ACCEPTED if flight.disarm(force=magic == FORCE_DISARM) else FAILED
    return UNSUPPORTED


def _run_prearm(state: State, command: Command) -> int:
    if state.vehicle.armed:
        return TEMPORARILY_REJECTED
    state.flight.report_prearm("PreArm", state.flight.prearm_problems())
    return ACCEPTED


def _take_off(state: State, command: Command) -> int:
    if command.frame != RELATIVE_ALTITUDE[0]:
        return DENIED
    return ACCEPTED if state.flight.take_off(command.z) else FAILED


def _reposition(state: State, command: Command) -> int:
    if not command.is_int:
        return UNSUPPORTED
    change_mode = int(command.p[1]) & 1
    if state.flight.guided is None and not change_mode:
        return DENIED
    height = height_in_frame(state, command.z, command.frame)
    if height is None or abs(command.latitude_deg) > 90 or abs(command.longitude_deg) > 180:
        return DENIED
    if not state.vehicle.estimator.position_ok or not state.flight.set_mode(Mode.GUIDED):
        return FAILED
    guided = state.flight.guided
    assert guided is not None
    if command.p[0] > 0:
        state.vehicle.speeds.command("WPNAV_SPEED", command.p[0])
    yaw = None if math.isnan(command.p[3]) else math.radians(command.p[3])
    n, e = state.vehicle.frame.north_east(command.latitude_deg, command.longitude_deg)
    guided.set_target(state.vehicle, Place(n, e, height), yaw)
    return ACCEPTED


def height_in_frame(state: State, z: float, frame: int) -> float | None:
    """Height above the launch point of an altitude in a global frame; None for NaN and frames unknown here."""
    if math.isnan(z):
        return None
    if frame in RELATIVE_ALTITUDE:
        return z + (state.vehicle.home.h if state.vehicle.home else 0.0)
    return z - state.vehicle.estimator.origin_amsl_m if frame in ABSOLUTE_ALTITUDE else None


def _select_sources(state: State, command: Command) -> int:
    number = command.p[0]
    return ACCEPTED if number.is_integer() and state.vehicle.sources.select(int(number)) else DENIED


def _change_speed(state: State, command: Command) -> int:
    kind, speed = int(command.p[0]), command.p[1]
    names = {0: "WPNAV_SPEED", 1: "WPNAV_SPEED", 2: "WPNAV_SPEED_UP", 3: "WPNAV_SPEED_DN"}
    if kind not in names or not speed > 0:
        return DENIED
    state.vehicle.speeds.command(names[kind], speed)
    return ACCEPTED


def _set_home(state: State, command: Command) -> int:
    vehicle = state.vehicle
    if command.p[0] == 1:
        if vehicle.estimator.origin_ne is None:
            return FAILED
        vehicle.set_home(vehicle.home_here(), locked=True)
        return ACCEPTED
    frame = command.frame if command.is_int else ABSOLUTE_ALTITUDE[0]
    height = height_in_frame(state, command.z, frame)
    if height is None or (command.latitude_deg, command.longitude_deg) == (0.0, 0.0):
        return DENIED if height is None else FAILED
    n, e = vehicle.frame.north_east(command.latitude_deg, command.longitude_deg)
    vehicle.set_home(Home(n, e, height), locked=True)
    return ACCEPTED


def _get_home(state: State, command: Command) -> int:
    message = BUILDERS[mavlink.MAVLINK_MSG_ID_HOME_POSITION](state)
    if message is None:
        return FAILED
    command.link.send(message)
    return ACCEPTED


def _condition_yaw(state: State, command: Command) -> int:
    degrees, _, direction, relative = command.p
    if state.flight.guided is None:
        return FAILED
    yaw = math.radians(degrees)
    if relative:
        yaw = state.vehicle.estimator.yaw + (-yaw if direction < 0 else yaw)
    state.flight.guided.face(yaw)
    return ACCEPTED


def _start_mission(state: State, command: Command) -> int:
    state.flight.start_mission()
    return ACCEPTED


def _set_current(state: State, command: Command) -> int:
    index = int(command.p[0])
    if not 0 <= index < len(state.mission.items):
        return DENIED
    set_current(state, index)
    return ACCEPTED


def set_current(state: State, index: int) -> None:
    """Makes a mission item the one under way, or the one to begin with."""
    state.mission.current = index
    if state.flight.auto is not None:
        state.flight.auto.jump(state.vehicle, max(1, index))


def _message_interval(state: State, command: Command) -> int:
    message_id, interval_us = int(command.p[0]), command.p[1]
    if message_id not in BUILDERS:
        return DENIED
    if interval_us == 0:
        interval_us = DEFAULT_US.get(message_id, -1)
    if interval_us > 0:
        interval_us = max(interval_us, FASTEST_US)
    command.link.want(message_id, round(interval_us * 1000), state.boot_us * 1000)
    return ACCEPTED


def _get_interval(state: State, command: Command) -> int:
    message_id = int(command.p[0])
    if message_id not in BUILDERS:
        return FAILED
    stream = command.link.streams.get(message_id)
    interval = stream.interval_ns // 1000 if stream else -1
    command.link.send(mavlink.MAVLink_message_interval_message(message_id, interval))
    return ACCEPTED


def _request_message(state: State, command: Command) -> int:
    builder = BUILDERS.get(int(command.p[0]))
    message = builder(state) if builder is not None else None
    if message is None:
        return FAILED
    command.link.send(message)
    return ACCEPTED


def _request_capabilities(state: State, command: Command) -> int:
    command.link.send(BUILDERS[mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION](state))
    return ACCEPTED


HANDLERS: dict[int, Handler] = {
    mavlink.MAV_CMD_NAV_LOITER_UNLIM: _switch(Mode.LOITER),
    mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH: _switch(Mode.RTL),
    mavlink.MAV_CMD_NAV_LAND: _switch(Mode.LAND),
    mavlink.MAV_CMD_NAV_TAKEOFF: _take_off,
    mavlink.MAV_CMD_CONDITION_YAW: _condition_yaw,
    mavlink.MAV_CMD_DO_SET_MODE: _do_set_mode,
    mavlink.MAV_CMD_DO_CHANGE_SPEED: _change_speed,
    mavlink.MAV_CMD_DO_SET_HOME: _set_home,
    mavlink.MAV_CMD_SET_EKF_SOURCE_SET: _select_sources,
    mavlink.MAV_CMD_DO_REPOSITION: _reposition,
    mavlink.MAV_CMD_DO_SET_MISSION_CURRENT: _set_current,
    mavlink.MAV_CMD_MISSION_START: _start_mission,
    mavlink.MAV_CMD_COMPONENT_ARM_DISARM: _arm,
    mavlink.MAV_CMD_RUN_PREARM_CHECKS: _run_prearm,
    mavlink.MAV_CMD_GET_HOME_POSITION: _get_home,
    mavlink.MAV_CMD_GET_MESSAGE_INTERVAL: _get_interval,
    mavlink.MAV_CMD_SET_MESSAGE_INTERVAL: _message_interval,
    mavlink.MAV_CMD_REQUEST_MESSAGE: _request_message,
    mavlink.MAV_CMD_REQUEST_AUTOPILOT_CAPABILITIES: _request_capabilities,
}
