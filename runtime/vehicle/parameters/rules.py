"""What is wanted of parameters, as data: a table of rules for each autopilot, and the one way to hold values to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from runtime.values import AidingRoute


class Figure(str, Enum):
    """A number that is not the table's: of the configuration in force, of this link, or measured."""

    MAX_SIGMA_M = "max_sigma_m"  # the largest that is fed
    LEAST_QUALITY = "least_quality"  # of a pose with that sigma, in percent
    DELAY_MS = "delay_ms"  # from exposure to sending, measured
    SENSOR_ID = "sensor_id"
    SYSTEM_ID = "system_id"  # the vehicle's, and ours
    CRUISE_M_S = "cruise_m_s"  # [guidance] cruise_speed_m_s, by which targets, stopping and bare ground are reckoned
    CRUISE_CM_S = "cruise_cm_s"  # the same


Number = float | Figure
Figures = Mapping[Figure, float]


@dataclass(frozen=True, slots=True)
class Use:
    """How the autopilot is used: which rules hold. ``route`` as the autopilot gets it, never AUTO; ``pilot_has_rc``
    False: the operator waived it; ``source_set`` 1 to 3, ``receiver`` 0 or 1; ``airframe`` "copter", "plane" or
    "other"; ``repositions``: each target is a command to go there, not a stream of positions."""

    route: AidingRoute
    source_set: int
    receiver: int
    commanding: bool
    pilot_has_rc: bool
    airframe: str = "copter"
    repositions: bool = False


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of ``values``; the first is the one to set."""

    values: tuple[Number, ...]

    def better(self, value: float, figures: Figures) -> float | None:
        """The value to set, None where ``value`` will do. Raises KeyError where a figure is unknown."""
        numbers = [_number(one, figures) for one in self.values]
        return None if value in numbers else numbers[0]

    def words(self, figures: Figures) -> str:
        """As a person says it."""
        return " or ".join(f"{_number(one, figures):.7g}" for one in self.values)


@dataclass(frozen=True, slots=True)
class NoneOf:
    """Anything but ``values``; ``instead`` is what to set."""

    values: tuple[Number, ...]
    instead: Number

    def better(self, value: float, figures: Figures) -> float | None:
        """As in `OneOf`."""
        return _number(self.instead, figures) if value in [_number(one, figures) for one in self.values] else None

    def words(self, figures: Figures) -> str:
        """As in `OneOf`."""
        return f"not {' or '.join(f'{_number(one, figures):.7g}' for one in self.values)}"


@dataclass(frozen=True, slots=True)
class Between:
    """From ``least`` to ``most``, both included, each None for no limit; ``instead`` is what to set. ``or_off``: any
    negative value will do too, for it turns the thing off."""

    least: Number | None
    most: Number | None
    instead: Number
    or_off: bool = False

    def better(self, value: float, figures: Figures) -> float | None:
        """As in `OneOf`."""
        if self.or_off and value < 0:
            return None
        low = self.least is not None and value < _number(self.least, figures) - _ROUNDING
        high = self.most is not None and value > _number(self.most, figures) + _ROUNDING
        return _number(self.instead, figures) if low or high else None

    def words(self, figures: Figures) -> str:
        """As in `OneOf`."""
        least = "" if self.least is None else f"{_number(self.least, figures):.7g}"
        most = "" if self.most is None else f"{_number(self.most, figures):.7g}"
        if least and most:
            return f"{least} to {most}"
        return f"at least {least}" if least else f"at most {most}"


@dataclass(frozen=True, slots=True)
class Near:
    """Within ``within`` of ``value``, and never above ``most``."""

    value: Figure
    within: float
    most: float

    def better(self, value: float, figures: Figures) -> float | None:
        """As in `OneOf`."""
        wanted = min(self.most, float(round(_number(self.value, figures))))
        return None if abs(value - wanted) <= self.within else wanted

    def words(self, figures: Figures) -> str:
        """As in `OneOf`."""
        wanted = min(self.most, float(round(_number(self.value, figures))))
        return f"{wanted:.7g}, to within {self.within:.7g}"


@dataclass(frozen=True, slots=True)
class About:
    """``value``, to within a ``share`` of it."""

    value: Figure
    share: float

    def better(self, value: float, figures: Figures) -> float | None:
        """As in `OneOf`."""
        wanted = _number(self.value, figures)
        return None if abs(value - wanted) <= self.share * wanted + _ROUNDING else wanted

    def words(self, figures: Figures) -> str:
        """As in `OneOf`."""
        return f"{_number(self.value, figures):.7g}, to within {self.share:.0%}"


@dataclass(frozen=True, slots=True)
class Bits:
    """The bits of ``on`` set and those of ``off`` not."""

    on: int = 0
    off: int = 0

    def better(self, value: float, figures: Figures) -> float | None:
        """As in `OneOf`."""
        wanted = (int(value) | self.on) & ~self.off
        return None if wanted == int(value) else float(wanted)

    def words(self, figures: Figures) -> str:
        """As in `OneOf`."""
        told = [("on", self.on), ("off", self.off)]
        return ", ".join(f"{_bits(mask)} {how}" for how, mask in told if mask)


Wanted = OneOf | NoneOf | Between | Near | About | Bits
_ROUNDING = 1e-6  # of float32, where a limit is what is usually set


@dataclass(frozen=True, slots=True)
class Rule:
    """What is ``wanted`` of a parameter, and ``why``.

    ``names``: the newest firmware's first, then what older ones call it; ``{set}`` and ``{receiver}`` stand for the
    source set and the receiver (from 1). ``routes`` and ``commanding``: where it holds, in either case if both are
    given; ``rc``: only with a pilot's receiver (True) or only without (False). ``breaks``: what is wanted cannot be
    done without, rather than done less well. ``reboot``: it is read when the autopilot starts. ``optional``: an
    autopilot without it is none the worse. ``airframe``: only of this one. ``repositions``: only where each target is
    a command (True), or is streamed (False).
    """

    names: tuple[str, ...]
    wanted: Wanted
    why: str
    routes: frozenset[AidingRoute] = frozenset()
    commanding: bool = False
    rc: bool | None = None
    breaks: bool = True
    reboot: bool = False
    optional: bool = False
    airframe: str | None = None
    repositions: bool | None = None

    def holds(self, use: Use) -> bool:
        """Whether it matters for how the autopilot is used."""
        matters = use.route in self.routes or (self.commanding and use.commanding)
        own = self.airframe is None or self.airframe == use.airframe
        way = self.repositions is None or self.repositions is use.repositions
        return matters and own and way and (self.rc is None or self.rc is use.pilot_has_rc)

    def named(self, use: Use) -> tuple[str, ...]:
        """The parameter's names in the autopilot, the newest first."""
        return tuple(name.format(set=use.source_set, receiver=use.receiver + 1) for name in self.names)


def _number(number: Number, figures: Figures) -> float:
    return figures[number] if isinstance(number, Figure) else float(number)


def _bits(mask: int) -> str:
    numbers = [str(bit) for bit in range(mask.bit_length()) if mask >> bit & 1]
    return f"bit{'s' * (len(numbers) > 1)} {' and '.join(numbers)}"
