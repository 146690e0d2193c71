"""PX4's firmware with the quadrotor of its own built-in simulator (SIH)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import offset
from runtime.mavlink.byte_value import with_bytes
from runtime.values import GeoPoint
from runtime.vehicle.parameters.encoding import decoded, encoded, wire_of
from sim.scenario.conditions import Conditions
from sim.scenario.dialect import Dialect
from sim.scenario.plan import Point
from sim.scenario.px4 import PX4, PX4_IN_HOLD
from sim.scenario.setup import CRUISE_M_S
from sim.sitl.firmware import Reception, Stand, Sticks, TrueState

_ONBOARD_PORT, _STATION_PORT = 14540, 14550  # PX4 sends to them; the second is one for all instances
_OWN_STATION_PORT = 18570  # whoever speaks to this port of an instance first is its ground station
_AIRFRAME = "10040"  # sihsim_quadx
_TRUTH_HZ, _BELIEF_HZ = 50.0, 10.0
_STICK = 1000.0  # MANUAL_CONTROL at the end of the way
_POSITION_AND_VELOCITY = 0b0101  # EKF2_EV_CTRL: height and heading stay PX4's own
_HOLD = 5  # COM_OBL_RC_ACT
_SATELLITES, _FIX_3D = 10, 3
_GPS_DELAY_MS = 10  # of the played receiver: half a period of the truth is carried on, the way here is not
_EPH_CM, _EPV_CM = 90, 178  # as its own simulator's receiver says


class Px4:
    """See `sim.sitl.firmware.Firmware`. Parameters that are whole numbers are ``int`` here, for PX4 has them so.

    Its own simulator's receiver can lose its fix and no more: it is left out, and HIL_GPS takes its place.
    """

    name = "PX4"
    variable = "HOMING_PX4"
    instances = 10  # the eleventh and those after it would all send to one port
    dialect: Dialect = PX4
    guided_by: Mapping[str, str] = {}
    waived = ("fence",)  # no message says that one is kept
    connect = (f"udpin:127.0.0.1:{_ONBOARD_PORT}", f"udpin:127.0.0.1:{_STATION_PORT}")
    streams_hz = {
        mavlink.MAVLINK_MSG_ID_HIL_STATE_QUATERNION: _TRUTH_HZ,
        mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: _BELIEF_HZ,
    }

    def command(self, binary: Path, folder: Path, instance: int, stand: Stand) -> tuple[list[str], tuple[str, str]]:
        """``build/NAME/bin/px4``, with the start-up files beside it; its memory lies in ``folder``."""
        where = stand.position
        words = ["env", "PX4_SIM_MODEL=sihsim_quadx", "PX4_SIMULATOR=sihsim", f"PX4_SYS_AUTOSTART={_AIRFRAME}",
                 f"PX4_HOME_LAT={where.latitude_deg:.8f}", f"PX4_HOME_LON={where.longitude_deg:.8f}",
                 f"PX4_HOME_ALT={stand.altitude_amsl_m:.2f}", "PX4_PARAM_MAV_SYS_ID=1",
                 *(f"PX4_PARAM_{name}={value:g}" for name, value in self.started_with().items()),
                 str(binary), "-i", str(instance), "-d", str(binary.parent.parent / "etc"),
                 "-w", str(folder.resolve())]  # fmt: skip
        onboard, station = _ONBOARD_PORT + instance, _OWN_STATION_PORT + instance
        return words, (f"udpin:127.0.0.1:{onboard}", f"udpout:127.0.0.1:{station}")

    def set_up(self) -> Mapping[str, float]:
        """External vision for place and speed; what it does when targets stop; the speed of position targets, which
        it flies to as fast as it may."""
        return {
            "MAV_USEHILGPS": 1,
            "SENS_GPS0_DELAY": _GPS_DELAY_MS,
            "EKF2_EV_CTRL": _POSITION_AND_VELOCITY,
            "EKF2_EV_NOISE_MD": 0,  # the sigma that comes with the position
            "EKF2_EVP_NOISE": 0.5,
            "EKF2_EVV_NOISE": 0.5,
            "COM_OBL_RC_ACT": _HOLD,
            "MPC_XY_VEL_MAX": CRUISE_M_S,
            "MPC_XY_CRUISE": CRUISE_M_S,
            "MPC_TKO_SPEED": 3.0,
            "MPC_TILTMAX_AIR": 30.0,  # a camera that is fixed to the body has to see the ground
            "SIH_KDV": 0.3,  # N per m/s, of its 1 kg: by its own 1.0 it leans 39 degrees at 8 m/s
            "NAV_ACC_RAD": 2.0,  # or a survey's corners are cut
        }

    def taken_at_boot(self) -> frozenset[str]:
        """Nothing of it."""
        return frozenset()

    def started_with(self) -> Mapping[str, float]:
        """Without its own receiver."""
        return {"SENS_EN_GPSSIM": 0}

    def weather(self, conditions: Conditions, seed: int) -> Mapping[str, float]:
        """SIH's wind is where it comes from, and steady."""
        north, east = conditions.wind_ne_m_s(seed)
        return {"SIH_WIND_N": -north, "SIH_WIND_E": -east}

    def receiver(self, heard: bool) -> Mapping[str, float]:
        """It is played."""
        return {}

    def forged(self, offset_ne_m: Point, at: GeoPoint) -> Mapping[str, float]:
        """It is played."""
        return {}

    def fix(self, state: TrueState, reception: Reception) -> Any:
        """HIL_GPS: where it is, or is made to believe that it is, with the velocity that goes with it."""
        place = offset(state.position, *reception.offset_ne_m)
        north, east = (v + rate for v, rate in zip(state.velocity_ned_m_s, reception.rate_ne_m_s, strict=False))
        cm_s = [round(100.0 * v) for v in (math.hypot(north, east), north, east, state.velocity_ned_m_s[2])]
        course_cdeg = round(100.0 * (math.degrees(math.atan2(east, north)) % 360.0)) % 36_000
        fix, satellites = (_FIX_3D, _SATELLITES) if reception.heard else (0, 0)
        return mavlink.MAVLink_hil_gps_message(
            0, fix, round(place.latitude_deg * 1e7), round(place.longitude_deg * 1e7),
            round(state.altitude_amsl_m * 1e3), _EPH_CM, _EPV_CM, *cm_s, course_cdeg, satellites,
        )  # fmt: skip

    def fly_by_gps(self) -> list[Any]:
        """Nothing: it flies by whatever comes."""
        return []

    def sticks(self, sticks: Sticks, armed: bool) -> Any:
        """MANUAL_CONTROL: a joystick; its throttle is in the middle at 500."""
        pitch, roll, yaw = (round(_STICK * share) for share in (-sticks.pitch, sticks.roll, sticks.yaw))
        return mavlink.MAVLink_manual_control_message(1, pitch, roll, round(_STICK * (1 + sticks.climb) / 2), yaw, 0)

    def parameter_set(self, name: str, value: float) -> Any:
        """Whole numbers travel as the bits of an int32."""
        kind = mavlink.MAV_PARAM_TYPE_INT32 if isinstance(value, int) else mavlink.MAV_PARAM_TYPE_REAL32
        message = mavlink.MAVLink_param_set_message(1, 1, name.encode("ascii"), 0.0, kind)
        return with_bytes(message, encoded(value, kind, bytewise=True))

    def parameter_value(self, message: Any) -> float:
        """See `parameter_set`."""
        value = decoded(wire_of(bytes(message.get_msgbuf())), message.param_type, bytewise=True)
        return math.nan if value is None else value

    def true_state(self, message: Any) -> TrueState | None:
        """HIL_STATE_QUATERNION."""
        if message.get_type() != "HIL_STATE_QUATERNION" or (message.lat, message.lon) == (0, 0):
            return None
        w, x, y, z = message.attitude_quaternion
        return TrueState(
            GeoPoint(message.lat * 1e-7, message.lon * 1e-7),
            message.alt / 1000.0,
            (message.vx / 100.0, message.vy / 100.0, message.vz / 100.0),
            (w, x, y, z),
            (message.rollspeed, message.pitchspeed, message.yawspeed),
        )



class Px4InHold(Px4):
    """The same, guided in Hold by repositions instead of in OFFBOARD by a stream."""

    dialect: Dialect = PX4_IN_HOLD
    guided_by: Mapping[str, str] = {"px4_guided_mode": "hold"}
