"""A plane or QuadPlane of ArduPilot in GUIDED: each target is a DO_REPOSITION, at which it circles for ever.

Read in ArduPlane's source and seen in its simulator (docs/safety.md). SET_POSITION_TARGET_GLOBAL_INT changes the height
alone. DO_REPOSITION is taken as COMMAND_INT in GUIDED only; its third parameter is the radius of the circle, and one
that is not above 0 leaves the last one. Each one begins the approach anew, so a target is sent once, and again only
while POSITION_TARGET_GLOBAL_INT does not show it. That report is there in every mode but MANUAL: it is the point that
is flown to, and from the moment GUIDED is entered the place where that happened.
"""

from __future__ import annotations

from typing import Any

from runtime.values import GeoPoint
from runtime.vehicle.ardupilot import modes
from runtime.vehicle.ardupilot.stack import ArduPilot
from runtime.vehicle.config import LOITER_RADIUS_M
from runtime.vehicle.stack import reposition


class ArduPlane(ArduPilot):
    """See the module; everything else as for a copter."""

    enters_at_a_place = True
    echo_hz = 20.0  # it runs 50 loops a second and denies what comes in more than 40; no target of ours overwrites one
    is_guided = staticmethod(modes.is_plane_guided)

    def __init__(self, loiter_radius_m: float = LOITER_RADIUS_M) -> None:
        self.loiter_radius_m = loiter_radius_m

    def position_target(self, position: GeoPoint, altitude_amsl_m: float, system_id: int, component_id: int) -> Any:
        """DO_REPOSITION, to be circled clockwise at our radius."""
        assert self.loiter_radius_m is not None
        return reposition(position, altitude_amsl_m, system_id, component_id, self.loiter_radius_m)
