"""The batches of a run: which places, and their crops; each a function of the seed, the step and what was learned.

A batch is several places of one area, for neighbours are the negatives that matter in flight: some at random, the rest
their neighbours on the ground and the places that looked most like them when last embedded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from runtime.errors import UsageError
from train.data.augment import Strength, any_window, augmented, cut, turned_alike, turned_shifts
from train.data.pairs import Pair
from train.data.places import displaced, related
from train.data.training_set import TrainingSet

Crops = NDArray[np.uint8] | Tensor  # (B, S, S, 3) uint8; tensors are on the device that computes
Share = Callable[[int], slice]  # from a batch's number of places to those whose crops this process makes
_NEAR = 12  # neighbours to choose from
_LOOK_ALIKES = 8  # likewise, of those most similar


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's B places: their ``relation`` (B, B), ``shifts`` (B, B, 2) in sides of a crop; and of those that are
    this process's share the crops. The ``readable`` of these have crops of both views (b, S, S, 3), as they are
    learned from, and as they were before light and weather changed them (``clear``)."""

    pair: Pair
    places: NDArray[np.int64]
    queries: Crops
    gallery: Crops
    clear: tuple[Crops, Crops]
    relation: NDArray[np.int8]
    shifts: NDArray[np.float32]
    readable: NDArray[np.bool_]


class Memory:
    """The gallery embedding that each place had when last seen: (P, D) float32, rows of zeros before that."""

    def __init__(self, places: int, dimensions: int) -> None:
        self.rows = np.zeros((places, dimensions), np.float32)

    def remember(self, places: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """Take the newest embeddings of places."""
        self.rows[places] = embeddings

    def look_alikes(self, index: int, among: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Those of some places that looked most like one; none before it has been seen."""
        if not self.rows[index].any():
            return np.zeros(0, np.int64)
        scores = self.rows[among] @ self.rows[index]
        scores[among == index] = -np.inf
        return among[np.argsort(-scores, kind="stable")[:count]]


def choose(data: TrainingSet, memory: Memory, seed: int, step: int, size: int, hard_share: float) -> NDArray[np.int64]:
    """(size,) different places of one area; ``hard_share`` of them chosen for being near to, or like, another.

    Smaller areas are chosen less often, and filled up from anywhere.
    """
    rng = np.random.default_rng([seed, step, 41])
    sizes = np.array([len(area) for area in data.areas])
    area = data.areas[int(rng.choice(len(sizes), p=sizes / sizes.sum()))]
    chosen: dict[int, None] = {}
    wanted = min(size, len(area))
    for index in rng.permutation(area):
        if len(chosen) >= wanted:
            break
        chosen[int(index)] = None
        for _ in range(_companions(hard_share, rng)):
            other = _hard(data, memory, int(index), area, chosen, rng)
            if other is not None and len(chosen) < wanted:
                chosen[other] = None
    if len(chosen) < size:
        for index in rng.permutation(len(data.places)):
            if len(chosen) == size:
                break
            chosen.setdefault(int(index))
    return np.array(list(chosen), np.int64)


def whole(total: int) -> slice:
    """The share of a process that is alone."""
    return slice(0, total)


def make_batch(
    data: TrainingSet, places: NDArray[np.int64], pair: Pair, strength: Strength, seed: int, step: int,
    share: Share = whole,
) -> Batch:  # fmt: skip
    """Read and change the crops of the chosen places that are this process's share; where the ground of the others lies
    takes no picture. What is drawn for a place is the same whoever draws it."""
    rng = np.random.default_rng([seed, step, 42])
    turns, mirrored = quarter_turns(strength, rng)
    views = pair.query, pair.gallery
    windows = [[any_window(strength, rng, view) for _ in places] for view in views]
    own = range(*share(len(places)).indices(len(places)))
    draws = {row: np.random.default_rng([seed, step, 45, row]) for row in own}
    read = {row: [data.crop(int(places[row]), view, draws[row]) for view in views] for row in own}
    kept = [row for row in own if all(picture is not None for picture in read[row])]
    size_px, crops, clear = round(strength.window * data.size_px), [], []
    for side, view in enumerate(views):
        seen = [cut(picture, windows[side][row], size_px) for row in kept if (picture := read[row][side]) is not None]
        drone = view != "satellite"
        changed = [augmented(crop, strength, draws[row], drone) for row, crop in zip(kept, seen, strict=True)]
        crops.append(turned_alike(_stacked(changed, size_px), turns, mirrored))
        clear.append(turned_alike(_stacked(seen, size_px), turns, mirrored))
    grounds = [[data.ground(int(i), w, strength.window) for i, w in zip(places, of, strict=True)] for of in windows]
    shifts = turned_shifts(displaced(*grounds), turns, mirrored)
    relation = related(places, places, *grounds)
    readable = np.isin(list(own), kept)
    return Batch(pair, places, crops[0], crops[1], (clear[0], clear[1]), relation, shifts, readable)


def _stacked(crops: Sequence[NDArray[np.uint8]], size_px: int) -> NDArray[np.uint8]:
    """(N, S, S, 3); of none as well."""
    return np.stack(crops) if crops else np.zeros((0, size_px, size_px, 3), np.uint8)


def quarter_turns(strength: Strength, rng: np.random.Generator) -> tuple[int, bool]:
    """How often all crops of a batch are turned by a right angle, and whether they are mirrored."""
    turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    return (0 if strength.any_heading else turns), mirrored


def too_few() -> UsageError:
    """What is wrong where fewer than two places of a batch have pictures."""
    return UsageError("too few of the training pictures can be read: see the log for their names.")


def _companions(hard_share: float, rng: np.random.Generator) -> int:
    """How many hard places to add to one drawn at random, so that they are that share on average."""
    if hard_share >= 1.0:
        return _NEAR
    mean = hard_share / (1 - hard_share)
    return int(mean) + int(rng.random() < mean - int(mean))


def _hard(
    data: TrainingSet, memory: Memory, index: int, area: NDArray[np.int64], taken: dict[int, None],
    rng: np.random.Generator,
) -> int | None:  # fmt: skip
    """A near neighbour or a look-alike of a place, not yet taken."""
    near, alike = data.neighbours(index, _NEAR), memory.look_alikes(index, area, _LOOK_ALIKES)
    pool = near if len(alike) == 0 or (len(near) and rng.random() < 0.5) else alike
    free = [int(i) for i in pool if int(i) not in taken]
    return free[int(rng.integers(len(free)))] if free else None
