"""A pool in Milvus's embedded form answers as memory does, follows its history, and is nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from runtime.cli.pooled import pooled
from runtime.errors import HomingError, UsageError
from runtime.history.history import History
from runtime.matching.coarse import unit
from runtime.matching.gallery import GalleryCache
from runtime.matching.milvus import Milvus, is_pool
from runtime.matching.search import Index
from runtime.values import ViewKind
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe

# Found, and imported where it is used: every process of the suite collects this file, and one runs it.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of its own dependencies
    pytest.mark.skipif(find_spec("pymilvus") is None, reason="Milvus's client is not installed (extra `cluster`)"),
    pytest.mark.skipif(find_spec("milvus_lite") is None, reason="its embedded form is not installed (extra `cluster`)"),
]

RUNG_M = FOOTPRINTS_M[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pool")


@pytest.fixture(scope="module")
def pool(folder: Path) -> Iterator[Milvus]:
    with Milvus(str(folder / "pool.db")) as opened:
        yield opened


def add(history: History, numbers: range) -> None:
    for number in numbers:
        history.add(keyframe(number, ViewKind.SATELLITE), embeddings(number))


def test_it_answers_as_memory_does_and_follows_its_history(pool: Milvus, tmp_path: Path) -> None:
    queries = np.random.default_rng(1).standard_normal((4, 32)).astype(np.float32)
    with History.create(tmp_path / "map.db", SPACE, "bundle") as history:
        galleries, memory = GalleryCache(history, pool=pool), GalleryCache(history)
        add(history, range(1, 31))
        before = galleries.snapshot().rung(ViewKind.SATELLITE, RUNG_M).index(20)
        add(history, range(31, 41))
        snapshot, plain = galleries.snapshot(), memory.snapshot()
        mine, theirs = (one.rung(ViewKind.SATELLITE, RUNG_M) for one in (snapshot, plain))
        for leading in (None, 20):
            ids, near = mine.index(leading).search(queries, 5)
            cosines = unit(queries[:, :leading]) @ unit(theirs.vectors[:, :leading].astype(np.float32)).T
            np.testing.assert_array_equal(ids, np.argsort(-cosines, axis=1)[:, :5])
            np.testing.assert_allclose(near, theirs.index(leading).search(queries, 5)[1], atol=2e-3)
        np.testing.assert_array_equal(before.search(queries, 5)[0], np.argsort(-cosines[:, : len(before)])[:, :5])
        assert len(before) == 30 and len(mine) == 40


def test_another_historys_vectors_are_not_mixed_with_its_own(pool: Milvus, tmp_path: Path) -> None:
    with History.create(tmp_path / "other.db", SPACE, "bundle") as other:
        for number in range(1, 21):
            other.add(keyframe(number, ViewKind.SATELLITE), embeddings(number + 500))
        own = GalleryCache(other, pool=pool).snapshot().rung(ViewKind.SATELLITE, RUNG_M)
        with pytest.raises(HomingError, match="another history"):
            own.index(20)


def test_a_command_searches_where_it_is_told_to(tmp_path: Path) -> None:
    queries = np.random.default_rng(3).standard_normal((2, 32)).astype(np.float32)
    with History.create(tmp_path / "map.db", SPACE, "bundle") as history:
        add(history, range(1, 11))
        answers = []
        for address in (None, f"{tmp_path / 'pool.db'}#mine"):
            with pooled(history, address) as galleries:
                index = galleries.snapshot().rung(ViewKind.SATELLITE, RUNG_M).index()
                answers.append(index.search(queries, 3))
                assert isinstance(index, Index) == (address is None)
    np.testing.assert_array_equal(answers[0][0], answers[1][0])


def test_vectors_are_kept_once_and_read_back_in_chunks(pool: Milvus) -> None:
    rows = np.random.default_rng(2).standard_normal((300, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    distractors = pool.collection("distractors", 8)
    distractors.put(np.arange(300), 3.0 * rows)
    distractors.put(np.arange(100), rows[:100])  # a job that was run again
    assert len(distractors) == 300
    read = np.concatenate(list(distractors.chunks()))
    np.testing.assert_allclose(read[np.lexsort(read.T)], rows[np.lexsort(rows.T)], atol=1e-6)
    with pytest.raises(HomingError, match="no collection nothing"):
        pool.collection("nothing")
    with pytest.raises(HomingError, match="something else"):
        pool.collection("distractors", 9)


def test_a_server_that_falls_silent_is_not_waited_for(tmp_path: Path) -> None:
    """Without a limit the search would wait for ever."""
    import grpc
    from milvus_lite.adapter.grpc.servicer import MilvusServicer
    from milvus_lite.db import MilvusLite
    from pymilvus.grpc_gen import milvus_pb2_grpc

    released = Event()

    class Silent(MilvusServicer):
        def Search(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's)
            released.wait()
            return super().Search(request, context)

    database, server = MilvusLite(str(tmp_path / "silent.db")), grpc.server(ThreadPoolExecutor())
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(Silent(database), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with Milvus(f"http://127.0.0.1:{port}", within_s=0.5) as pool:
            rows = pool.collection("rows", 8)
            rows.put(np.arange(2), np.eye(2, 8, dtype=np.float32))
            with pytest.raises(HomingError, match=f"the pool http://127.0.0.1:{port} does not answer"):
                rows.nearest(np.eye(1, 8, dtype=np.float32), 1)
    finally:
        released.set()
        server.stop(grace=1).wait()
        database.close()


def test_an_address_says_what_it_is() -> None:
    assert is_pool("http://10.0.0.1:19530#country") and is_pool("pool.db") and is_pool("pool.db#other")
    assert not is_pool("features.npy") and not is_pool("pictures")
    with pytest.raises(UsageError, match="is no pool"):
        Milvus("features.npy")


def test_a_server_that_is_not_there_is_said_in_one_sentence() -> None:
    with pytest.raises(HomingError, match="the pool http://127.0.0.1:9 does not answer"):
        Milvus("http://127.0.0.1:9", within_s=0.5)
