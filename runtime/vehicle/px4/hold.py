"""PX4 guided in Hold: each target is a DO_REPOSITION, and no stream is needed before, in or after it.

PX4 heeds the command in Hold alone, and keeps its last place: a companion that dies leaves it flying there, and then
holding. But Hold is also where PX4 itself ends up: after a take-off, after a mission, in failsafes, and
(``NAV_RCL_ACT`` 7) when a receiver is lost in a mode flown by hand. So a change to it counts as the pilot's switch only
from such a mode, with no failsafe in the same heartbeat and a receiver that works; guidance looks at the last.
"""

from __future__ import annotations

from typing import Any

from runtime.values import GeoPoint
from runtime.vehicle.px4 import modes
from runtime.vehicle.px4.stack import Px4
from runtime.vehicle.stack import reposition

_BY_HAND = frozenset({"MANUAL", "ALTCTL", "POSCTL", "STABILIZED", "ACRO", "ALTITUDE_CRUISE"})


class Px4Hold(Px4):
    """See the module; everything else as for OFFBOARD."""

    setpoint_period_s: float | None = None
    wants_idle_stream = False
    reports_local_targets = False  # in Hold those are points of the smoothed way; the place is told globally
    is_guided = staticmethod(modes.is_hold)

    def is_pilots_switch(self, previous: str | None) -> bool:
        """Only from a mode that is flown by hand: from any other PX4 may have changed by itself."""
        return previous in _BY_HAND

    def position_target(self, position: GeoPoint, altitude_amsl_m: float, system_id: int, component_id: int) -> Any:
        """DO_REPOSITION without flags: one of them would change the mode."""
        return reposition(position, altitude_amsl_m, system_id, component_id)
