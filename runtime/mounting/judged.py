"""Whether a flight shows what was solved for: what it does not show is refused, with what to fly instead."""

from __future__ import annotations

import math

import numpy as np

from runtime.errors import CalibrationError
from runtime.mounting.adjustment import Adjusted

FEWEST_PAIRS = 16
_TILT_DEG, _TURN_DEG, _DELAY_S = 0.5, 1.0, 0.02  # 1-sigma: 100 m up 0.9 m, 1.7 m at the edge, and 0.2 m at 8 m/s
_LEFT_OVER_DEG = 1.5  # of the turn between two pictures: a gimbal holds the camera, or the log is another flight's
_NEAR_S, _LEAST_CONTRAST = 0.1, 25.0  # five sigma
_FREE = 8  # of the sixteen that a pair misses by: the others are solved for


def enough_pairs(pairs: int, pictures: int) -> None:
    """Raises CalibrationError where too few pictures show the same ground."""
    if pairs < FEWEST_PAIRS:
        raise CalibrationError(
            f"{pairs} pairs of the {pictures} pictures show the same ground while the log knows the aircraft, and "
            f"{FEWEST_PAIRS} are needed: two pictures a second and more, over ground that shows something."
        )


def shown(adjusted: Adjusted, keeps: frozenset[str]) -> None:
    """Raises CalibrationError where the flight does not show what is solved for, or contradicts its log; ``keeps``:
    what was not solved for (``tilt``, ``turn``, ``delay``)."""
    left_over_deg = math.degrees(float(np.median(np.linalg.norm(adjusted.left_over_rad, axis=1))))
    if left_over_deg > _LEFT_OVER_DEG:
        raise CalibrationError(
            f"the pictures turn otherwise than the log by {left_over_deg:.1f} deg from one to the next: it is the log "
            "of another flight or time, a gimbal holds the camera, or its field of view is wrong."
        )
    contrast = math.inf if "delay" in keeps else _contrast(adjusted)
    delay_s = adjusted.delay_sigma_s if contrast > _LEAST_CONTRAST else math.inf
    unknown = [
        f"{what} ({known}, {needed} is needed)"
        for name, what, value, most, known, needed in (
            ("tilt", "how the camera is tilted", math.degrees(adjusted.tilt_sigma_rad), _TILT_DEG,
             f"to {math.degrees(adjusted.tilt_sigma_rad):.1f} deg", f"{_TILT_DEG:g}"),
            ("turn", "how it is turned", math.degrees(adjusted.turn_sigma_rad), _TURN_DEG,
             f"to {math.degrees(adjusted.turn_sigma_rad):.1f} deg", f"{_TURN_DEG:g}"),
            ("delay", "how late its frames are stamped", delay_s, _DELAY_S,
             f"to {delay_s * 1e3:.0f} ms" if math.isfinite(delay_s) else "others fit as well", f"{_DELAY_S * 1e3:g}"),
        )
        if name not in keeps and not value <= most
    ]  # fmt: skip
    if unknown:
        turned_deg = math.degrees(float(np.abs(adjusted.turned_rad[:, 2]).sum()))
        raise CalibrationError(
            f"the flight does not show {' nor '.join(unknown)}: its nose turned by {turned_deg:.0f} deg in all between "
            "the pictures used; fly two minutes of straight ways at 5 m/s and more, with brisk turns to both sides "
            "between them, or leave it as it is with --keep."
        )
    if "delay" not in keeps and adjusted.delay_s in (adjusted.delays_s[0], adjusted.delays_s[-1]):
        raise CalibrationError(
            f"the frames are stamped {adjusted.delay_s:.1f} s off or more; set --time-offset-s to bring both together."
        )


def _contrast(adjusted: Adjusted) -> float:
    """By how much worse than the best every delay fits that is further off, in units of what pairs miss by chance."""
    elsewhere = np.abs(adjusted.delays_s - adjusted.delay_s) > _NEAR_S
    best = float(adjusted.costs[~elsewhere].min())
    by_chance = max(1.0, best / (_FREE * len(adjusted.stamps_s)))
    return float(adjusted.costs[elsewhere].min() - best) / by_chance
