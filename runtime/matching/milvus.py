"""A pool whose vectors are searched by Milvus (extra ``cluster``): by its embedded form in a file, or by a cluster.

One collection holds one rung of one history, by the keyframes' ids. It is filled from the history and follows it; a
new one compares every row (FLAT). Whoever runs the cluster may give a collection another index: it is used as it is.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import HomingError, UsageError
from runtime.matching.coarse import unit
from runtime.matching.growing_rows import released
from runtime.matching.pool import RungKey, Searched
from runtime.matching.search import Nearest

NAME = "homing"  # of the collections, where an address gives none
_OWN_WRITES = "Session"  # are seen by a search; it waits 0.2 s and more for the next tick of the servers to see all
_MADE_BY = "homing.made_by"  # a property
_WITHIN_S = 20.0  # a request is answered
_LOADED_WITHIN_S = 600.0  # a collection is read into memory, or sealed: 10 million vectors are 20 GB
_ROWS_AT_ONCE = 2_000  # inserted together: 4 MB
_READ_AT_ONCE = 4_000  # 8 MB
_MAX_ROWS = 16_384  # rows that Milvus answers with
_SPARE = 16  # rows more than are asked for: others may have added newer ones, which a snapshot does not have
_COMPARED = 32  # rows that must be those of the history, before a collection is taken for its own
_SAME = 2e-3  # of each number: histories keep halves

Rows = NDArray[np.floating]


def is_pool(address: str) -> bool:
    """Whether an address is that of a database: ``http(s)://HOST:PORT[#NAME]``, or a file ``FILE.db[#NAME]``."""
    return re.match(r"(https?|tcp|unix)://", address) is not None or address.partition("#")[0].endswith(".db")


class Milvus:
    """A `runtime.matching.pool.Pool`. ``address``: see `is_pool`; its NAME begins the collections' names. ``within_s``:
    how long the server may take to answer.

    Raises:
        HomingError: pymilvus is not installed, or nobody answers there.
    """

    def __init__(self, address: str, within_s: float = _WITHIN_S) -> None:
        uri, _, name = address.partition("#")
        if not is_pool(address):
            raise UsageError(f"{address} is no pool: give FILE.db or http://HOST:19530, and #NAME after it if wanted.")
        self.name = name or NAME
        self._uri = uri
        self._server = _Server(uri, within_s)

    def __enter__(self) -> Milvus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._server.close()

    def searched(self, key: RungKey) -> Searched:
        """See `Pool`."""
        view, footprint_m = key
        name = f"{self.name}_{view.value}_{round(1000 * footprint_m)}"
        return _Filled(lambda dimension: self.collection(f"{name}_{dimension}", dimension)).index

    def collection(self, name: str, dimension: int | None = None, by: str = "") -> Collection:
        """A collection by its whole name; of vectors with so many numbers it is made where there is none. ``by``: what
        its vectors were made by, which is kept among its properties.

        Raises:
            HomingError: there is none, or its vectors are of another length, or made by something else.
        """
        server = self._server
        if dimension is not None and not server.answer("has_collection", name):
            self._make(name, dimension, by)
        if not server.answer("has_collection", name):
            raise HomingError(f"{self._uri} has no collection {name}.")
        described = server.answer("describe_collection", name)
        made_by = described.get("properties", {}).get(_MADE_BY, "something else")
        if by and made_by != by:
            raise HomingError(f"{self._uri}: {name} was embedded by {made_by}, not by {by}; give another #NAME.")
        fields = {field["name"]: field for field in described["fields"]}
        has = int(fields["vector"]["params"]["dim"]) if "vector" in fields else None
        if has is None or (dimension is not None and has != dimension):
            raise HomingError(f"{self._uri}: the collection {name} holds something else; give another #NAME.")
        server.answer("load_collection", name, timeout=_LOADED_WITHIN_S)
        return Collection(server, name)

    def _make(self, name: str, dimension: int, by: str) -> None:
        from pymilvus import CollectionSchema, DataType, FieldSchema
        from pymilvus.milvus_client import IndexParams

        fields = [
            FieldSchema("id", DataType.INT64, is_primary=True),
            FieldSchema("vector", DataType.FLOAT_VECTOR, dim=dimension),
        ]
        index = IndexParams()
        index.add_index("vector", index_type="FLAT", metric_type="IP")
        self._server.answer(
            "create_collection", name, schema=CollectionSchema(fields, auto_id=False), index_params=index,
            consistency_level="Strong", properties={_MADE_BY: by} if by else {},
        )  # fmt: skip


