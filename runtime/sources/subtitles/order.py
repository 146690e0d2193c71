"""Which number of ``GPS(first, second, ...)`` is the latitude: by its dialect or by proof, never by a guess."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from runtime.errors import TelemetryError
from runtime.sources.subtitles.said import Said

_PRECISION = re.compile(r"[-+]?\d+(?:\.\d+)?M\Z")  # third field of the Matrice 300's: metres, with a capital M
_SATELLITES = re.compile(r"\d{1,2}\Z")  # third field of all dialects that put the longitude first


class Order(str, Enum):
    """The order of the two numbers, as the user may say it."""

    LATITUDE_FIRST = "lat-lon"
    LONGITUDE_FIRST = "lon-lat"


def order_of(said: Sequence[Said], path: Path, asked: Order | None = None) -> Order:
    """The order that a number beyond 90 degrees proves, else the user's, else the dialect's.

    Raises:
        TelemetryError: nothing tells, or what tells is contradictory.
    """
    proven = _proven(said)
    if len(proven) > 1:
        raise TelemetryError(f"{path}: its GPS(...) holds numbers beyond 90 deg in both places; it is damaged.")
    if proven:
        (order,) = proven
        if asked is not None and asked is not order:
            raise TelemetryError(f"{path}: --gps-order {asked.value} is not so, a latitude would be beyond 90 deg.")
        return order
    if asked is not None:
        return asked
    dialects = {_dialect(one) for one in said if one.pair is not None}
    if len(dialects) == 1 and (dialect := dialects.pop()) is not None:
        return dialect
    raise TelemetryError(
        f"{path}: nothing says which number of its GPS(...) is the latitude; give --gps-order lat-lon or lon-lat."
    )


def refuse_radians(said: Sequence[Said], path: Path) -> None:
    """Refuses bracketed positions that are radians, as some firmware of the generation that spells longtitude wrote
    them: read as degrees they would all lie in the open sea off Africa.

    Raises:
        TelemetryError: they are.
    """
    spelt = [one.named_deg for one in said if one.misspelt and one.named_deg is not None and any(one.named_deg)]
    if spelt and all(abs(latitude) <= math.pi / 2 and abs(longitude) <= math.pi for latitude, longitude in spelt):
        raise TelemetryError(f"{path}: its positions are radians or wrong: as degrees they lie in the Gulf of Guinea.")


def _proven(said: Sequence[Said]) -> set[Order]:
    pairs = [one.pair for one in said if one.pair is not None]
    proven = {Order.LONGITUDE_FIRST for pair in pairs if 90.0 < abs(pair.first) <= 180.0}
    return proven | {Order.LATITUDE_FIRST for pair in pairs if 90.0 < abs(pair.second) <= 180.0}


def _dialect(one: Said) -> Order | None:
    assert one.pair is not None
    if _PRECISION.match(one.pair.third):
        return None if one.home else Order.LATITUDE_FIRST
    if one.home or one.one_line or _SATELLITES.match(one.pair.third):
        return Order.LONGITUDE_FIRST
    return None
