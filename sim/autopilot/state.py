"""Everything the protocol side reads and acts on, in one hand."""

from __future__ import annotations

from dataclasses import dataclass

from sim.autopilot.behaviours import Land
from sim.autopilot.failsafe import Failsafes
from sim.autopilot.flight import Flight
from sim.autopilot.modes import Mode
from sim.autopilot.parameters import Parameters
from sim.autopilot.plan import Mission
from sim.autopilot.vehicle import Vehicle

BOOT, STANDBY, ACTIVE, CRITICAL = 1, 3, 4, 5  # MAV_STATE


@dataclass(slots=True)
class State:
    """The vehicle with its flight, failsafes, mission and parameters; ``boot_us`` is its own clock."""

    vehicle: Vehicle
    flight: Flight
    failsafes: Failsafes
    mission: Mission
    parameters: Parameters
    boot_us: int = 0

    @property
    def boot_ms(self) -> int:
        """time_boot_ms."""
        return (self.boot_us // 1000) & 0xFFFFFFFF

    @property
    def base_mode(self) -> int:
        """HEARTBEAT.base_mode: manual input, stabilized, custom mode; guided and armed as they are."""
        mode, vehicle = self.flight.mode, self.vehicle
        guided = mode in (Mode.GUIDED, Mode.RTL, Mode.LOITER, Mode.POSHOLD, Mode.BRAKE)
        if isinstance(self.flight.behaviour, Land):
            guided = self.flight.behaviour.uses_position
        elif mode is Mode.AUTO:
            guided = vehicle.armed
        return 0x51 | (0x08 if guided else 0) | (0x80 if vehicle.armed else 0)

    @property
    def system_status(self) -> int:
        """HEARTBEAT.system_status."""
        if self.failsafes.active:
            return CRITICAL
        return STANDBY if self.vehicle.landed else ACTIVE