class _Server:
    """Milvus's client, whose every request is answered in time or raises a HomingError: without a limit of its own a
    request waits for ever."""

    def __init__(self, uri: str, within_s: float) -> None:
        self._uri, self._within_s = uri, within_s
        try:
            from pymilvus import MilvusClient
        except ImportError:
            raise HomingError("A pool needs Milvus's client; install it with `pip install homing[cluster]`.") from None
        for noisy in ("pymilvus", "grpc"):  # what they have to say is raised too
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        with self._asking():
            self._client = MilvusClient(uri, timeout=within_s)

    def close(self) -> None:
        self._client.close()

    def answer(self, request: str, *what: Any, **how: Any) -> Any:
        """What the client's method of that name gives."""
        with self._asking():
            return getattr(self._client, request)(*what, **{"timeout": self._within_s, **how})

    def read(self, name: str, fields: list[str]) -> Iterator[list[dict[str, Any]]]:
        """These fields of all rows of a collection, some rows at a time."""
        with self._asking():
            read = self._client.query_iterator(
                name, batch_size=_READ_AT_ONCE, output_fields=fields, timeout=self._within_s
            )
            try:
                while rows := read.next():
                    yield rows
            finally:
                read.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        from grpc import Call, RpcError
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, RpcError, ConnectionError, OSError, TimeoutError) as error:
            told = error.details() if isinstance(error, Call) else getattr(error, "message", "")
            said = (told or str(error)).strip().split("\n")[0].rstrip(".")
            raise HomingError(f"the pool {self._uri} does not answer as it should ({said}).") from None


class Collection:
    """Vectors of one length by id, in Milvus."""

    def __init__(self, server: _Server, name: str) -> None:
        self._server, self._name = server, name

    def __len__(self) -> int:
        counted = self._server.answer("query", self._name, filter="", output_fields=["count(*)"])
        return int(counted[0]["count(*)"])

    def put(self, ids: NDArray[np.int64], vectors: Rows) -> None:
        """Adds (N, D) rows of any length under (N,) ids, or takes them in the place of those that are there."""
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            rows = unit(np.asarray(vectors[part], np.float32))
            named = [{"id": int(i), "vector": row} for i, row in zip(ids[part], rows, strict=True)]
            self._server.answer("upsert", self._name, named)
            released(vectors)

    def flush(self) -> None:
        """Makes the database seal what was added, so that it is searched by its index."""
        self._server.answer("flush", self._name, timeout=_LOADED_WITHIN_S)

    def nearest(self, queries: Rows, k: int) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Ids and cosines of the ``k`` most similar to each of (Q, D) unit queries, best first."""
        found = self._server.answer(
            "search", self._name, data=list(np.asarray(queries, np.float32)), limit=min(k, _MAX_ROWS),
            anns_field="vector", consistency_level=_OWN_WRITES,
        )  # fmt: skip
        return [
            (
                np.array([hit["id"] for hit in hits], np.int64),
                np.array([hit["distance"] for hit in hits], np.float32),
            )
            for hits in found
        ]

    def vectors(self, ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """The vectors of those ids that are there."""
        wanted = [int(i) for i in ids]
        rows = self._server.answer("get", self._name, ids=wanted, output_fields=["id", "vector"])
        return {int(row["id"]): np.asarray(row["vector"], np.float32) for row in rows}

    def ids(self) -> NDArray[np.int64]:
        """All ids, ascending."""
        read = [np.array([row["id"] for row in rows], np.int64) for rows in self._server.read(self._name, ["id"])]
        return np.sort(np.concatenate(read)) if read else np.zeros(0, np.int64)

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """All vectors, (n, D) at a time."""
        for rows in self._server.read(self._name, ["vector"]):
            yield np.array([row["vector"] for row in rows], np.float32)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Forgets some."""
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            self._server.answer("delete", self._name, ids=ids[start : start + _ROWS_AT_ONCE].tolist())


