"""A folder of pictures embedded part by part, by this process or by the workers of a Dask cluster, and kept as it goes.

No part needs torch where a bundle embeds, so workers need no more than what flies.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from runtime.cli.output import Progressing
from runtime.cluster import done_by_cluster
from runtime.errors import HomingError, ImageError, UsageError
from runtime.machine import gpu_in_sight, usable_cores
from runtime.values import ViewKind
from train.data.views import Skipped, read_crop
from train.evaluate.encoder import BATCH, Encoder, embed_crops
from train.evaluate.kept import Kept
from train.evaluate.protocol import Features


@dataclass(frozen=True, slots=True)
class PictureRows:
    """What became of some pictures: ``names`` of those that were read, their (n, D) unit ``features``, what could not
    be read with its reason, and the name of the encoder."""

    names: tuple[str, ...]
    features: Features
    unreadable: tuple[tuple[str, str], ...]
    encoder: str


@dataclass(frozen=True, slots=True)
class PictureJob:
    """Embeds pictures of a folder by the tower of ``view``, with ``flip`` as the sum with their mirror images;
    ``start`` opens the encoder where the job is done. See `runtime.cluster.Job`."""

    folder: Path
    view: ViewKind
    flip: bool
    start: Callable[[], Encoder]

    @contextmanager
    def open(self) -> Iterator[Callable[[Sequence[str]], PictureRows]]:
        """Starts the encoder.

        Raises:
            UsageError: this computer does not see the folder.
        """
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is no folder on {socket.gethostname()}: all workers must see it there.")
        yield partial(self.rows, self.start())

    def rows(self, encoder: Encoder, names: Sequence[str]) -> PictureRows:
        """The pictures of these names, embedded together."""
        read, crops, unreadable = [], [], []
        for name in names:
            try:
                crops.append(read_crop(self.folder / name, encoder.size_px))
                read.append(name)
            except ImageError as error:
                unreadable.append((name, str(error)))
        features = np.zeros((0, 0), np.float32)
        if crops:
            features, _ = embed_crops(encoder, self.view, np.stack(crops), self.flip)
        return PictureRows(tuple(read), features, tuple(unreadable), encoder.name)


@dataclass(frozen=True, slots=True)
class Embedding:
    """How pictures are embedded: by ``encoder`` in this process, or by those that ``start`` opens in others; with
    ``flip`` as the sum with their mirror images. What cannot be read is told to ``skipped``."""

    encoder: Encoder
    start: Callable[[], Encoder]
    flip: bool
    skipped: Skipped
    progress: Progressing

    def by(self, view: ViewKind) -> str:
        """What a row is made by, in words."""
        return f"{self.encoder.name}, {view.value} view{', mirrored too' if self.flip else ''}"

    def dimension(self, view: ViewKind) -> int:
        """How many numbers a row has."""
        blank = np.zeros((1, self.encoder.size_px, self.encoder.size_px, 3), np.uint8)
        return int(self.encoder.embed(view, blank)[0].shape[1])

    def embed_into(self, kept: Kept, folder: Path, view: ViewKind, names: Sequence[str], cluster: str | None) -> None:
        """Embeds those of a folder's pictures that are not kept yet, in their order: in this process, or by a
        ``cluster`` (`runtime.cluster.done_by_cluster`). Ended at any instant, the same call goes on from there.

        Raises:
            HomingError: the cluster cannot be used or gave up a part, a worker embeds by something else, or what was
                embedded cannot be kept.
            UsageError: none of the pictures could be read.
        """
        missing, unreadable = kept.missing(names), 0
        with self.progress(f"embedding pictures, {view.value} view", max(len(missing), 1)) as steps:
            for rows in self._made(PictureJob(folder, view, self.flip, self.start), missing, cluster):
                if rows.encoder != self.encoder.name:
                    raise HomingError(
                        f"a worker embeds by {rows.encoder}, and this computer by {self.encoder.name}: give all the "
                        "same bundle, or checkpoint, at the same path."
                    )
                if rows.names:
                    kept.add(rows.names, rows.features)
                for name, reason in rows.unreadable:
                    self.skipped.add(folder / name, reason)
                unreadable += len(rows.unreadable)
                for _ in range(len(rows.names) + len(rows.unreadable)):
                    steps.step()
        if unreadable == len(names):
            raise UsageError(f"{folder}: none of its pictures could be read.")

    def _made(self, job: PictureJob, names: Sequence[str], cluster: str | None) -> Iterator[PictureRows]:
        if cluster is None or len(names) <= BATCH:  # which takes less time than a cluster to answer
            return map(partial(job.rows, self.encoder), _parts(names))
        return done_by_cluster(job, _parts(names), cluster, 1 if gpu_in_sight() else usable_cores())


def _parts(names: Iterable[str]) -> Iterator[list[str]]:
    left = iter(names)
    while part := list(islice(left, BATCH)):
        yield part
