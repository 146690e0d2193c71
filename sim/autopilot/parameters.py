"""ArduCopter's parameters that this autopilot knows; those with an effect are marked, the rest only answer.

Values travel as floats cast from the C type, as ArduPilot sends them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INT8, INT16, INT32, REAL32 = 2, 4, 6, 9  # MAV_PARAM_TYPE
_RANGES = {INT8: (-128, 127), INT16: (-32768, 32767), INT32: (-2147483648, 2147483647)}

# name: (type, default). "*" in the comment: this autopilot acts on it.
_TABLE: dict[str, tuple[int, float]] = {
    "AHRS_EKF_TYPE": (INT8, 3),
    "ANGLE_MAX": (INT16, 3000),
    "ARMING_CHECK": (INT32, 1),
    "AUTO_OPTIONS": (INT32, 0),  # * bit 0 allows arming in AUTO, bit 1 take-off without MISSION_START
    "BATT_ARM_VOLT": (REAL32, 0),
    "BATT_CAPACITY": (INT32, 3300),  # * from AutopilotConfig
    "BATT_CRT_MAH": (REAL32, 0),
    "BATT_CRT_VOLT": (REAL32, 0),
    "BATT_FS_CRT_ACT": (INT8, 0),
    "BATT_FS_LOW_ACT": (INT8, 0),  # * 0 nothing, 1 LAND, 2 RTL
    "BATT_LOW_MAH": (REAL32, 0),  # * remaining charge that is low
    "BATT_LOW_TIMER": (INT8, 10),  # * seconds
    "BATT_LOW_VOLT": (REAL32, 10.5),  # *
    "BATT_MONITOR": (INT8, 4),
    "COMPASS_ENABLE": (INT8, 1),
    "DISARM_DELAY": (INT8, 10),  # * seconds on the ground
    "EK3_ENABLE": (INT8, 1),
    "EK3_SRC1_POSXY": (INT8, 3),  # * 0 none, 3 GPS, 6 external navigation; so in the other sets
    "EK3_SRC1_POSZ": (INT8, 1),
    "EK3_SRC1_VELXY": (INT8, 3),
    "EK3_SRC1_VELZ": (INT8, 3),
    "EK3_SRC1_YAW": (INT8, 1),  # * 1 compass, 6 external navigation; so in the other sets
    "EK3_SRC2_POSXY": (INT8, 0),
    "EK3_SRC2_POSZ": (INT8, 1),
    "EK3_SRC2_VELXY": (INT8, 0),
    "EK3_SRC2_VELZ": (INT8, 0),
    "EK3_SRC2_YAW": (INT8, 0),
    "EK3_SRC3_POSXY": (INT8, 0),
    "EK3_SRC3_POSZ": (INT8, 1),
    "EK3_SRC3_VELXY": (INT8, 0),
    "EK3_SRC3_VELZ": (INT8, 0),
    "EK3_SRC3_YAW": (INT8, 0),
    "EK3_SRC_OPTIONS": (INT16, 0),
    "FENCE_ACTION": (INT8, 1),
    "FENCE_ENABLE": (INT8, 0),
    "FENCE_TOTAL": (INT8, 0),
    "FENCE_TYPE": (INT8, 7),
    "FLTMODE1": (INT8, 7),
    "FLTMODE2": (INT8, 9),
    "FLTMODE3": (INT8, 6),
    "FLTMODE4": (INT8, 3),
    "FLTMODE5": (INT8, 5),
    "FLTMODE6": (INT8, 0),
    "FLTMODE_CH": (INT8, 5),
    "FRAME_CLASS": (INT8, 1),
    "FRAME_TYPE": (INT8, 0),
    "FS_EKF_ACTION": (INT8, 1),  # * 1 LAND, 0 report only
    "FS_EKF_THRESH": (REAL32, 0.8),
    "FS_GCS_ENABLE": (INT8, 0),  # * 1 RTL, 5 LAND
    "FS_GCS_TIMEOUT": (REAL32, 5),  # * seconds
    "FS_OPTIONS": (INT32, 16),
    "FS_THR_ENABLE": (INT8, 1),
    "GPS1_DELAY_MS": (INT16, 0),
    "GPS1_TYPE": (INT8, 1),  # * 0 is no GPS, 14 is GPS_INPUT
    "GPS2_DELAY_MS": (INT16, 0),
    "GPS2_TYPE": (INT8, 0),  # * 14 is GPS_INPUT, anything else no second GPS
    "GPS_AUTO_SWITCH": (INT8, 1),  # * 1 takes the receiver with the better fix
    "GUID_OPTIONS": (INT32, 0),
    "GUID_TIMEOUT": (REAL32, 3),  # * seconds until a velocity target ends
    "INITIAL_MODE": (INT8, 0),
    "LAND_ALT_LOW": (INT16, 1000),  # * cm
    "LAND_SPEED": (INT16, 50),  # * cm/s
    "LAND_SPEED_HIGH": (INT16, 0),  # * cm/s, 0 is WPNAV_SPEED_DN
    "LOG_BITMASK": (INT32, 176126),
    "MAV_GCS_SYSID": (INT16, 255),  # * whose heartbeat the GCS failsafe watches
    "MAV_SYSID": (INT16, 1),
    "MIS_OPTIONS": (INT16, 0),
    "MIS_RESTART": (INT8, 0),  # * 1 starts a mission anew each time
    "MIS_TOTAL": (INT16, 0),  # * follows the mission
    "PILOT_SPEED_DN": (INT16, 0),  # * cm/s, 0 is PILOT_SPEED_UP
    "PILOT_SPEED_UP": (INT16, 250),  # * cm/s
    "PSC_JERK_XY": (REAL32, 5),
    "RC1_MAX": (INT16, 2000),
    "RC1_MIN": (INT16, 1000),
    "RC1_TRIM": (INT16, 1500),
    "RC2_MAX": (INT16, 2000),
    "RC2_MIN": (INT16, 1000),
    "RC2_TRIM": (INT16, 1500),
    "RC3_MAX": (INT16, 2000),
    "RC3_MIN": (INT16, 1000),
    "RC3_TRIM": (INT16, 1000),
    "RC4_MAX": (INT16, 2000),
    "RC4_MIN": (INT16, 1000),
    "RC4_TRIM": (INT16, 1500),
    "RCMAP_PITCH": (INT8, 2),
    "RCMAP_ROLL": (INT8, 1),
    "RCMAP_THROTTLE": (INT8, 3),
    "RCMAP_YAW": (INT8, 4),
    "RTL_ALT": (INT32, 1500),  # * cm
    "RTL_ALT_FINAL": (INT16, 0),
    "RTL_CLIMB_MIN": (INT16, 0),  # * cm
    "RTL_CONE_SLOPE": (REAL32, 3),  # *
    "RTL_LOIT_TIME": (INT32, 5000),  # * ms
    "RTL_SPEED": (INT16, 0),  # * cm/s, 0 is WPNAV_SPEED
    "SIM_GPS1_ENABLE": (INT8, 1),  # * 0 takes the GPS away
    "SIM_GPS1_GLTCH_X": (REAL32, 0),  # * degrees of latitude
    "SIM_GPS1_GLTCH_Y": (REAL32, 0),  # * degrees of longitude
    "SIM_GPS1_GLTCH_Z": (REAL32, 0),  # * metres
    "SIM_WIND_DIR": (REAL32, 180),
    "SIM_WIND_SPD": (REAL32, 0),
    "VISO_DELAY_MS": (INT16, 10),  # * how old an ODOMETRY is taken to be when it comes
    "VISO_POS_M_NSE": (REAL32, 0.2),
    "VISO_QUAL_MIN": (INT8, 0),  # * an ODOMETRY of less quality is not used
    "VISO_SCALE": (REAL32, 1),
    "VISO_TYPE": (INT8, 0),  # * 1 takes ODOMETRY
    "VISO_VEL_M_NSE": (REAL32, 0.1),
    "WPNAV_ACCEL": (REAL32, 250),
    "WPNAV_ACCEL_Z": (REAL32, 100),
    "WPNAV_JERK": (REAL32, 1),
    "WPNAV_RADIUS": (REAL32, 200),  # * cm
    "WPNAV_SPEED": (REAL32, 1000),  # * cm/s
    "WPNAV_SPEED_DN": (REAL32, 150),  # * cm/s
    "WPNAV_SPEED_UP": (REAL32, 250),  # * cm/s
    "WP_YAW_BEHAVIOR": (INT8, 2),  # * 0 never turns the nose
}
# ArduPilot announces a whole vector when one of its elements changes.
_VECTORS = (("SIM_GPS1_GLTCH_X", "SIM_GPS1_GLTCH_Y", "SIM_GPS1_GLTCH_Z"),)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as PARAM_VALUE carries it."""

    name: str
    value: float
    type: int
    index: int