class _Filled:
    """The collections of one rung, by length of the vectors: filled when they are first asked, and then followed."""

    def __init__(self, collection: Callable[[int], Collection]) -> None:
        self._collection = collection
        self._lock = threading.Lock()
        self._filled: dict[int, tuple[Collection, int]] = {}  # and the newest id that is there

    def index(self, ids: NDArray[np.int64], vectors: NDArray[np.float16], leading: int | None) -> Nearest:
        rows = vectors[:, :leading]
        if not len(rows):
            return _Rows(None, ids, 0)
        with self._lock:
            dimension = rows.shape[1]
            if dimension not in self._filled:
                collection = self._collection(dimension)
                _fill(collection, ids, rows)
            else:
                collection, newest = self._filled[dimension]
                collection.put(ids[ids > newest], rows[ids > newest])
            self._filled[dimension] = (collection, int(ids[-1]))
        return _Rows(collection, ids, dimension)


def _fill(collection: Collection, ids: NDArray[np.int64], rows: Rows) -> None:
    """Makes a collection hold these rows and no others.

    Raises:
        HomingError: it holds those of another history.
    """
    there = collection.ids() if len(collection) else np.zeros(0, np.int64)
    known = np.flatnonzero(np.isin(ids, there))
    some = known[:: max(1, len(known) // _COMPARED)][:_COMPARED]
    stored = collection.vectors(ids[some].tolist()) if len(some) else {}
    for row in some:
        own = unit(np.asarray(rows[row : row + 1], np.float32))[0]
        if np.abs(own - stored.get(int(ids[row]), own)).max() > _SAME:
            raise HomingError("the pool holds the vectors of another history; give another #NAME after its address.")
    surplus = there[~np.isin(there, ids)]
    collection.remove(surplus)
    missing = np.flatnonzero(~np.isin(ids, there))
    for start in range(0, len(missing), _ROWS_AT_ONCE):
        part = missing[start : start + _ROWS_AT_ONCE]
        collection.put(ids[part], rows[part])
        released(rows)


class _Rows:
    """A collection as an index of a snapshot's rows; answers as `runtime.matching.search.Index` does."""

    def __init__(self, collection: Collection | None, ids: NDArray[np.int64], dimension: int) -> None:
        self._collection, self._ids, self._dimension = collection, ids, dimension

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, queries: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``k`` most similar rows of each query, best first; fewer where there are not so many."""
        k = min(k, len(self._ids))
        rows, similarity = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
        if k == 0 or self._collection is None or not len(queries):
            return rows, similarity
        wanted, spare = unit(np.asarray(queries[:, : self._dimension], np.float32)), _SPARE
        while True:
            found = [self._own(*one) for one in self._collection.nearest(wanted, k + spare)]
            if all(len(one[0]) >= k for one in found) or k + spare >= _MAX_ROWS:
                break
            spare *= 8
        for row, (own, near) in enumerate(found):
            rows[row, : len(own[:k])], similarity[row, : len(own[:k])] = own[:k], near[:k]
        return rows, similarity

    def roughly(self, queries: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """As `search`."""
        return self.search(queries, k)

    def _own(
        self, ids: NDArray[np.int64], near: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of those ids that the snapshot has."""
        at = np.searchsorted(self._ids, ids)
        there = (at < len(self._ids)) & (self._ids[np.minimum(at, len(self._ids) - 1)] == ids)
        return at[there], near[there]
