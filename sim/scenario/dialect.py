"""How an autopilot wants to be spoken to by the people of a flight; what they mean is the same for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from runtime.values import GeoPoint

if TYPE_CHECKING:
    from sim.scenario.station import GroundStation

Script = Iterator[None]  # each step of a flight resumes it once


class Dialect(Protocol):
    """One autopilot's own words. Modes go by the names that ArduCopter has for them, whoever flies."""

    @property
    def modes(self) -> Mapping[str, int]:
        """``custom_mode`` of GUIDED (the companion's), LOITER, ALT_HOLD (by hand), AUTO, RTL and LAND."""

    @property
    def idles(self) -> bool:
        """Whether the companion's mode is entered only while its targets flow, and heeds them in no other."""

    @property
    def home_item(self) -> bool:
        """Whether a mission's first item is home."""

    @property
    def estimator_message(self) -> int:
        """The message that has the estimator's flags."""

    def set_mode(self, name: str) -> tuple[float, ...]:
        """The parameters of MAV_CMD_DO_SET_MODE."""

    def has_position(self, message: Any) -> bool:
        """Whether the estimator may fly by position, from its message."""

    def take_off(self, station: GroundStation, height_m: float) -> Script:
        """From the ground, disarmed, to ``height_m`` above it."""

    def fly_mission(self, station: GroundStation) -> Script:
        """Starts the mission that is loaded, in the air."""

    def target(self, station: GroundStation, place: GeoPoint, height_m: float) -> Any:
        """The message with which a ground station sends a vehicle in the companion's mode to a place; ``height_m``
        above home."""

    def fly_to(self, station: GroundStation, place: GeoPoint, height_m: float) -> Script:
        """A vehicle in the air is sent to a place by its pilot; ends once it is under way."""

    def companions(self, custom_mode: int) -> bool:
        """Whether in this mode the companion may fly."""
