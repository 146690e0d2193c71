"""What is made of a map's tiles, by this process or by several: each opens the map and starts an embedder of its own.

Whoever asks gets what was made in the order of what was asked, in chunks, and writes it; a worker writes nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from runtime.errors import HomingError
from runtime.history.gate import Origin, refusal
from runtime.history.history import packed, stored
from runtime.history.mapped import CutKeyframe
from runtime.history.pictures import Cut
from runtime.record.map_tiles import Map, Tile, crops_of, keyframe_of, open_map, origin_of, unusable
from runtime.record.recorder import Tower
from runtime.record.surveyed import ALREADY
from runtime.values import Embeddings, ImageRGB, Keyframe, ViewKind

Place = tuple[float, float]  # (north, east) of a map's middle, in metres
_CHUNK = 8  # tiles: a second or less of one core, and what a kill costs at most of each
_AHEAD = 3  # chunks for each process, made before they are asked for
_NO_CROP: ImageRGB = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class TileWork:
    """What is to be made: tiles of ``tile_m`` of the map at ``path``, embedded at ``rungs_m``, as keyframes of
    ``flight``; those whose fingerprint is in ``known`` are not made again."""

    path: Path
    tile_m: float
    rungs_m: tuple[float, ...]
    flight: str
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Made:
    """A tile by name: a keyframe, or the reason why it is none."""

    name: str
    keyframe: CutKeyframe | None
    reason: str = ""


class TileMaker:
    """Makes the tiles of one open map."""

    def __init__(self, opened: Map, tower: Tower, work: TileWork) -> None:
        self._map, self._tower, self._work = opened, tower, work

    def make(self, places: Sequence[Place]) -> list[Made]:
        """The tiles about these places, embedded together."""
        drafts = [self._draft(*place) for place in places]
        fit = [draft for draft in drafts if not draft.reason]
        rungs = self._work.rungs_m
        if fit:
            size_px = self._tower.bundle.input_size_px
            crops = np.concatenate([crops_of(draft.tile, rungs, size_px) for draft in fit])
            rows = iter(_parted(self._tower.embed(ViewKind.SATELLITE, crops), len(rungs)))
        return [Made(one.tile.name, None, one.reason) if one.reason else one.made(next(rows), rungs) for one in drafts]

    def _draft(self, north_m: float, east_m: float) -> _Draft:
        tile = self._map.tile(north_m, east_m, self._work.tile_m)
        origin, keyframe = origin_of(tile), keyframe_of(tile, self._work.flight)
        reason = ALREADY if origin.fingerprint in self._work.known else unusable(tile) or refusal(keyframe, origin)
        return _Draft(tile, keyframe, self._map.cut_of(tile, north_m, east_m), origin, reason)


@dataclass(frozen=True, slots=True)
class _Draft:
    tile: Tile
    keyframe: Keyframe
    cut: Cut
    origin: Origin
    reason: str

    def made(self, embeddings: Embeddings, rungs: Sequence[float]) -> Made:
        """Without its pixels, which are in the map's picture."""
        bare = replace(self.keyframe, crop=_NO_CROP)
        return Made(self.tile.name, CutKeyframe(bare, self.cut, packed(stored(embeddings, rungs)), self.origin))


def _parted(embeddings: Embeddings, size: int) -> Iterator[Embeddings]:
    """Embeddings in runs of ``size``."""
    for start in range(0, len(embeddings.vectors), size):
        part = slice(start, start + size)
        yield Embeddings(embeddings.vectors[part], None if embeddings.maps is None else embeddings.maps[part])


def made_here(opened: Map, tower: Tower, work: TileWork, places: Iterable[Place]) -> Iterator[list[Made]]:
    """What is made of the tiles about these places by this process, chunk by chunk and in their order."""
    maker = TileMaker(opened, tower, work)
    return map(maker.make, chunks_of(places))


def made_by_processes(
    start: Callable[[], Tower], work: TileWork, places: Iterable[Place], processes: int
) -> Iterator[list[Made]]:
    """The same by several processes; ``start``, which is sent to each, starts its embedder.

    Raises:
        HomingError: one was killed.
    """
    context = multiprocessing.get_context("spawn")  # a fork would share what rasterio has open
    pool = ProcessPoolExecutor(processes, context, _start, (work, start))
    waiting: deque[Future[list[Made]]] = deque()
    try:
        for chunk in chunks_of(places):
            waiting.append(pool.submit(_make, chunk))
            if len(waiting) >= _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise HomingError(
            "a process that embeds the map was ended from outside (out of memory?); what was recorded is kept, and the "
            "same command goes on from there, with --jobs 1 in less memory."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def chunks_of(places: Iterable[Place]) -> Iterator[list[Place]]:
    """Places in the portions in which their tiles are made."""
    left = iter(places)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk


_MAKERS: list[TileMaker] = []  # of a worker's process: the one that it was started with
_OPEN = ExitStack()  # and its map


def _start(work: TileWork, start: Callable[[], Tower]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked ends it, when what is made has been written
    _MAKERS.append(TileMaker(_OPEN.enter_context(open_map(work.path)), start(), work))


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(places: Sequence[Place]) -> list[Made]:
    return _MAKERS[0].make(places)
