"""What may be otherwise in a replay, as values: pairs are (logged, replayed)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Spread:
    """Of ``count`` horizontal distances in metres."""

    count: int
    median: float
    p95: float
    max: float

    @classmethod
    def of(cls, distances_m: Sequence[float]) -> Spread | None:
        """None of none."""
        if not distances_m:
            return None
        middle, high, most = np.percentile(distances_m, [50, 95, 100]).tolist()
        return cls(len(distances_m), middle, high, most)


@dataclass(frozen=True, slots=True)
class Estimates:
    """``apart_m``: between the two estimates of one instant. ``states_agree``: share of the instants. ``one_sided``: in
    so many instants only one of the two had a position, or spoke at all. ``sigma_m``: medians."""

    compared: int
    apart_m: Spread | None
    states_agree: float
    one_sided: int
    sigma_m: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Errors:
    """Of estimates against the truth: how far off, and the shares inside the ellipses of 68 and 95 %."""

    error_m: Spread
    inside_1sigma: float
    inside_2sigma: float


@dataclass(frozen=True, slots=True)
class AgainstTruth:
    """``source``: who knows the truth. Of the estimates that were flown, and of the camera's own."""

    source: str
    flown: tuple[Errors | None, Errors | None]
    vision: tuple[Errors | None, Errors | None]


@dataclass(frozen=True, slots=True)
class Fixes:
    """Frames that were tried and that were fixed; of the frames that both tried, how many were fixed in the replay
    alone (``gained``) or in the flight alone (``lost``); ``apart_m`` between two fixes of one frame."""

    tried: tuple[int, int]
    fixed: tuple[int, int]
    gained: int
    lost: int
    apart_m: Spread | None


@dataclass(frozen=True, slots=True)
class Decisions:
    """The states and phases that guidance went through, and the first that is not the same, in seconds from the log's
    beginning."""

    logged: tuple[str, ...]
    replayed: tuple[str, ...]
    differ_at_s: float | None


@dataclass(frozen=True, slots=True)
class Setpoints:
    """How many were given and sent, and how far those of one instant lie apart."""

    given: tuple[int, int]
    sent: tuple[int, int]
    apart_m: Spread | None


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes that were written to a link, and the first difference in seconds."""

    bytes: tuple[int, int]
    differ_at_s: float | None


@dataclass(frozen=True, slots=True)
class Records:
    """How many of a kind were logged and replayed, and how many of these are the same at the same instant."""

    logged: int
    replayed: int
    same: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Replay beside flight: the ``estimates`` that were flown, the camera's own (``vision``), and what followed.
    ``changed``: what differs by more than ``tolerance_m`` allows, by name; empty where the replay is the flight again.
    """

    tolerance_m: float
    changed: tuple[str, ...]
    estimates: Estimates
    vision: Estimates
    truth: AgainstTruth | None
    fixes: Fixes
    decisions: Decisions
    setpoints: Setpoints
    keyframes: tuple[int, int]
    sent: dict[str, Sent]
    records: dict[str, Records]
