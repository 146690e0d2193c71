"""What happens to the vehicle that ends the operator's and the pilot's word, event by event as it is heard."""

from __future__ import annotations

from runtime.guidance.reasons import Reason
from runtime.vehicle.events import (
    ArmedChanged,
    CompanionConflict,
    ConnectionLost,
    ForeignTarget,
    LandedChanged,
    OtherAutopilot,
    Rebooted,
    TargetRefused,
    VehicleEvent,
)

_CAUSES: dict[type[VehicleEvent], Reason] = {
    ConnectionLost: Reason.LINK_LOST,
    Rebooted: Reason.REBOOTED,
    ForeignTarget: Reason.FOREIGN_TARGET,
    TargetRefused: Reason.TARGET_REFUSED,
    OtherAutopilot: Reason.SECOND_AUTOPILOT,
    CompanionConflict: Reason.SECOND_COMPANION,
}


def revocation(event: VehicleEvent) -> Reason | None:
    """Why this event ends authority, consent or confirmation (`runtime.guidance.authority`); None where it does not.

    Guidance notices most of it on its next tick as well; what comes and goes between two ticks is heard only here.
    """
    if isinstance(event, ArmedChanged):
        return Reason.WAS_DISARMED if not event.armed and not event.first else None
    if isinstance(event, LandedChanged):
        return Reason.LANDED if event.previous == "in_air" else None
    return _CAUSES.get(type(event))
