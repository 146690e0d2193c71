"""The batches of a run: which places, and their crops; each a function of the seed, the step and what was learned.

A batch is several places of one area, for neighbours are the negatives that matter in flight: some at random, the rest
their neighbours on the ground and the places that looked most like them when last embedded.
"""

from __future__ import annotations

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
_NEAR = 12  # neighbours to choose from
_LOOK_ALIKES = 8  # likewise, of those most similar


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's B places: crops of both views (B, S, S, 3) as they are learned from, and as they were before light and
    weather changed them (``clear``); their ``relation`` (B, B), and ``shifts`` (B, B, 2) in sides of a crop."""

    pair: Pair
    places: NDArray[np.int64]
    queries: Crops
    gallery: Crops
    clear: tuple[Crops, Crops]
    relation: NDArray[np.int8]
    shifts: NDArray[np.float32]


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


def make_batch(
    data: TrainingSet, places: NDArray[np.int64], pair: Pair, strength: Strength, seed: int, step: int
) -> Batch:
    """Read and change the crops of chosen places; one whose pictures cannot be read is left out.

    Raises:
        UsageError: fewer than two places are left.
    """
    rng = np.random.default_rng([seed, step, 42])
    read = [(i, data.crop(int(i), pair.query, rng), data.crop(int(i), pair.gallery, rng)) for i in places]
    kept = [(index, query, answer) for index, query, answer in read if query is not None and answer is not None]
    if len(kept) < 2:
        raise too_few()
    turns, mirrored = quarter_turns(strength, rng)
    index = np.array([i for i, _, _ in kept], np.int64)
    views, clear, grounds = [], [], []
    for view, pictures in ((pair.query, [q for _, q, _ in kept]), (pair.gallery, [a for _, _, a in kept])):
        windows = [any_window(strength, rng, view) for _ in pictures]
        size_px = round(strength.window * pictures[0].shape[0])
        crops = [cut(picture, window, size_px) for picture, window in zip(pictures, windows, strict=True)]
        changed = [augmented(crop, strength, rng, view != "satellite") for crop in crops]
        views.append(turned_alike(np.stack(changed), turns, mirrored))
        clear.append(turned_alike(np.stack(crops), turns, mirrored))
        grounds.append([data.ground(int(i), w, strength.window) for i, w in zip(index, windows, strict=True)])
    shifts = turned_shifts(displaced(*grounds), turns, mirrored)
    relation = related(index, index, *grounds)
    return Batch(pair, index, views[0], views[1], (clear[0], clear[1]), relation, shifts)


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
