"""Figures for ground stations: NAMED_VALUE_FLOAT for the position's, ONBOARD_COMPUTER_STATUS for the computer's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runtime.computer import ComputerLoad
from runtime.mavlink.dialect import mavlink

NAN = float("nan")
_UNUSED_U8, _UNUSED_I8, _UNUSED_I16, _UNUSED_U32 = 0xFF, 127, 0x7FFF, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class NavigationFigures:
    """Of the position that is flown; NaN where it is not known, which is never said as zero."""

    sigma_m: float = NAN  # of the position, the mean of both axes
    fix_age_s: float = NAN  # since the exposure of the newest frame that was fixed
    probability: float = NAN  # that the target's place is right
    coast_left_s: float = NAN  # for which the camera's position may still be believed without a fix


NAMES = {"sigma_m": "hm_sigma", "fix_age_s": "hm_fixage", "probability": "hm_prob", "coast_left_s": "hm_coast"}
"""By what name a figure travels: ten characters at most."""


def figure_messages(figures: NavigationFigures, up_ms: int) -> Iterator[Any]:
    """A NAMED_VALUE_FLOAT for each figure; ``up_ms``: since our own start."""
    for field, name in NAMES.items():
        yield mavlink.MAVLink_named_value_float_message(up_ms, name.encode(), getattr(figures, field))


def computer_message(load: ComputerLoad, up_ms: int) -> Any:
    """ONBOARD_COMPUTER_STATUS; what is not known says so, by the message's own value for it."""
    cores = [round(share * 100) for share in load.cores[:8]]
    used_mib, total_mib = _UNUSED_U32, _UNUSED_U32
    if load.disk is not None:
        used_mib, total_mib = load.disk.used_bytes >> 20, load.disk.total_bytes >> 20
    return mavlink.MAVLink_onboard_computer_status_message(
        0,  # time_usec: no clock of ours is the autopilot's
        up_ms,
        0,  # type: mission computer, primary
        _filled(cores, 8, _UNUSED_U8),
        [_UNUSED_U8] * 10,  # ten moments each: one is enough
        [_UNUSED_U8] * 4,
        [_UNUSED_U8] * 10,
        _UNUSED_I8 if load.temperature_c is None else max(-127, min(126, round(load.temperature_c))),
        [_UNUSED_I8] * 8,
        [_UNUSED_I16] * 4,
        load.memory_mib[0] if load.memory_mib is not None else _UNUSED_U32,
        load.memory_mib[1] if load.memory_mib is not None else _UNUSED_U32,
        [_UNUSED_U32] * 4,
        _filled([used_mib], 4, _UNUSED_U32),
        _filled([total_mib], 4, _UNUSED_U32),
        *[[_UNUSED_U32] * 6] * 5,
    )


def _filled(values: list[int], length: int, unused: int) -> list[int]:
    return [*values, *[unused] * (length - len(values))]
