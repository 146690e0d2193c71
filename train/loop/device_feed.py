"""Batches made by the device that computes: every picture is decoded once and kept there, and changed there.

A GPU learns from several thousand pictures a second, where a core of the processor changes some 300: read one by one,
the pictures are what it waits for. The places of a step and the windows' kinds are the same as `make_batch` chooses;
what is drawn for each crop is not, for here one draw serves a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.errors import UsageError
from train.data.augment import Strength, any_window, turned_shifts
from train.data.augment_batch import augmented_many, cut_many, turned_alike_many
from train.data.pairs import Pair
from train.data.places import displaced, related
from train.data.training_set import TrainingSet
from train.data.weather_batch import Draws
from train.loop.batches import Batch, Share, quarter_turns, too_few, whole

Rows = tuple[NDArray[np.int64], ...]  # of each place, which of the pictures are its own


class DeviceFeed:
    """All pictures of a training set's ``views`` as (N, S, S, 3) uint8 on a device.

    Raises:
        UsageError: they need more than ``budget_mb``.
    """

    def __init__(
        self, data: TrainingSet, views: Sequence[str], device: torch.device, budget_mb: int, threads: int
    ) -> None:
        self._data, self._device = data, device
        wanted = [(view, place, path) for view in views for place, path in data.paths(view)]
        needed_mb = len(wanted) * 3 * data.size_px**2 / 1e6
        if needed_mb > budget_mb:
            raise UsageError(
                f"the training pictures need {needed_mb:.0f} MB of the device's memory, and data.cache_mb allows "
                f'{budget_mb}: raise it, or write data.changes = "reader".'
            )
        self._pictures = torch.empty((len(wanted), data.size_px, data.size_px, 3), dtype=torch.uint8, device=device)
        owners: dict[str, list[list[int]]] = {view: [[] for _ in data.places] for view in views}
        with ThreadPoolExecutor(threads) as pool:
            for row, crop in enumerate(pool.map(lambda one: data.read(one[2]), wanted)):
                if crop is not None:
                    view, place, _ = wanted[row]
                    self._pictures[row] = torch.from_numpy(crop)
                    owners[view][place].append(row)
        self._rows: dict[str, Rows] = {
            view: tuple(np.array(rows, np.int64) for rows in places) for view, places in owners.items()
        }

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return len(self._pictures)

    def batch(
        self, places: NDArray[np.int64], pair: Pair, strength: Strength, seed: int, step: int, share: Share = whole
    ) -> Batch:
        """As `train.loop.batches.make_batch`, with tensors on the device for arrays.

        Raises:
            UsageError: fewer than two places are left.
        """
        rng = np.random.default_rng([seed, step, 42])
        views = (pair.query, pair.gallery)
        index = np.array([i for i in places if all(len(self._rows[view][i]) for view in views)], np.int64)
        if len(index) < 2:
            raise too_few()
        own = share(len(index))
        draws = Draws((seed, step, 44, own.start), self._device)
        chosen = [[int(rng.choice(self._rows[view][i])) for i in index] for view in views]
        turns, mirrored = quarter_turns(strength, rng)
        crops, clear, grounds = [], [], []
        for view, rows in zip(views, chosen, strict=True):
            windows = [any_window(strength, rng, view) for _ in rows]
            pictures = self._pictures[torch.tensor(rows[own], device=self._device, dtype=torch.int64)]
            seen = cut_many(pictures, windows[own], round(strength.window * pictures.shape[1]))
            changed = augmented_many(seen, strength, draws, view != "satellite")
            crops.append(self._turned(changed, turns, mirrored))
            clear.append(self._turned(seen, turns, mirrored))
            grounds.append([self._data.ground(int(i), w, strength.window) for i, w in zip(index, windows, strict=True)])
        shifts = turned_shifts(displaced(*grounds), turns, mirrored)
        relation = related(index, index, *grounds)
        readable = np.ones(len(chosen[0][own]), bool)
        return Batch(pair, index, crops[0], crops[1], (clear[0], clear[1]), relation, shifts, readable)

    def _turned(self, crops: Tensor, turns: int, mirrored: bool) -> Tensor:
        return turned_alike_many(crops, turns, mirrored)
