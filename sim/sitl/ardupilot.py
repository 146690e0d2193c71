"""ArduCopter's firmware in ArduPilot's own simulator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.rotations import ned_from_euler
from runtime.values import GeoPoint
from sim.autopilot.gps import METRES_PER_GLITCH_DEGREE
from sim.scenario.conditions import FALLBACK, Conditions
from sim.scenario.copter import COPTER
from sim.scenario.dialect import Dialect
from sim.scenario.plan import Point
from sim.sitl.firmware import Reception, Stand, Sticks, TrueState

_DEFAULTS = Path(__file__).with_name("copter.parm")
_FIRST_PORT, _PORTS_AN_INSTANCE, _STATION_PORT = 5760, 10, 2  # SERIAL0 and SERIAL1
_TRUTH_HZ, _BELIEF_HZ = 50.0, 10.0
_STICK_PWM = 500.0  # from the centre to the end


class ArduCopter:
    """See `sim.sitl.firmware.Firmware`."""

    name = "ArduCopter"
    variable = "HOMING_ARDUCOPTER"
    instances = 20
    dialect: Dialect = COPTER
    waived: tuple[str, ...] = ()
    guided_by: Mapping[str, str] = {}
    connect = (f"tcp:127.0.0.1:{_FIRST_PORT}", f"tcp:127.0.0.1:{_FIRST_PORT + _STATION_PORT}")
    streams_hz = {
        mavlink.MAVLINK_MSG_ID_SIM_STATE: _TRUTH_HZ,
        mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: _BELIEF_HZ,
    }

    def command(self, binary: Path, folder: Path, instance: int, stand: Stand) -> tuple[list[str], tuple[str, str]]:
        """A quadrotor with the parameters of ArduPilot's own tests, set up already: no reboot is needed for it."""
        defaults = folder / "defaults.parm"
        ours = "".join(f"{name} {value:g}\n" for name, value in self.set_up().items())
        defaults.write_text(_DEFAULTS.read_text(encoding="utf-8") + ours, encoding="utf-8")
        where = stand.position
        home = f"{where.latitude_deg:.8f},{where.longitude_deg:.8f},{stand.altitude_amsl_m:.2f},0"
        words = [str(binary), "--model", "+", "--speedup", "1", "-I", str(instance), "--home", home,
                 "--defaults", str(defaults.resolve())]  # fmt: skip
        port = _FIRST_PORT + _PORTS_AN_INSTANCE * instance
        return words, (f"tcp:127.0.0.1:{port}", f"tcp:127.0.0.1:{port + _STATION_PORT}")

    def set_up(self) -> Mapping[str, float]:
        """GPS first, and a second source set that flies by what the companion feeds."""
        return {
            "BATT_CAPACITY": 20_000.0,  # its own 3,300 are down to the reserve after six minutes
            **FALLBACK,
            "EK3_SRC2_POSZ": 1.0,
            "EK3_SRC2_VELZ": 0.0,  # the camera measures no climb
            "VISO_DELAY_MS": 140.0,  # from exposure to sending: a camera's 60 ms, and odometry
            "VISO_VEL_M_NSE": 0.5,  # its own 0.1 m/s rejects a camera's velocities
        }

    def taken_at_boot(self) -> frozenset[str]:
        """The driver of external navigation."""
        return frozenset({"VISO_TYPE"})

    def started_with(self) -> Mapping[str, float]:
        """Nothing: a reboot does."""
        return {}

    def weather(self, conditions: Conditions, seed: int) -> Mapping[str, float]:
        """SIM_WIND_DIR is where it comes from; turbulence is in its own units."""
        north, east = conditions.wind_ne_m_s(seed)
        from_deg = math.degrees(math.atan2(-east, -north)) % 360.0
        return {"SIM_WIND_SPD": math.hypot(north, east), "SIM_WIND_DIR": from_deg, "SIM_WIND_TURB": conditions.gust_m_s}

    def receiver(self, heard: bool) -> Mapping[str, float]:
        """By both names: older firmware has the second."""
        return {"SIM_GPS1_ENABLE": 1.0 if heard else 0.0, "SIM_GPS_DISABLE": 0.0 if heard else 1.0}

    def forged(self, offset_ne_m: Point, at: GeoPoint) -> Mapping[str, float]:
        """A glitch of the position, in degrees; its simulator has none of the velocity, which stays honest."""
        north, east = offset_ne_m
        shrunk = METRES_PER_GLITCH_DEGREE * math.cos(math.radians(at.latitude_deg))
        return {"SIM_GPS1_GLTCH_X": north / METRES_PER_GLITCH_DEGREE, "SIM_GPS1_GLTCH_Y": east / shrunk}

    def fix(self, state: TrueState, reception: Reception) -> None:
        """Its simulator has its own."""

    def fly_by_gps(self) -> list[Any]:
        """The pilot's own switch of the EKF source set."""
        number = mavlink.MAV_CMD_SET_EKF_SOURCE_SET
        return [mavlink.MAVLink_command_long_message(1, 1, number, 0, 1.0, 0, 0, 0, 0, 0, 0)]

    def sticks(self, sticks: Sticks, armed: bool) -> Any:
        """Left alone, the simulator's throttle stick lies at the bottom, which is a descent in LOITER."""
        throttle = 1500 + _pwm(sticks.climb) if armed else 1000  # "Throttle is not neutral" refuses to arm
        others = (1500 + _pwm(sticks.roll), 1500 + _pwm(sticks.pitch), throttle, 1500 + _pwm(sticks.yaw))
        return mavlink.MAVLink_rc_channels_override_message(1, 1, *others, *[0xFFFF] * 4)

    def parameter_set(self, name: str, value: float) -> Any:
        """All are floats on the wire."""
        kind = mavlink.MAV_PARAM_TYPE_REAL32
        return mavlink.MAVLink_param_set_message(1, 1, name.encode("ascii"), value, kind)

    def parameter_value(self, message: Any) -> float:
        """All are floats on the wire."""
        return float(message.param_value)

    def true_state(self, message: Any) -> TrueState | None:
        """SIM_STATE."""
        if message.get_type() != "SIM_STATE":
            return None
        return TrueState(
            GeoPoint(message.lat_int * 1e-7, message.lon_int * 1e-7),
            message.alt,
            (message.vn, message.ve, message.vd),
            ned_from_euler(message.roll, message.pitch, message.yaw),
            (message.xgyro, message.ygyro, message.zgyro),
        )


def _pwm(share: float) -> int:
    return round(_STICK_PWM * max(-1.0, min(1.0, share)))
