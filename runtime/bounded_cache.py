"""A cache that is bounded by the bytes of what it holds, for any number of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Keeps the values used last, of at most ``limit_bytes`` together; ``bytes_of`` says how large a value is.

    A value must own its memory: a view of a larger array would keep all of that array.
    """

    def __init__(self, limit_bytes: int, bytes_of: Callable[[V], int]) -> None:
        self._kept: LRUCache[K, V] = LRUCache(limit_bytes, bytes_of)
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """What was kept under a key, None where there is nothing (any more)."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: K, value: V) -> None:
        """Keeps a value and lets go of those used longest ago; one larger than the limit is not kept."""
        with self._lock:
            try:
                self._kept[key] = value
            except ValueError:  # larger than the whole cache
                self._kept.pop(key, None)

    def clear(self) -> None:
        """Lets go of everything."""
        with self._lock:
            self._kept.clear()

    @property
    def used_bytes(self) -> int:
        """Size of what it holds now."""
        with self._lock:
            return int(self._kept.currsize)

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)
