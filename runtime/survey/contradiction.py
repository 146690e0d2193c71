"""Recorded heights that overlaps contradict: what is said of them to people, and what they tell of photos near by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from runtime.geodesy import distance_m
from runtime.heights import is_above_flat_ground
from runtime.survey.anchor import FLAG, SOURCE
from runtime.survey.heights import SeenHeight
from runtime.values import GeoPoint, Measured, Pose

_SLOPE = 0.1  # of the ground, 1-sigma: how fast it leaves the level that was seen near by
_OTHER_LENS = "a field of view that is not the stated one would look the same (--hfov-deg)"


@dataclass(frozen=True, slots=True)
class Held:
    """A photo's height, held against what its overlaps show; ``place`` where others may learn from it."""

    name: str
    seen: SeenHeight
    place: GeoPoint | None = None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Photos whose recorded heights are contradicted in one way: by their overlaps' answer, which is used (``solved``),
    or too vaguely to use it, or although the user gave the height (``flagged``). ``others``: pictures near by whose own
    overlaps show nothing, and which follow them."""

    names: tuple[str, ...]
    said_m: tuple[float, ...]
    seen_m: tuple[float, ...]
    sigma_m: float
    solved: bool
    flagged: bool
    others: int = 0

    @classmethod
    def of(cls, held: Sequence[Held], others: int = 0) -> list[Contradiction]:
        """One for each way, of the photos whose heights are contradicted."""
        ways: dict[tuple[bool, bool], list[Held]] = {}
        for one in held:
            if one.seen.contradicted:
                ways.setdefault((one.seen.solved, one.seen.said.source == FLAG), []).append(one)
        return [
            cls(
                names=tuple(one.name for one in members),
                said_m=tuple(one.seen.said.value for one in members),
                seen_m=tuple(one.seen.seen.value for one in members),
                sigma_m=float(np.median([one.seen.seen.sigma for one in members])),
                solved=solved,
                flagged=flagged,
                others=0 if flagged else others,
            )
            for (solved, flagged), members in ways.items()
        ]

    def sentence(self) -> str:
        """For people: how many photos, which heights, and what is done."""
        others = f", and {self.others} near by" if self.others else ""
        start = f"{len(self.names)} pictures ({self.names[0]} and on{others})"
        shown = f"{_range(self.seen_m)} m above the ground (1 sigma {self.sigma_m:.0f} m)"
        if self.flagged:
            return f"{start}: --height-agl-m {_range(self.said_m)} m is used, but overlaps and tags show {shown}."
        if self.solved:
            return (
                f"{start}: height {_range(self.said_m)} m by their files, but overlaps and tags show {shown}, which is "
                f"used: files count from the take-off point; {_OTHER_LENS}."
            )
        return (
            f"{start}: height {_range(self.said_m)} m by their files, which overlaps and tags contradict: about "
            f"{shown}, too vague to use. The recorded height is kept with a sigma that covers both; --height-agl-m "
            "says better."
        )


def carried(pose: Pose, place: GeoPoint, held: Iterable[Held]) -> Measured | None:
    """The height of a photo whose own overlaps show nothing: as far from what its file says as that of the nearest
    photo, with less certainty the further away that is. Only heights above take-off share an error."""
    said = pose.height_agl_m
    near = [one for one in held if one.place is not None and is_above_flat_ground(one.seen.said)]
    if said is None or not is_above_flat_ground(said) or not near:
        return said
    away_m, nearest = min(((distance_m(place, one.place), one) for one in near if one.place), key=lambda one: one[0])
    if not nearest.seen.contradicted:
        return said
    known, off_m = nearest.seen.height, nearest.seen.height.value - nearest.seen.said.value
    sigma_m = math.hypot(known.sigma, min(_SLOPE * away_m, abs(nearest.seen.seen.value - nearest.seen.said.value)))
    if not nearest.seen.solved or said.value + off_m <= 0:
        return replace(said, sigma=max(sigma_m, said.sigma, abs(off_m)))
    return Measured(said.value + off_m, sigma_m, f"{SOURCE} near by")


def _range(values_m: Sequence[float]) -> str:
    low, high = (f"{value:.0f}" for value in (min(values_m), max(values_m)))
    return low if low == high else f"{low} to {high}"