class Parameters:
    """The table, in order of names, with the values now in force. Unknown names have no answer."""

    def __init__(self, overrides: Mapping[str, float]) -> None:
        self._names = sorted(_TABLE)
        self._index = {name: i for i, name in enumerate(self._names)}
        self._values = {name: float(default) for name, (_, default) in _TABLE.items()}
        for name, value in overrides.items():
            if not self.set(name, value):
                raise ValueError(f"{name} is not a parameter of the built-in autopilot")

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def get(self, name: str) -> Parameter | None:
        """The parameter of this name, or None."""
        if name not in self._index:
            return None
        return Parameter(name, self._values[name], _TABLE[name][0], self._index[name])

    def at(self, index: int) -> Parameter | None:
        """The parameter with this index, or None."""
        return self.get(self._names[index]) if 0 <= index < len(self._names) else None

    def set(self, name: str, value: float) -> bool:
        """Casts ``value`` to the parameter's type and keeps it; False where there is none of that name."""
        if name not in self._index or value != value:
            return False
        kind = _TABLE[name][0]
        if kind != REAL32:
            low, high = _RANGES[kind]
            value = float(max(low, min(high, round(value))))
        self._values[name] = value
        return True

    def announced_with(self, name: str) -> tuple[str, ...]:
        """The names that ArduPilot sends when this one is set."""
        return next((vector for vector in _VECTORS if name in vector), (name,))
