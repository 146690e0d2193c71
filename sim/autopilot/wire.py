"""The dialect: ArduPilot's, MAVLink 2, whatever the environment says."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

Message = Any  # pymavlink's classes carry no types that a checker can use

NOT_A_NUMBER = float("nan")


def clamp_int(value: float, low: int, high: int) -> int:
    """``value`` rounded and kept within an integer field."""
    return max(low, min(high, round(value)))


__all__ = ["NOT_A_NUMBER", "Message", "clamp_int", "mavlink"]
