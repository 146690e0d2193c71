"""Where a command searches a history's vectors: in memory, or in the database that ``--pool`` names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runtime.history.history import History
from runtime.matching.gallery import GalleryCache

POOL_HELP = "Search the vectors in Milvus: FILE.db or http://HOST:PORT, and #NAME."


@contextmanager
def pooled(history: History, address: str | None) -> Iterator[GalleryCache]:
    """A history's gallery, its vectors searched by the pool at an address; without one in memory.

    Raises:
        HomingError: the pool cannot be used.
    """
    if address is None:
        yield GalleryCache(history)
        return
    from runtime.matching.milvus import Milvus

    with Milvus(address) as pool:
        yield GalleryCache(history, pool=pool)
