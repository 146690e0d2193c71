"""How old each thing that was heard may be before it counts as unknown: the one table of such limits.

This module imports nothing of the package, so that every room may import it. A limit with a ``key`` is the default of
that key of the configuration; the others are fixed, for the reason that stands beside them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MaxAge:
    """``what`` is believed for ``seconds``, because of ``why``; ``key`` of the configuration sets it, "" if none."""

    what: str
    seconds: float
    why: str
    key: str = ""

    @property
    def ns(self) -> int:
        """The same in nanoseconds, the unit of every ``t_ns``."""
        return round(self.seconds * 1e9)


HEARTBEAT_FOR_LAST_WORDS = MaxAge(
    "the mode in the autopilot's heartbeat, for the hold with which authority is given back",
    1.5,
    "heartbeats come at 1 Hz: one that is older was followed by another that did not arrive, and may have said more",
)
SYS_STATUS = MaxAge(
    "SYS_STATUS, for the health bits that tell of failsafes",
    3.0,
    "requested at 2 Hz and accepted from 1 Hz on: two may be lost",
)
RC_CHANNELS = MaxAge(
    "RC_CHANNELS, for the pilot's sticks",
    2.0,
    "requested at 5 Hz and accepted from 2.5 Hz on: four may be lost",
)
FENCE_STATUS = MaxAge(
    "FENCE_STATUS, for a breach of the geofence",
    5.0,
    "requested at 1 Hz and accepted from 0.5 Hz on: one may be lost",
)
