"""The height above ground where nobody measures it: above the take-off point, over ground that is taken to be level."""

from __future__ import annotations

import math

from runtime.values import Measured

# 1-sigma of how far the ground below lies from the take-off point's level: what terrain does over a survey of a few
# hundred metres, at least 8 m however low the flight, and 8 % of the height of a high one, which goes further. One rule
# for photos, logs and live frames, which fly over the same ground; with it the height is a weak prior, and the matches
# decide: live fixes over level ground, where 3 % would do as well, lie as near with 8 % (63 of 64 frames fixed by both;
# median 3.0 m for 2.8, 95th percentile 6.6 m for both). A take-off on a hill 40 m above the fields is beyond it: only
# overlaps, a map or the user can tell (`runtime.survey.heights`).
FLAT_GROUND_SHARE = 0.08
RELIEF_M = 8.0
_ASSUMED = " height above take-off, flat ground"


def above_flat_ground(above_takeoff: Measured) -> Measured:
    """Height above ground in metres from the one above take-off, with the barometer's error and the terrain's in its
    sigma."""
    return above_level(above_takeoff, max(RELIEF_M, FLAT_GROUND_SHARE * abs(above_takeoff.value)))


def above_level(height: Measured, relief_m: float) -> Measured:
    """Height above ground in metres from the one above a level, about which the ground below lies ``relief_m``
    (1-sigma) higher or lower."""
    return Measured(height.value, math.hypot(height.sigma, relief_m), f"{height.source}{_ASSUMED}")


def is_above_flat_ground(height: Measured) -> bool:
    """Whether a height above ground is one above take-off, over ground that was taken to be level."""
    return height.source.endswith(_ASSUMED)
