"""PX4's modes: a main mode in the third byte of ``custom_mode``, a sub mode in the fourth."""

from __future__ import annotations

_MAIN = {
    1: "MANUAL",
    2: "ALTCTL",
    3: "POSCTL",
    4: "AUTO",
    5: "ACRO",
    6: "OFFBOARD",
    7: "STABILIZED",
    8: "RATTITUDE",
    10: "TERMINATION",
    11: "ALTITUDE_CRUISE",
}
_AUTO, _OFFBOARD = 4, 6
_LOITER = 3
_AUTO_SUB = {
    1: "READY",
    2: "TAKEOFF",
    3: "LOITER",
    4: "MISSION",
    5: "RTL",
    6: "LAND",
    8: "FOLLOW_TARGET",
    9: "PRECLAND",
    10: "VTOL_TAKEOFF",
    **{number: f"EXTERNAL{number - 10}" for number in range(11, 19)},
    19: "COURSE",
    20: "DESCEND",  # observed: where it ends when its position is lost
}


def mode_name(vehicle_type: int, custom_mode: int) -> str:
    """The sub mode's name in AUTO, else the main mode's, or "MODE_<number>"."""
    main, sub = custom_mode >> 16 & 0xFF, custom_mode >> 24 & 0xFF
    if main == _AUTO:
        return _AUTO_SUB.get(sub, f"AUTO_{sub}")
    return _MAIN.get(main, f"MODE_{custom_mode}")


def is_guided(vehicle_type: int, custom_mode: int) -> bool:
    """Whether it is OFFBOARD."""
    return custom_mode >> 16 & 0xFF == _OFFBOARD


def is_hold(vehicle_type: int, custom_mode: int) -> bool:
    """Whether it is Hold."""
    return custom_mode >> 16 & 0xFF == _AUTO and custom_mode >> 24 & 0xFF == _LOITER
