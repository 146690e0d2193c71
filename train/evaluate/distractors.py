"""Distractors of a gallery: features in a file or in a vector database, or a folder of pictures, embedded once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.errors import UsageError
from runtime.matching.milvus import Milvus, is_pool
from runtime.values import ViewKind
from train.data.views import IMAGES
from train.evaluate.kept import kept_at
from train.evaluate.picture_job import Embedding
from train.evaluate.protocol import Features, normalised

_CHUNK = 16_384  # rows of a file at a time


@dataclass(frozen=True, slots=True)
class Distractors:
    """What was asked for: a ``source``, the folder or the pool where features of its pictures are kept, and the Dask
    ``cluster`` that embeds them.

    Raises:
        UsageError: these do not go together.
    """

    source: str
    keep: str | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.cluster is not None and self.keep is None:
            raise UsageError("--cluster embeds what is kept: give --keep too, a folder or the address of a pool.")
        if self.keep is not None and self.stored:
            raise UsageError(f"--keep keeps features of pictures; {self.source} holds features already.")

    @property
    def stored(self) -> bool:
        """Whether it holds features, and nothing is to be embedded."""
        return is_pool(self.source) or (self.source.endswith(".npy") and Path(self.source).is_file())

    def names(self) -> list[str]:
        """The pictures in the folder and in all folders in it, in order.

        Raises:
            UsageError: there is none.
        """
        folder = Path(self.source)
        paths = (path for path in folder.rglob("*") if path.suffix.lower() in IMAGES)
        names = sorted(path.relative_to(folder).as_posix() for path in paths)
        if not names:
            raise UsageError(f"{folder} is neither a .npy file of features, a folder of pictures, nor a pool.")
        return names

    def embedded(self, view: ViewKind, embedding: Embedding, out: Path, stack: ExitStack) -> str:
        """Embeds the pictures that are not embedded yet by the tower of ``view``, and says where `distractors_from`
        finds all of them; where nothing is to be kept, until ``stack`` is closed, in ``out``.

        Raises:
            HomingError: there are no pictures, or they cannot be embedded or kept.
        """
        if self.stored:
            return self.source
        names = self.names()
        place = self.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="distractors_", dir=out))
        with kept_at(place, view.value, embedding.by(view), embedding.dimension(view)) as kept:
            embedding.embed_into(kept, Path(self.source).absolute(), view, names, self.cluster)
            return kept.source


def distractors_from(source: str | Path) -> Iterator[Features]:
    """Chunks of distractors: a .npy of (N, D) features, read as needed, or the collection that a pool's address names
    (`runtime.matching.milvus`).

    Raises:
        UsageError: it is neither.
        HomingError: the pool does not answer.
    """
    if is_pool(str(source)):
        with Milvus(str(source)) as pool:
            for chunk in pool.collection(pool.name).chunks():
                yield normalised(chunk)
        return
    try:
        stored = np.load(source, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{source} is neither a .npy file of features nor a pool.") from error
    if stored.ndim != 2:
        raise UsageError(f"{source} holds no (N, D) features.")
    for start in range(0, len(stored), _CHUNK):
        yield normalised(stored[start : start + _CHUNK].astype(np.float32))
