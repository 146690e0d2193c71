"""A map's tiles made by the workers of a Dask cluster (`runtime.cluster`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from runtime.cluster import done_by_cluster
from runtime.record.map_tiles import open_map
from runtime.record.map_work import Made, Place, TileMaker, TileWork, chunks_of
from runtime.record.recorder import Tower


@dataclass(frozen=True, slots=True)
class MapJob:
    """Makes tiles as ``work`` says, with the embedder that ``start`` starts; see `runtime.cluster.Job`."""

    work: TileWork
    start: Callable[[], Tower]

    @contextmanager
    def open(self) -> Iterator[Callable[[Sequence[Place]], list[Made]]]:
        """Opens the map, and starts the embedder."""
        with open_map(self.work.path) as opened:
            yield TileMaker(opened, self.start(), self.work).make


def made_by_cluster(
    start: Callable[[], Tower], work: TileWork, places: Iterable[Place], cluster: str, workers: int
) -> Iterator[list[Made]]:
    """What is made of the tiles about these places, chunk by chunk and in their order, each once.

    ``start`` is sent to each worker and starts its embedder. ``cluster``, ``workers``: see
    `runtime.cluster.done_by_cluster`, which also says what is raised.
    """
    return done_by_cluster(MapJob(work, start), chunks_of(places), cluster, workers)
