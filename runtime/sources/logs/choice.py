"""Which vehicle and which boot of a log are read: the ones asked for, else the longest flight; said where there are
several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runtime.errors import TelemetryError
from runtime.sources.logs.boots import Boot, Boots
from runtime.sources.logs.flight import Flight, flight_of

Judge = Callable[[Boot], Flight]  # `flight_of`, or `reference_of`
_NAMED = 9  # vehicles or boots that a sentence lists


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user chose of a log: the vehicle's system id, and the number of the boot, from 1; None: not chosen."""

    vehicle: int | None = None
    boot: int | None = None


LONGEST = Asked()
"""Nothing was chosen: the longest flight."""


def chosen(
    name: str, vehicles: Mapping[int | None, Boots], asked: Asked, judge: Judge = flight_of
) -> tuple[Flight, list[str]]:
    """The flight as ``judge`` makes it of a boot, and sentences on what else the log holds; one that names no vehicles
    holds the one called None.

    Raises:
        TelemetryError: there is no such vehicle or boot, or no vehicle at all.
    """
    flights = {vehicle: [judge(boot) for boot in boots.boots()] for vehicle, boots in vehicles.items()}
    flights = {vehicle: found for vehicle, found in flights.items() if found}
    if not flights:
        raise TelemetryError(f"{name}: holds no positions of the vehicle.")
    notes = []
    vehicle = _vehicle(name, flights, asked)
    if len(flights) > 1:
        others = _listed([str(one) for one in sorted(v for v in flights if v is not None)])
        notes.append(f"{name}: holds vehicles {others}; vehicle {vehicle} is read, --vehicle chooses another.")
    boots = flights[vehicle]
    flight = _boot(name, boots, asked)
    if len(boots) > 1:
        lengths = _listed([f"{one.boot.number} of {one.boot.positioned_s:.0f} s" for one in boots])
        notes.append(
            f"{name}: the autopilot was restarted: boots {lengths}; boot {flight.boot.number} is read, "
            "--boot chooses another."
        )
    return flight, notes


def _vehicle(name: str, flights: Mapping[int | None, Sequence[Flight]], asked: Asked) -> int | None:
    if asked.vehicle is None:
        return max(flights, key=lambda vehicle: (*_length(_longest(flights[vehicle])), -(vehicle or 0)))
    if asked.vehicle in flights:
        return asked.vehicle
    known = sorted(vehicle for vehicle in flights if vehicle is not None)
    if not known:
        raise TelemetryError(f"{name}: a log of one vehicle, which has no number; leave --vehicle out.")
    raise TelemetryError(f"{name}: holds no vehicle {asked.vehicle}, only {_listed([str(one) for one in known])}.")


def _boot(name: str, boots: Sequence[Flight], asked: Asked) -> Flight:
    if asked.boot is None:
        return _longest(boots)
    if 1 <= asked.boot <= len(boots):
        return boots[asked.boot - 1]
    there = "only boot 1" if len(boots) == 1 else f"boots 1 to {len(boots)}"
    raise TelemetryError(f"{name}: holds no boot {asked.boot}, but {there}.")


def _longest(boots: Sequence[Flight]) -> Flight:
    return max(boots, key=lambda flight: (*_length(flight), -flight.boot.number))


def _length(flight: Flight) -> tuple[float, float]:
    return round(flight.believed_s, 3), round(flight.boot.positioned_s, 3)


def _listed(items: Sequence[str]) -> str:
    if len(items) > _NAMED:
        items = [*items[:_NAMED], f"{len(items) - _NAMED} more"]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


