"""What is asked: pictures of places that a gallery holds, and of places out of its coverage."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.place.target import Target

TARGET, NEAR, FAR = "target", "near", "far"  # in the gallery; just outside what it shows; further away
KNOWN, HEADING, SCALE = "known", "heading", "scale"  # what is not known of the picture
TARGET_M, TARGET_PX = 90.0, 300  # of a satellite picture
_NEAR_M = (30.0, 60.0)  # closer, a picture still shows some of the gallery's ground
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Question:
    """A picture, with what only the simulator knows: the true (north, east) of its centre in metres, its kind, and
    what is not known of it."""

    target: Target
    truth: Point
    kind: str
    mode: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Questions about one site, by kind; of the first ``searched`` of each kind also those with an unknown heading, and
    with an unknown scale, where a site asks such."""

    targets: int = 40
    near: int = 40
    far: int = 80
    searched: int = 5

    @property
    def of_kind(self) -> dict[str, int]:
        """By kind."""
        return {TARGET: self.targets, NEAR: self.near, FAR: self.far}


def kind_outside(distance_m: float) -> str:
    """The kind of a place so far outside what a gallery shows; empty where it is neither in it nor clear of it."""
    if distance_m == 0:
        return TARGET
    low, high = _NEAR_M
    return NEAR if low <= distance_m <= high else FAR if distance_m > high else ""
