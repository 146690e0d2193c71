"""Who speaks on the link: the one autopilot that is ours, and whoever makes it unsafe to command it."""

from __future__ import annotations

from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.vehicle.airframe import airframe
from runtime.vehicle.ardupilot.plane import ArduPlane
from runtime.vehicle.ardupilot.stack import ArduPilot
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import CompanionConflict, OtherAutopilot, VehicleEvent
from runtime.vehicle.px4.hold import Px4Hold
from runtime.vehicle.px4.stack import Px4
from runtime.vehicle.stack import OtherStack, Stack

_STACKS: dict[int, type[Stack]] = {
    mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA: ArduPilot,
    mavlink.MAV_AUTOPILOT_PX4: Px4,
}

_RIVAL_GONE_NS = 10_000_000_000  # ten heartbeats


def stack_of(autopilot: int, vehicle_type: int | None = None, config: VehicleConfig | None = None) -> Stack:
    """The `Stack` for the ``autopilot`` and the type of vehicle in a HEARTBEAT, as the operator configured it."""
    stack, configured = _STACKS.get(autopilot, OtherStack)(), config or VehicleConfig()
    if isinstance(stack, ArduPilot) and airframe(vehicle_type) == "plane":
        return ArduPlane(configured.loiter_radius_m)
    return Px4Hold() if configured.px4_hold and isinstance(stack, Px4) else stack


def stack_named(name: str) -> Stack:
    """The `Stack` of this name."""
    return next((stack() for stack in _STACKS.values() if stack().name == name), OtherStack())


class Roster:
    """The autopilot is the component whose heartbeat says that it is one, never a fixed component id; the first one
    (of the configured system) stays ours. A second one, or a change of system id, is remembered for good; a companion
    with our ids for as long as it is heard."""

    def __init__(self, config: VehicleConfig) -> None:
        self._system_id = config.system_id
        self._component_id = config.component_id
        self._config = config
        self.autopilot: tuple[int, int] | None = None
        self.stack: Stack = OtherStack()
        self.other: tuple[int, int] | None = None
        self._rival_ns: int | None = None

    @property
    def conflict(self) -> bool:
        """Whether another companion with our ids is heard."""
        return self._rival_ns is not None

    def tick(self, t_ns: int) -> None:
        """Forget a companion with our ids that has fallen silent; what it ended stays ended."""
        if self._rival_ns is not None and t_ns - self._rival_ns > _RIVAL_GONE_NS:
            self._rival_ns = None

    def two_in_one(self, t_ns: int) -> list[VehicleEvent]:
        """Two clocks are heard under our autopilot's ids: there are two of them."""
        if self.autopilot is None or self.other is not None:
            return []
        self.other = self.autopilot
        return [OtherAutopilot(t_ns, *self.autopilot)]

    def heartbeat(self, sender: tuple[int, int], message: Any, t_ns: int) -> tuple[bool, list[VehicleEvent]]:
        """Takes a heartbeat: whether its sender has just become our autopilot, and the events that follow."""
        if self.autopilot is not None and sender == (self.autopilot[0], self._component_id):
            return False, self._rival(sender, t_ns)
        if message.autopilot == mavlink.MAV_AUTOPILOT_INVALID or sender == self.autopilot:
            return False, []
        if self.autopilot is None and self._system_id in (None, sender[0]):
            self.autopilot = sender
            self.stack = stack_of(message.autopilot, message.type, self._config)
            return True, []
        first, self.other = self.other is None, self.other or sender
        return False, [OtherAutopilot(t_ns, *sender)] if first else []

    def _rival(self, sender: tuple[int, int], t_ns: int) -> list[VehicleEvent]:
        """A heartbeat with our own ids: we never hear ourselves, so somebody else is configured as we are."""
        first, self._rival_ns = self._rival_ns is None, t_ns
        return [CompanionConflict(t_ns, *sender)] if first else []

    def refusal(self) -> str | None:
        """Why nothing may be commanded on this link, by name."""
        if self.other is not None:
            return "second_autopilot"
        return "second_companion" if self.conflict else None
