"""Position targets on their way out: checked, sent, and repeated where the autopilot forgets them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.stack import Stack
from runtime.vehicle.targets import TargetWatch

_ALTITUDES_M = (-500.0, 9000.0)  # AMSL of any ground that a drone flies over: the Dead Sea to beyond Everest


class SetpointSender:
    """Sends what it is given; whether the link and the mode allow it, the vehicle says with each call."""

    def __init__(self, put: Callable[[Any], None], watch: TargetWatch) -> None:
        self._put = put
        self._watch = watch
        self._repeated: Setpoint | None = None
        self._sent_ns = 0

    def drop(self) -> None:
        """Repeat nothing any more."""
        self._repeated = None

    def send(self, setpoint: Setpoint, autopilot: tuple[int, int], stack: Stack, t_ns: int) -> str | None:
        """Send now. None when it went out, else why not: "target_expired" or "target_out_of_range"."""
        if t_ns >= setpoint.expires_t_ns:
            return "target_expired"
        if not sane(setpoint.position, setpoint.altitude_amsl_m):
            return "target_out_of_range"
        self._put(stack.position_target(setpoint.position, setpoint.altitude_amsl_m, *autopilot))
        self._watch.sent(setpoint.position, setpoint.altitude_amsl_m, t_ns)
        self._sent_ns = t_ns
        self._repeated = setpoint if stack.setpoint_period_s is not None else None
        return None

    def idle(self, setpoint: Setpoint, autopilot: tuple[int, int], stack: Stack, t_ns: int) -> str | None:
        """Send the present point to an autopilot that wants a stream before its guided mode, if one is due.

        It is no target of ours: it is neither repeated nor looked for in what the autopilot reports.
        """
        if not stack.wants_idle_stream or stack.setpoint_period_s is None:
            return "no_stream_wanted"
        if not sane(setpoint.position, setpoint.altitude_amsl_m):
            return "target_out_of_range"
        self._repeated = None
        if t_ns - self._sent_ns < stack.setpoint_period_s * 1e9:
            return "not_due"
        self._put(stack.position_target(setpoint.position, setpoint.altitude_amsl_m, *autopilot))
        self._sent_ns = t_ns
        return None

    def repeat(self, autopilot: tuple[int, int], stack: Stack, t_ns: int) -> None:
        """PX4 drops out of OFFBOARD when targets stop; the last one is repeated until it expires."""
        period_s = stack.setpoint_period_s
        if self._repeated is None or period_s is None or t_ns - self._sent_ns < period_s * 1e9:
            return
        if self.send(self._repeated, autopilot, stack, t_ns) is not None:
            self._repeated = None


def sane(position: GeoPoint, altitude_amsl_m: float) -> bool:
    """Range-checked here: PX4 does not, and ArduPilot refuses silently."""
    numbers = (position.latitude_deg, position.longitude_deg, altitude_amsl_m)
    if not all(map(math.isfinite, numbers)) or (position.latitude_deg == 0.0 and position.longitude_deg == 0.0):
        return False
    inside = abs(position.latitude_deg) <= 90.0 and abs(position.longitude_deg) <= 180.0
    return inside and _ALTITUDES_M[0] <= altitude_amsl_m <= _ALTITUDES_M[1]
