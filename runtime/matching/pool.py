"""Where a gallery's vectors are searched, behind one small interface: in this process's memory, which is what flies, or
by a vector database (`runtime.matching.milvus`)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.matching import coarse
from runtime.matching.search import Index, Nearest
from runtime.values import ViewKind

RungKey = tuple[ViewKind, float]  # a view, and a footprint in metres
Searched = Callable[[NDArray[np.int64], NDArray[np.float16], int | None], Nearest]
"""From a rung's ids (N,) ascending, its rows (N, D), and how many leading numbers are compared, their index."""


def exact(ids: NDArray[np.int64], vectors: NDArray[np.float16], leading: int | None) -> Nearest:
    """An index that compares every row."""
    return Index(vectors, leading)


class Pool(Protocol):
    """Searches the vectors of a gallery's rungs."""

    def searched(self, key: RungKey) -> Searched:
        """What searches a rung, as long as its rows only grow."""
        ...


class Embedded:
    """In memory: every row is compared, or, of ``large`` rungs and more, those that codes rank first."""

    def __init__(self, large: int = coarse.LARGE) -> None:
        self._large = large

    def searched(self, key: RungKey) -> Searched:
        """See `Pool`."""
        return _Growing(self._large).index


class _Growing:
    """One rung's codes, by how many leading numbers they are made of."""

    def __init__(self, large: int) -> None:
        self._large = large
        self._lock = threading.Lock()
        self._codes: dict[int | None, coarse.Codes] = {}

    def index(self, ids: NDArray[np.int64], vectors: NDArray[np.float16], leading: int | None) -> Nearest:
        if len(vectors) < self._large or not coarse.available():
            return Index(vectors, leading)
        with self._lock:
            codes = self._codes.setdefault(leading, coarse.Codes(leading))
        return coarse.InSteps(vectors, codes, leading)
