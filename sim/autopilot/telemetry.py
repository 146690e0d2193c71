"""The messages that describe the vehicle: each made from the estimate, none from the truth."""

from __future__ import annotations

import math
from collections.abc import Callable

from runtime.rotations import ned_from_euler
from sim.autopilot.gps import NO_GPS, Sample
from sim.autopilot.guided import Place
from sim.autopilot.modes import Mode
from sim.autopilot.state import State
from sim.autopilot.vehicle import Vehicle
from sim.autopilot.wire import NOT_A_NUMBER, Message, mavlink

PRESENT, ENABLED, HEALTH = 0x5371FC0F, 0x52419C0F, 0x47519C0F  # SYS_STATUS as recorded before there is a GPS
SENSOR_GPS, SENSOR_AHRS, SENSOR_LOGGING, PREARM = 0x20, 0x200000, 0x1000000, 0x10000000
CONTROL_Z, CONTROL_XY = 0x2000, 0x4000
AHRS_S = 22.5  # recorded: after boot
TARGET_MASK = 65016  # POSITION_TARGET_GLOBAL_INT: position only, as recorded
CAPABILITIES = 2 | 4 | 8 | 128 | 256 | 2048 | 8192
# parameters as floats, MISSION_INT, COMMAND_INT, targets local and global, flight termination, MAVLink 2
VERSION_4_7_0_DEV = 0x04070000
MILLI, CENTI = 1e3, 1e2

Builder = Callable[[State], Message | None]


def heartbeat(state: State) -> Message:
    """HEARTBEAT: a quadrotor flown by ArduPilot."""
    return mavlink.MAVLink_heartbeat_message(
        2, 3, state.base_mode, int(state.flight.mode), state.system_status, 3
    )


def sys_status(state: State) -> Message:
    """SYS_STATUS with the prearm bit and the sensors in use."""
    vehicle, flight = state.vehicle, state.flight
    used = SENSOR_GPS if _receives(vehicle) else 0
    controlled = SENSOR_AHRS if vehicle.t_s >= AHRS_S else 0
    if flight.mode not in (Mode.STABILIZE, Mode.ALT_HOLD):
        controlled |= CONTROL_Z | (CONTROL_XY if vehicle.estimator.position_ok else 0)
    if vehicle.armed:
        controlled |= SENSOR_LOGGING
    ready = PREARM if vehicle.armed or not flight.prearm_problems() else 0
    battery = vehicle.battery
    return mavlink.MAVLink_sys_status_message(
        PRESENT | used, ENABLED | used | controlled, HEALTH | used | controlled | ready, 0,
        round(battery.voltage_v * MILLI), round(battery.current_a * CENTI), round(battery.remaining * 100),
        0, 0, 0, 0, 0, 0,
    )  # fmt: skip


def attitude(state: State) -> Message:
    """ATTITUDE."""
    here, rates = state.vehicle.estimator, state.vehicle.body.rates
    yaw = math.remainder(here.yaw, 2 * math.pi)
    return mavlink.MAVLink_attitude_message(state.boot_ms, here.roll, here.pitch, yaw, *rates)


def attitude_quaternion(state: State) -> Message:
    """ATTITUDE_QUATERNION."""
    here, rates = state.vehicle.estimator, state.vehicle.body.rates
    q = ned_from_euler(here.roll, here.pitch, here.yaw)
    return mavlink.MAVLink_attitude_quaternion_message(state.boot_ms, *q, *rates)


def global_position_int(state: State) -> Message:
    """GLOBAL_POSITION_INT: zeros but for the height until the EKF has an origin."""
    vehicle = state.vehicle
    here = vehicle.estimator
    heading = round(math.degrees(here.yaw) * CENTI) % 36000
    velocity = (round(here.vn * CENTI), round(here.ve * CENTI), round(-here.vh * CENTI))
    height = round(vehicle.height * MILLI)  # the barometer's, origin or not
    if here.origin_ne is None:
        return mavlink.MAVLink_global_position_int_message(state.boot_ms, 0, 0, 0, height, *velocity, heading)
    latitude, longitude = vehicle.position()
    return mavlink.MAVLink_global_position_int_message(
        state.boot_ms, round(latitude * 1e7), round(longitude * 1e7), round(vehicle.altitude_amsl_m * MILLI),
        height, *velocity, heading,
    )  # fmt: skip


def local_position_ned(state: State) -> Message | None:
    """LOCAL_POSITION_NED from the EKF origin, known or not, once there is a position."""
    here = state.vehicle.estimator
    if not here.position_ok:
        return None
    origin = here.origin_ne or (0.0, 0.0)
    n, e = here.n - origin[0], here.e - origin[1]
    return mavlink.MAVLink_local_position_ned_message(
        state.boot_ms, n, e, -here.h, here.vn, here.ve, -here.vh
    )


