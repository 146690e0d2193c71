"""Features of pictures by name, kept where distractors are read from: in a file that grows, or in a vector database.

Whatever ends the process, what was added before is there, and each picture once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from runtime.errors import StorageError, UsageError
from runtime.matching.milvus import Milvus, is_pool
from train.evaluate.protocol import Features

_NUMBER_BYTES = 4  # single precision, as they are compared


class Kept(Protocol):
    """Rows by the name of their picture; ``source`` is what `train.evaluate.distractors.distractors_from` reads."""

    @property
    def source(self) -> str: ...
    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of the names that have no row, in their order.

        Raises:
            UsageError: there are rows of other pictures.
        """
        ...

    def add(self, names: Sequence[str], features: Features) -> None:
        """Adds (n, D) rows.

        Raises:
            HomingError: they cannot be kept.
        """
        ...

    def __enter__(self) -> Kept: ...
    def __exit__(self, *_: object) -> None: ...


def kept_at(place: str, view: str, by: str, dimension: int) -> Kept:
    """Where features of a view of ``dimension`` numbers are kept: ``VIEW.npy`` in a folder, or the collection
    ``NAME_VIEW`` of a pool's address (`runtime.matching.milvus`). ``by``: what embeds them.

    Raises:
        UsageError: what is there was embedded by something else, or another process adds to it.
        HomingError: it cannot be written, or the pool does not answer.
    """
    if is_pool(place):
        return KeptInPool(place, view, by, dimension)
    return KeptInFile(Path(place) / f"{view}.npy", by, dimension)


class KeptInFile:
    """A .npy file of (N, D) float32 rows, whole at any instant, and beside it ``.jsonl``: what embedded them, then the
    name of each row's picture. The file's header is written last and says how many rows there are; what is behind
    those was not finished, and is written again."""

    def __init__(self, path: Path, by: str, dimension: int) -> None:
        self.source, self._path, self._dimension = str(path), path, dimension
        with ExitStack() as opening:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._list = opening.enter_context(path.with_suffix(".jsonl").open("a+b"))
                self._lock()
                self._rows = opening.enter_context(path.open("r+b" if path.exists() else "w+b"))
                self._names = self._read(by, self._count())
                self._first = self._write_header()
            except OSError as error:
                raise StorageError(f"{path} cannot be written: {error.strerror}.") from error
            self._opened = opening.pop_all()

    def __enter__(self) -> KeptInFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def missing(self, names: Sequence[str]) -> list[str]:
        """See `Kept`."""
        there = set(self._names)
        _refuse_others(self.source, len(there.difference(names)))
        return [name for name in names if name not in there]

    def add(self, names: Sequence[str], features: Features) -> None:
        """See `Kept`."""
        try:
            self._rows.seek(self._first + len(self._names) * self._dimension * _NUMBER_BYTES)
            self._rows.write(np.ascontiguousarray(features, np.float32).tobytes())
            self._rows.flush()
            self._list.write(b"".join(_line(name) for name in names))
            self._list.flush()
            self._names += names
            self._write_header()
        except OSError as error:
            raise StorageError(f"{self._path} cannot be written: {error.strerror}.") from error

    def _lock(self) -> None:
        try:
            fcntl.flock(self._list, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{self._path}: another process is adding to it.") from None

    def _count(self) -> int:
        """How many rows there are."""
        if not self._path.stat().st_size:
            return 0
        try:
            version = npy.read_magic(self._rows)
            shape, _, dtype = npy.read_array_header_1_0(self._rows)
        except ValueError:
            shape, version, dtype = (), (0, 0), np.dtype(np.void)
        if version != (1, 0) or dtype != np.float32 or len(shape) != 2 or shape[1] != self._dimension:
            raise UsageError(f"{self._path} holds no rows of {self._dimension} numbers; keep these somewhere else.")
        return int(shape[0])

    def _read(self, by: str, count: int) -> list[str]:
        """The names of so many rows; the list then ends with them."""
        self._list.seek(0)
        lines = self._list.read().splitlines(keepends=True)
        if not lines and not count:
            self._list.write(_line(by))
            self._list.flush()
            return []
        try:
            names = [str(json.loads(line)) for line in lines[: count + 1]]
        except ValueError:
            names = []
        if len(names) != count + 1:
            raise UsageError(f"{self._path}: {self._list.name} does not name its rows; keep these somewhere else.")
        if names[0] != by:
            raise UsageError(f"{self._path} was embedded by {names[0]}, not by {by}; keep these somewhere else.")
        self._list.truncate(sum(map(len, lines[: count + 1])))
        return names[1:]

    def _write_header(self) -> int:
        """Says how many rows there are, and gives where in the file they begin."""
        self._rows.seek(0)
        shape = (len(self._names), self._dimension)  # numpy leaves room for the first to grow
        npy.write_array_header_1_0(self._rows, {"descr": "<f4", "fortran_order": False, "shape": shape})
        self._rows.flush()
        return self._rows.tell()


class KeptInPool:
    """A collection of Milvus, by ids made of the pictures' names: the same picture again replaces its row."""

    def __init__(self, address: str, view: str, by: str, dimension: int) -> None:
        self._pool = Milvus(address)
        name = f"{self._pool.name}_{view}"
        self.source = f"{address.partition('#')[0]}#{name}"
        self._collection = self._pool.collection(name, dimension, by)

    def __enter__(self) -> KeptInPool:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def missing(self, names: Sequence[str]) -> list[str]:
        """See `Kept`."""
        there, wanted = self._collection.ids(), _ids(names)
        _refuse_others(self.source, int((~np.isin(there, wanted)).sum()))
        return [names[int(row)] for row in np.flatnonzero(~np.isin(wanted, there))]

    def add(self, names: Sequence[str], features: Features) -> None:
        """See `Kept`."""
        self._collection.put(_ids(names), features)


def _refuse_others(source: str, count: int) -> None:
    if count:
        raise UsageError(f"{source} holds {count} pictures that the folder does not; keep these somewhere else.")


def _line(text: str) -> bytes:
    return json.dumps(text).encode() + b"\n"


def _ids(names: Sequence[str]) -> NDArray[np.int64]:
    """A number of 63 bits for each name: of ten million, two are the same once in 180,000 pools."""
    digests = [hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest() for name in names]
    return np.array([int.from_bytes(digest, "little") >> 1 for digest in digests], np.int64)
