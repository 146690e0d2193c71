"""A map's tiles made by the workers of a Dask cluster (extra ``cluster``): of this computer, or of any number of them.

A worker that dies costs nothing but time: what it had not handed over is made by another. Each of them opens the map
itself, so its path, or its address, must mean the same to all.
"""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from runtime.errors import HomingError, UsageError
from runtime.record.map_tiles import open_map
from runtime.record.map_work import Made, Place, TileMaker, TileWork, chunks_of
from runtime.record.recorder import Tower

LOCAL = "local"  # instead of an address: workers of this computer, for as long as the job lasts
_AHEAD = 3  # chunks for each worker, made before they are asked for
_WITHIN_S = 10.0  # a scheduler answers
_DEATHS = 10  # of workers with the same chunk, before it is taken to be the chunk's fault


def made_by_cluster(
    start: Callable[[], Tower], work: TileWork, places: Iterable[Place], cluster: str, workers: int,
    within_s: float = _WITHIN_S,
) -> Iterator[list[Made]]:  # fmt: skip
    """What is made of the tiles about these places, chunk by chunk and in their order, each once.

    ``start`` is sent to each worker and starts its embedder. ``cluster``: a scheduler's address, ``tcp://HOST:8786``,
    or ``local`` for so many ``workers`` of this computer. ``within_s``: how long a scheduler may take to answer.

    Raises:
        HomingError: distributed is not installed, no scheduler answers, or the cluster gave up a chunk.
        UsageError: it is no address.
    """
    with ExitStack() as stack:
        client = _connected(cluster, workers, within_s, stack)
        ahead = _AHEAD * max(1, len(client.scheduler_info(n_workers=-1)["workers"]) or workers)
        waiting: deque[Any] = deque()
        for chunk in chunks_of(places):
            waiting.append(client.submit(_make, work, start, chunk, pure=False, retries=_DEATHS))
            if len(waiting) >= ahead:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


def _connected(cluster: str, workers: int, within_s: float, stack: ExitStack) -> Any:
    if cluster != LOCAL and "://" not in cluster:
        raise UsageError(f"--cluster {cluster}: give tcp://HOST:8786, a Dask scheduler's address, or {LOCAL}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ports and of libraries that it would rather have
        try:
            import dask
            import distributed
        except ImportError:
            raise HomingError("A cluster needs Dask; install it with `pip install homing[cluster]`.") from None
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # a worker that dies is its daily work
        dask.config.set({"distributed.scheduler.allowed-failures": _DEATHS})
        try:
            if cluster == LOCAL:
                own = distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
                )
                stack.enter_context(own)
                cluster = own.scheduler_address
            return stack.enter_context(distributed.Client(cluster, timeout=within_s))
        except (OSError, ValueError) as error:
            said = str(error).split("\n")[0].rstrip(".")
            raise HomingError(f"--cluster {cluster}: no scheduler answers there ({said}).") from None


def _result(future: Any) -> list[Made]:
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    try:
        made: list[Made] = future.result()
    except (KilledWorker, FutureCancelledError) as error:
        raise HomingError(
            "the cluster gave up part of the map: too many of its workers ended with it (out of memory?), or its "
            "scheduler did; what was recorded is kept, and the same command goes on from there."
        ) from error
    future.release()
    return made


class _Makers:
    """Of a worker's process: what makes tiles of the map that it works on, with its embedder; in a thread of its own,
    as GDAL's settings and what it has open belong to one, and a worker may call from several."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "map")
        self._work: TileWork | None = None
        self._maker: TileMaker | None = None
        self._open = ExitStack()

    def make(self, work: TileWork, start: Callable[[], Tower], places: Sequence[Place]) -> list[Made]:
        return self._thread.submit(self._make, work, start, places).result()

    def _make(self, work: TileWork, start: Callable[[], Tower], places: Sequence[Place]) -> list[Made]:
        if self._maker is None or work != self._work:
            self._maker = None
            self._open.close()
            opened = self._open.enter_context(open_map(work.path))
            self._maker, self._work = TileMaker(opened, start(), work), work
        return self._maker.make(places)


_MAKERS = _Makers()


def _make(work: TileWork, start: Callable[[], Tower], places: Sequence[Place]) -> list[Made]:
    return _MAKERS.make(work, start, places)
