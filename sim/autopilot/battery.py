"""The battery: what hovering and climbing draw, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

HOVER_A = 28.1  # recorded in hover; 30.5 A while climbing at 2.5 m/s, 26.9 A sinking at 1.5 m/s
CLIMB_A_PER_M_S = 0.9
FULL_V = 12.6  # the recordings keep 12.6 V; the slope to EMPTY_V is this model's own
EMPTY_V = 10.5


@dataclass(slots=True)
class Battery:
    """Charge by counting current."""

    capacity_mah: float
    used_mah: float = 0.0
    current_a: float = 0.0

    def step(self, dt: float, flying: bool, climb_m_s: float) -> None:
        """Draws ``dt`` seconds of current."""
        self.current_a = max(0.0, HOVER_A + CLIMB_A_PER_M_S * climb_m_s) if flying else 0.0
        self.used_mah += self.current_a * dt / 3.6

    @property
    def remaining(self) -> float:
        """Share of the capacity that is left, 0..1."""
        return max(0.0, 1.0 - self.used_mah / self.capacity_mah)

    @property
    def voltage_v(self) -> float:
        """Terminal voltage."""
        return EMPTY_V + (FULL_V - EMPTY_V) * self.remaining