def _receives(vehicle: Vehicle) -> bool:
    """Whether any receiver is there."""
    return any(one is not None and one.fix_type > NO_GPS for one in map(vehicle.sources.receiver, (1, 2)))


def gps_raw_int(state: State) -> Message:
    """GPS_RAW_INT: the first receiver's last position, whatever the EKF thinks of it; its fix falls to 1 when lost."""
    receiver = state.vehicle.sources.receiver(1)
    if receiver is None or receiver.sample is None:
        fix, seen = (0, 0) if receiver is None else (receiver.fix_type, receiver.satellites)
        return mavlink.MAVLink_gps_raw_int_message(0, fix, 0, 0, 0, 65535, 65535, 0, 0, seen)
    place, speed, course = _received(state.vehicle, receiver.sample)
    return mavlink.MAVLink_gps_raw_int_message(
        round(receiver.sample.t_s * 1e6), receiver.fix_type, *place, 121, 200, speed, course, receiver.satellites,
        place[2], 300, 300, 0, 0, 0,
    )  # fmt: skip


def gps2_raw(state: State) -> Message | None:
    """GPS2_RAW: the second receiver's, where GPS2_TYPE names one."""
    receiver = state.vehicle.sources.receiver(2)
    if receiver is None:
        return None
    if receiver.sample is None:
        return mavlink.MAVLink_gps2_raw_message(0, receiver.fix_type, 0, 0, 0, 65535, 65535, 0, 0, 0, 0, 0)
    place, speed, course = _received(state.vehicle, receiver.sample)
    return mavlink.MAVLink_gps2_raw_message(
        round(receiver.sample.t_s * 1e6), receiver.fix_type, *place, 80, 100, speed, course, receiver.satellites, 0, 0,
        0, 0, 800, 1200, 300, 0,
    )  # fmt: skip


def _received(vehicle: Vehicle, sample: Sample) -> tuple[tuple[int, int, int], int, int]:
    """Latitude, longitude (1e-7 degrees) and altitude (mm), speed (cm/s), course (1e-2 degrees) of a receiver."""
    latitude, longitude = vehicle.frame.geodetic(sample.n, sample.e)
    altitude = round((vehicle.config.home_altitude_amsl_m + sample.h) * MILLI)
    vn, ve, _ = sample.velocity
    course = round(math.degrees(math.atan2(ve, vn)) * CENTI) % 36000
    return (round(latitude * 1e7), round(longitude * 1e7), altitude), round(math.hypot(vn, ve) * CENTI), course


def ekf_status_report(state: State) -> Message:
    """EKF_STATUS_REPORT: flags, and a position variance that shows a rejected GPS."""
    here = state.vehicle.estimator
    return mavlink.MAVLink_ekf_status_report_message(
        here.flags, 0.01, here.position_variance, 0.001, 0.01, 0.0, 0.0
    )


def extended_sys_state(state: State) -> Message:
    """EXTENDED_SYS_STATE: on ground, taking off, in air, landing."""
    return mavlink.MAVLink_extended_sys_state_message(0, state.flight.landed_state)


