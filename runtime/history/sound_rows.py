"""The bounds of `runtime.history.ranges` as conditions in SQL: which rows need not be looked at one by one.

A condition that is true says that the row has no fault; one that is not says nothing, and `ranges` is asked. Opening a
history waits for this: of ten thousand rows SQLite says it in a fifth of Python's time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from runtime.history.ranges import (
    MEASURED,
    NEEDED,
    NORM,
    OPTIONAL,
    POSITION_NEEDED,
    SIGMA,
    SOURCES,
    SPEED_M_S,
    VELOCITY,
    VIEWS,
    Bounds,
)
from runtime.history.rows import CAMERA, TAG

_ATTITUDE = tuple(f"attitude_{axis}" for axis in "wxyz")
_LENGTH = "+".join(f"{name} * {name}" for name in _ATTITUDE)


def _number(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else "9e999"  # SQLite's infinity


def _within(name: str, bounds: Bounds) -> str:
    return f"{name} BETWEEN {_number(bounds[0])} AND {_number(bounds[1])}"


def _one_of(name: str, texts: Iterable[str]) -> str:
    return f"{name} IN ({', '.join(repr(text) for text in sorted(texts))})"


def _ranges(needed: Mapping[str, Bounds], optional: Mapping[str, Bounds]) -> list[str]:
    may_lack = [f"({name} IS NULL OR {_within(name, bounds)})" for name, bounds in optional.items()]
    return [*(_within(name, bounds) for name, bounds in needed.items()), *may_lack]


def _none(names: Iterable[str]) -> str:
    return " AND ".join(f"{name} IS NULL" for name in names)


SOUND_KEYFRAME = " AND ".join(
    [
        "typeof(flight) = 'text' AND typeof(name) = 'text' AND typeof(t_ns) = 'integer'",
        _one_of("view", VIEWS),
        *_ranges(NEEDED, OPTIONAL),
        "(ground_latitude_deg <> 0.0 OR ground_longitude_deg <> 0.0)",
        *(
            f"({name} IS NULL OR ({_within(sigma, SIGMA)} AND typeof({source}) IN ('text', 'null')))"
            for name, sigma, source in MEASURED
        ),
        f"(({_none(_ATTITUDE)}) OR {_LENGTH} BETWEEN {NORM[0] ** 2 + 1e-9!r} AND {NORM[1] ** 2 - 1e-9!r})",
    ]
)
SOUND_POSITION = " AND ".join(
    [
        _one_of("role", (CAMERA, TAG)),
        _one_of("source", SOURCES),
        *_ranges(POSITION_NEEDED, {}),
        "(latitude_deg <> 0.0 OR longitude_deg <> 0.0)",
        "(abs(covariance_north_east_m2) <= 1e-9 OR "
        "covariance_north_east_m2 * covariance_north_east_m2 <= variance_north_m2 * variance_east_m2)",
        f"(({_none(VELOCITY)}) OR ({' AND '.join(_within(name, SPEED_M_S) for name in VELOCITY)}))",
    ]
)
