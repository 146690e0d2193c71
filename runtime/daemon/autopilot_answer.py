"""What the daemon's link knows of the autopilot, as one JSON-able object: who it is, its streams, its parameters."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from runtime.vehicle.airframe import airframe
from runtime.vehicle.parameters.reading import ParametersRead
from runtime.vehicle.telemetry.state import VehicleState


def autopilot_answer(state: VehicleState, read: ParametersRead) -> dict[str, Any]:
    """``parameters`` that are known, those that are ``missing``, and those that are ``pending``: ask again for them."""
    return {
        "connected": state.connected,
        "stack": state.stack,
        "system_id": state.system_id,
        "armed": state.telemetry.armed,
        "airframe": airframe(state.telemetry.vehicle_type),
        "rivals": state.other_autopilot is not None or state.companion_conflict,
        "routes": [route.value for route in state.aiding_routes],
        "streams": [asdict(stream) for stream in state.streams],
        "parameters": {name: {"value": one.value, "kind": one.kind} for name, one in read.known.items()},
        "missing": sorted(read.missing),
        "pending": sorted(read.pending),
        "timesync_rtt_s": state.timesync_rtt_s,
        "unix_offset_ns": state.telemetry.unix_offset_ns,
    }