def position_target_global_int(state: State) -> Message | None:
    """POSITION_TARGET_GLOBAL_INT where the mode flies to a place; silent otherwise."""
    vehicle, flight = state.vehicle, state.flight
    place: tuple[float, float, float] | None = None
    if flight.guided is not None and isinstance(flight.guided.target, Place):
        target = flight.guided.target
        place = (target.n, target.e, target.h)
    elif flight.auto is not None:
        place = flight.auto.place(vehicle)
    elif flight.mode is Mode.RTL and vehicle.home is not None:
        place = (vehicle.home.n, vehicle.home.e, vehicle.estimator.h)
    if place is None or not vehicle.armed:
        return None
    latitude, longitude = vehicle.frame.geodetic(place[0], place[1])
    altitude = vehicle.estimator.origin_amsl_m + place[2]
    return mavlink.MAVLink_position_target_global_int_message(
        state.boot_ms, 0, TARGET_MASK, round(latitude * 1e7), round(longitude * 1e7), altitude,
        0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip


def home_position(state: State) -> Message | None:
    """HOME_POSITION, once there is one."""
    vehicle = state.vehicle
    home, origin = vehicle.home, vehicle.estimator.origin_ne
    if home is None or origin is None:
        return None
    latitude, longitude = vehicle.frame.geodetic(home.n, home.e)
    altitude = vehicle.estimator.origin_amsl_m + home.h
    return mavlink.MAVLink_home_position_message(
        round(latitude * 1e7), round(longitude * 1e7), round(altitude * MILLI), home.n - origin[0],
        home.e - origin[1], -home.h, [NOT_A_NUMBER] * 4, 0, 0, 0, state.boot_us,
    )  # fmt: skip


def gps_global_origin(state: State) -> Message | None:
    """GPS_GLOBAL_ORIGIN, once the EKF has one."""
    vehicle = state.vehicle
    if vehicle.estimator.origin_ne is None:
        return None
    latitude, longitude = vehicle.frame.geodetic(*vehicle.estimator.origin_ne)
    altitude = round(vehicle.estimator.origin_amsl_m * MILLI)
    return mavlink.MAVLink_gps_global_origin_message(
        round(latitude * 1e7), round(longitude * 1e7), altitude, state.boot_us
    )


def system_time(state: State) -> Message:
    """SYSTEM_TIME: the date is the configuration's, never this computer's."""
    return mavlink.MAVLink_system_time_message(
        round(state.vehicle.config.unix_time_s * 1e6) + state.boot_us, state.boot_ms
    )


def mission_current(state: State) -> Message:
    """MISSION_CURRENT."""
    total = max(0, len(state.mission.items) - 1)
    return mavlink.MAVLink_mission_current_message(
        state.mission.current, total, int(state.flight.mission_state), 1
    )


def battery_status(state: State) -> Message:
    """BATTERY_STATUS of the one battery."""
    battery = state.vehicle.battery
    cells = [round(battery.voltage_v * MILLI)] + [65535] * 9
    energy = round(battery.used_mah / 1000 * battery.voltage_v * 36)  # hJ
    return mavlink.MAVLink_battery_status_message(
        0, 0, 0, 32767, cells, round(battery.current_a * CENTI), round(battery.used_mah), energy,
        round(battery.remaining * 100), 0, 1,
    )  # fmt: skip


def rc_channels(state: State) -> Message:
    """RC_CHANNELS: centred sticks, the pilot's throttle."""
    first = [1500, 1500, state.vehicle.throttle_pwm, 1500, 1800, 1000, 1000, 1800]
    return mavlink.MAVLink_rc_channels_message(state.boot_ms, 16, *first, *[0] * 10, 255)


def vfr_hud(state: State) -> Message:
    """VFR_HUD, which ground stations show."""
    vehicle = state.vehicle
    here = vehicle.estimator
    speed = math.hypot(here.vn, here.ve)
    heading = round(math.degrees(here.yaw)) % 360
    throttle = 39 if vehicle.armed and not vehicle.landed else 0
    return mavlink.MAVLink_vfr_hud_message(speed, speed, heading, throttle, vehicle.altitude_amsl_m, here.vh)


def autopilot_version(state: State) -> Message:
    """AUTOPILOT_VERSION: says what this autopilot can do; the version is the one that was recorded."""
    return mavlink.MAVLink_autopilot_version_message(
        CAPABILITIES, VERSION_4_7_0_DEV, 0, 0, 0, [0] * 8, [0] * 8, [0] * 8, 0, 0, 1
    )


def fence_status(state: State) -> Message | None:
    """FENCE_STATUS may be asked for; ArduCopter sends it while a fence is enabled, and here none is."""
    return None


BUILDERS: dict[int, Builder] = {
    mavlink.MAVLINK_MSG_ID_FENCE_STATUS: fence_status,
    mavlink.MAVLINK_MSG_ID_GPS2_RAW: gps2_raw,
    mavlink.MAVLINK_MSG_ID_HEARTBEAT: heartbeat,
    mavlink.MAVLINK_MSG_ID_SYS_STATUS: sys_status,
    mavlink.MAVLINK_MSG_ID_SYSTEM_TIME: system_time,
    mavlink.MAVLINK_MSG_ID_GPS_RAW_INT: gps_raw_int,
    mavlink.MAVLINK_MSG_ID_ATTITUDE: attitude,
    mavlink.MAVLINK_MSG_ID_ATTITUDE_QUATERNION: attitude_quaternion,
    mavlink.MAVLINK_MSG_ID_LOCAL_POSITION_NED: local_position_ned,
    mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: global_position_int,
    mavlink.MAVLINK_MSG_ID_MISSION_CURRENT: mission_current,
    mavlink.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN: gps_global_origin,
    mavlink.MAVLINK_MSG_ID_RC_CHANNELS: rc_channels,
    mavlink.MAVLINK_MSG_ID_VFR_HUD: vfr_hud,
    mavlink.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT: position_target_global_int,
    mavlink.MAVLINK_MSG_ID_BATTERY_STATUS: battery_status,
    mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION: autopilot_version,
    mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT: ekf_status_report,
    mavlink.MAVLINK_MSG_ID_HOME_POSITION: home_position,
    mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: extended_sys_state,
}
