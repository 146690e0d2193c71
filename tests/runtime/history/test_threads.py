"""Several threads and programs at one history: reads wait for nobody, writes for a bounded time, nothing is mixed."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from runtime.errors import EmbeddingSpaceError, HistoryBusyError, HistoryError
from runtime.history.history import History
from runtime.history.reader import Mark, StoredRung
from runtime.values import ViewKind
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "flight.homing"
    with History.create(path, SPACE, "bundle") as history:
        for number in (1, 2, 3):
            history.add(keyframe(number), embeddings(number))
    return path


@contextmanager
def foreign(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program's connection, in autocommit mode."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_reads_do_not_wait_for_a_write_that_waits_for_another_program(path: Path) -> None:
    with History.open(path, write=True) as history, foreign(path) as other, ThreadPoolExecutor() as pool:
        other.execute("BEGIN IMMEDIATE")
        began_s = time.monotonic()
        write = pool.submit(history.add, keyframe(4), embeddings(4))
        time.sleep(0.1)  # so that the write waits
        assert len(history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0])) == 3
        assert history.keyframe(2).name == "frame 2"
        assert not write.done() and time.monotonic() - began_s < 2.0
        with pytest.raises(HistoryBusyError, match="in use by another program"):
            write.result()
        assert time.monotonic() - began_s < 8.0  # the wait is bounded
        other.execute("ROLLBACK")
        assert history.ids() == [1, 2, 3]
        assert history.add(keyframe(4), embeddings(4)) == 4


def test_the_log_is_emptied_under_readers_who_never_pause(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    stop = threading.Event()
    with History.open(path, write=True) as history, ThreadPoolExecutor() as pool:

        def read() -> None:
            while not stop.is_set():
                gallery = history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0])
                assert gallery.ids.tolist() == list(range(1, len(gallery) + 1))  # a prefix, whole
                assert history.maps(gallery.ids, FOOTPRINTS_M[1]) is not None

        readers = [pool.submit(read) for _ in range(3)]
        left = []
        for number in range(4, 14):
            history.add(keyframe(number), embeddings(number))
            left.append(log.stat().st_size)
            time.sleep(0.26)  # a little more than the log is left alone
        stop.set()
        for reader in readers:
            reader.result()
    assert sum(size == 0 for size in left) >= 8, left
    assert not log.exists()


def test_a_closed_history_says_so(path: Path) -> None:
    for write in (False, True):
        history = History.open(path, write=write)
        history.close()
        with pytest.raises(HistoryError, match="has been closed"):
            history.ids()


def test_closing_waits_for_no_reader_and_breaks_none(path: Path) -> None:
    with History.open(path, write=True) as history:
        one_at_a_time = history.keyframes(crops=False)
        next(one_at_a_time)
    assert len(list(one_at_a_time)) == 2  # what had been asked for is still handed out


def test_a_long_history_is_read_in_pieces_and_whole(path: Path) -> None:
    with foreign(path) as other:
        columns = ", ".join(row[1] for row in other.execute("PRAGMA table_info(keyframe)") if row[1] != "id")
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 997)"
        other.execute(f"{numbers} INSERT INTO keyframe ({columns}) SELECT {columns} FROM keyframe, n WHERE id = 1")
        others = ", ".join(row[1] for row in other.execute("PRAGMA table_info(position)") if row[1] != "keyframe_id")
        other.execute(
            f"INSERT INTO position (keyframe_id, {others}) "
            f"SELECT keyframe.id, {others} FROM keyframe, position WHERE keyframe.id > 3 AND keyframe_id = 1"
        )
    with History.open(path) as history:
        found = list(history.keyframes(crops=False))
        assert [one.keyframe_id for one in found] == list(range(1, 1001)) and all(one.position for one in found)
        assert [one.keyframe_id for one in history.keyframes(crops=False, after_id=500)] == list(range(501, 1001))


def test_growth_is_told_from_rewriting(path: Path) -> None:
    with History.open(path, write=True) as history:
        before = history.mark()
        assert before == Mark(3, 6, 0)
        history.add(keyframe(4), embeddings(4))
        assert history.mark() == Mark(4, 8, 0)
        grown = history.stored_rungs(before, history.mark())
        assert grown == [StoredRung(ViewKind.DRONE, footprint_m, 1, 4) for footprint_m in FOOTPRINTS_M]
        assert [one.count for one in history.stored_rungs(Mark(), history.mark())] == [4, 4]
        history.store_features(1, "kind", {})
        assert history.mark() == Mark(4, 8, 0)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM embedding WHERE keyframe_id = 2",
        "UPDATE keyframe SET ground_latitude_deg = 61 WHERE id = 1",
        "UPDATE position SET latitude_deg = 61 WHERE keyframe_id = 1",
    ],
)
def test_what_another_program_rewrites_is_noticed(path: Path, statement: str) -> None:
    with History.open(path) as history, foreign(path) as other:
        before = history.mark()
        other.execute(statement)
        assert history.mark().rewritten > before.rewritten


def test_a_file_of_before_is_read_as_it_is_and_counts_from_its_next_keyframe(path: Path) -> None:
    with foreign(path) as other:
        for table in ("keyframe", "position", "embedding"):
            other.execute(f"DROP TRIGGER {table}_update")
            other.execute(f"DROP TRIGGER {table}_delete")
        other.execute("DELETE FROM meta WHERE key = 'rewritten'")
        schema = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
        with History.open(path) as history:
            assert history.mark() == Mark(3, 6, 0) and len(history) == 3
        assert other.execute(schema).fetchone() == (0,)
        with History.open(path, write=True) as history:
            history.add(keyframe(4), embeddings(4))
            other.execute("DELETE FROM embedding WHERE keyframe_id = 1")
            assert history.mark().rewritten == 2


def test_nothing_is_recorded_into_a_space_that_another_program_moved_to(path: Path) -> None:
    with History.open(path, write=True) as history, History.open(path, write=True) as mover:
        for keyframe_id in mover.ids():
            mover.add_embeddings(keyframe_id, "space-b", ViewKind.DRONE, embeddings(keyframe_id)[:1])
        mover.move_to_space("space-b", "bundle two")
        with pytest.raises(EmbeddingSpaceError, match="moved to embedding space space-b"):
            history.mark()
        with pytest.raises(EmbeddingSpaceError, match="moved to embedding space space-b"):
            history.add(keyframe(4), embeddings(4))
        assert len(mover) == 3
