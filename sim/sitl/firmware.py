"""What this room needs of an autopilot's firmware in its own simulator, beyond how people speak to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runtime.values import GeoPoint, Quaternion
from sim.autopilot.config import Vector
from sim.scenario.conditions import Conditions
from sim.scenario.dialect import Dialect
from sim.scenario.plan import Point


@dataclass(frozen=True, slots=True)
class Stand:
    """A place on the ground: where a vehicle stands, or is put at launch."""

    position: GeoPoint
    altitude_amsl_m: float


@dataclass(frozen=True, slots=True)
class TrueState:
    """What the firmware's simulator says of the vehicle, as it really is; body is FRD, rates in rad/s."""

    position: GeoPoint
    altitude_amsl_m: float
    velocity_ned_m_s: Vector
    ned_from_body: Quaternion
    body_rates_rad_s: Vector


@dataclass(frozen=True, slots=True)
class Sticks:
    """The pilot's: -1 to 1; right, nose up, climb and turn right are positive, the centre asks for nothing."""

    roll: float = 0.0
    pitch: float = 0.0
    climb: float = 0.0
    yaw: float = 0.0


CENTRED = Sticks()


@dataclass(frozen=True, slots=True)
class Reception:
    """What a satellite receiver is made to hear: nothing, or signals that put it off the truth by an offset which grows
    at a rate, metres and m/s north and east."""

    heard: bool = True
    offset_ne_m: Point = (0.0, 0.0)
    rate_ne_m_s: Point = (0.0, 0.0)


class Firmware(Protocol):
    """One firmware with its simulator. Parameters are what a pilot would set, by name; every message is the pilot's."""

    @property
    def name(self) -> str:
        """As people know it: ArduCopter, PX4."""

    @property
    def variable(self) -> str:
        """The environment variable that names a binary for tests."""

    @property
    def instances(self) -> int:
        """How many can be started beside one another."""

    @property
    def dialect(self) -> Dialect:
        """How pilot and ground station speak to it."""

    @property
    def connect(self) -> tuple[str, str]:
        """Where the first instance on this machine is found: by the companion, by pilot and ground station."""

    @property
    def waived(self) -> tuple[str, ...]:
        """What it never tells a companion, and an operator has to waive (`[commanding] waive`)."""

    @property
    def guided_by(self) -> Mapping[str, str]:
        """What the operator writes into `[vehicle]` for it, beside its address."""

    @property
    def streams_hz(self) -> Mapping[int, float]:
        """Which messages the pilot asks for, how often: the truth among them, and GLOBAL_POSITION_INT."""

    def command(self, binary: Path, folder: Path, instance: int, stand: Stand) -> tuple[list[str], tuple[str, str]]:
        """How to start instance number ``instance`` at speed 1 in an empty ``folder``, on the ground at ``stand``, and
        where it is found then. Files that it needs are written into ``folder``."""

    def set_up(self) -> Mapping[str, float]:
        """What it must be set to before it can be fed by a companion when GPS is gone."""

    def taken_at_boot(self) -> frozenset[str]:
        """Those of `set_up` that it reads at boot alone."""

    def started_with(self) -> Mapping[str, float]:
        """What its simulator reads at its start alone, and has to have been started with."""

    def weather(self, conditions: Conditions, seed: int) -> Mapping[str, float]:
        """The wind of these conditions, of its own simulator."""

    def receiver(self, heard: bool) -> Mapping[str, float]:
        """Its simulator's own GPS, silenced or heard; nothing where it is played, see `fix`."""

    def forged(self, offset_ne_m: Point, at: GeoPoint) -> Mapping[str, float]:
        """Its simulator's own GPS, put off the truth by so much; zeros are honest; nothing where it is played."""

    def fix(self, state: TrueState, reception: Reception) -> Any | None:
        """What a receiver there says of such a reception; None where its simulator has a receiver of its own."""

    def fly_by_gps(self) -> list[Any]:
        """Messages that let the estimator fly by GPS again, after it flew by what it was fed."""

    def sticks(self, sticks: Sticks, armed: bool) -> Any:
        """The message that moves the pilot's sticks."""

    def parameter_set(self, name: str, value: float) -> Any:
        """PARAM_SET as this firmware reads it."""

    def parameter_value(self, message: Any) -> float:
        """The value in a PARAM_VALUE of this firmware."""

    def true_state(self, message: Any) -> TrueState | None:
        """The truth in a message; None where it says nothing of it."""
