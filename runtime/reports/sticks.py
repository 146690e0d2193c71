"""Whether somebody's sticks are off their centre: the pilot's receiver, or the joystick of a ground station."""

from __future__ import annotations

from typing import Any

AXES, AXES_ID = "MANUAL_CONTROL", 69  # the message of sticks by their axes: a joystick's, or those PX4 flies by
_CENTRE_US, _OFF_US = 1500, 100  # of a channel's pulse; off centre by more than trims and noise
_NO_CHANNEL = (0, 0xFFFF)  # of a channel that does not exist, or that an override leaves to the receiver
_OFF_AXIS = 200  # of a joystick's axis, -1000 to 1000: the same share of its way
_NO_AXIS = 0x7FFF


def sticks_moved(m: Any) -> bool | None:
    """Whether RC_CHANNELS shows the roll, pitch or yaw stick off its centre (default channel order); None where it
    carries no channels."""
    heard = _channels(m)
    return _off(heard) if m.chancount and heard else None


def station_sticks_moved(m: Any) -> bool:
    """Whether a message of a ground station moves a stick off its centre: MANUAL_CONTROL or RC_CHANNELS_OVERRIDE.

    ArduPilot shows both in RC_CHANNELS, PX4 neither. A joystick that rests is sent all the time, and moves nothing.
    """
    if m.get_type() == AXES:
        return any(axis != _NO_AXIS and abs(axis) > _OFF_AXIS for axis in (m.x, m.y, m.r))  # z is the throttle's
    return m.get_type() == "RC_CHANNELS_OVERRIDE" and _off(_channels(m))


def _channels(m: Any) -> list[int]:
    """Roll, pitch and yaw, those that there are; the throttle rests anywhere."""
    return [value for value in (m.chan1_raw, m.chan2_raw, m.chan4_raw) if value not in _NO_CHANNEL]


def _off(channels: list[int]) -> bool:
    return any(abs(value - _CENTRE_US) > _OFF_US for value in channels)
