"""ArduCopter's flight modes: their numbers, and what each needs."""

from __future__ import annotations

from enum import IntEnum


class Mode(IntEnum):
    """``custom_mode`` of ArduCopter's HEARTBEAT; modes that are not here are refused like unknown numbers."""

    STABILIZE = 0
    ALT_HOLD = 2
    AUTO = 3
    GUIDED = 4
    LOITER = 5
    RTL = 6
    LAND = 9
    POSHOLD = 16
    BRAKE = 17


# An armed vehicle enters these only with a position estimate.
NEEDS_POSITION = frozenset({Mode.AUTO, Mode.GUIDED, Mode.LOITER, Mode.RTL, Mode.POSHOLD, Mode.BRAKE})
# Arming is refused in the others; in AUTO it depends on AUTO_OPTIONS.
ARMABLE = frozenset({Mode.STABILIZE, Mode.ALT_HOLD, Mode.LOITER, Mode.GUIDED, Mode.POSHOLD})
# The vehicle disarms as soon as it has landed in these.
DISARMS_ON_LANDING = frozenset({Mode.AUTO, Mode.RTL, Mode.LAND})


def mode_of(custom_mode: int) -> Mode | None:
    """The mode with this number, or None where the number is not one that this autopilot flies."""
    try:
        return Mode(custom_mode)
    except ValueError:
        return None
