"""What goes into the flight log, as plain JSON-able records."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

from runtime.daemon.frame_gate import PosedFrame
from runtime.daemon.target_handler import point
from runtime.guidance.guidance import GuidanceDecision
from runtime.localizer import FixDifference
from runtime.values import Estimate, Fix, GeoPoint, Setpoint
from runtime.vehicle.events import VehicleEvent


def event_record(event: VehicleEvent) -> dict[str, Any]:
    """A vehicle event by its name and fields."""
    fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    return {"event": type(event).__name__, **{name: _plain(value) for name, value in fields.items()}}


def fix_record(fix: Fix, difference: FixDifference | None, posed: PosedFrame) -> dict[str, Any]:
    """A fix with the autopilot's word at the same exposure beside it."""
    apart = None if difference is None else dataclasses.asdict(difference)
    return {
        **{field.name: _plain(getattr(fix, field.name)) for field in dataclasses.fields(fix)},
        "exposed_t_ns": posed.frame.t_ns,
        "frame": posed.frame.index,
        "autopilot": _plain(posed.pose.position),
        "difference": None if apart is None or difference is None else {**apart, "distance_m": difference.distance_m},
    }


def decision_record(decision: GuidanceDecision, estimate: Estimate) -> dict[str, Any]:
    """Guidance's state with every reason."""
    return {
        "state": decision.state.value,
        "phase": decision.phase.value,
        "reasons": [reason.value for reason in decision.reasons],
        "distance_m": decision.distance_m,
        "position": _plain(estimate.position),
        "sigma_m": estimate.sigma_m,
        "trusted": estimate.trusted,
        "estimate_t_ns": estimate.t_ns,
    }


def setpoint_record(setpoint: Setpoint, withheld: str | None) -> dict[str, Any]:
    """A position target; ``withheld``: why it was not sent."""
    return {
        **point(setpoint.position),
        "altitude_amsl_m": setpoint.altitude_amsl_m,
        "expires_t_ns": setpoint.expires_t_ns,
        "reason": setpoint.reason,
        "sent": withheld is None,
        "withheld": withheld,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, GeoPoint):
        return point(value)
    return value.value if isinstance(value, Enum) else value
