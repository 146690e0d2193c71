"""Whatever happens to the file or the process: one clear sentence, and nothing recorded is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.errors import EmbeddingSpaceError, HistoryError, HomingError, StorageError
from runtime.history.file import open_file
from runtime.history.history import History
from runtime.values import ViewKind
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe

KILLS, CUTS = 50, 200
ROOT = Path(__file__).parents[3]


def recorded(path: Path, count: int) -> Path:
    with History.append(path, SPACE, "bundle") as history:
        for number in range(1, count + 1):
            history.add(keyframe(number), embeddings(number))
    return path


def sentence(error: pytest.ExceptionInfo[HomingError]) -> str:
    text = str(error.value)
    assert text and "\n" not in text and text.endswith(".")
    return text


def assert_whole(history: History, count: int) -> None:
    """Every keyframe up to ``count`` is there with all that was stored of it."""
    assert history.ids() == list(range(1, count + 1))
    assert history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0]).ids.tolist() == history.ids()
    maps = history.maps(history.ids(), FOOTPRINTS_M[1])
    assert maps is not None and len(maps) == count
    assert history.keyframe(count).name == f"frame {count}"


def test_missing_is_said_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="homing record --history") as error:
        History.open(tmp_path / "none.homing")
    sentence(error)
    with pytest.raises(HistoryError):
        History.open(tmp_path)  # a folder


def test_a_file_of_something_else_is_foreign(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, " * 100)
    empty = tmp_path / "empty"
    empty.touch()
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE bookmark (url TEXT)")
    connection.close()
    for path in (text, empty, other):
        before = path.read_bytes()
        for write in (False, True):
            with pytest.raises(HistoryError, match="not a flight history") as error:
                History.open(path, write=write)
            sentence(error)
        assert path.read_bytes() == before


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    whole = recorded(tmp_path / "whole.homing", 40).read_bytes()
    rng = random.Random(3)
    said = 0
    for trial in range(40):
        damaged = bytearray(whole)
        start = rng.randrange(200, len(whole) - 9000)
        damaged[start : start + 8192] = rng.randbytes(8192)
        path = tmp_path / f"damaged{trial}.homing"
        path.write_bytes(damaged[: rng.choice([len(damaged), len(damaged) * 3 // 4])])
        try:
            with History.open(path) as history:
                for one in history.keyframes():
                    assert one.keyframe_id > 0
                for footprint_m in history.footprints(ViewKind.DRONE):
                    history.maps(history.gallery(ViewKind.DRONE, footprint_m).ids, footprint_m)
        except HomingError:  # anything else would be a traceback
            said += 1
        path.unlink()
    assert said > 10


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "new.homing", 1)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(HistoryError, match="format 99") as error:
        History.open(path)
    sentence(error)


def test_space_is_checked_before_anything_is_written(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.homing", 1)
    before = path.read_bytes()
    with pytest.raises(EmbeddingSpaceError) as error:
        History.append(path, "other", "b")
    sentence(error)
    assert path.read_bytes() == before


def test_creating_over_something_or_nowhere(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.homing", 1)
    with pytest.raises(HistoryError, match="exists already"):
        History.create(path, SPACE, "b")
    with pytest.raises(StorageError, match="does not exist") as error:
        History.create(tmp_path / "no" / "such" / "folder.homing", SPACE, "b")
    sentence(error)


def test_reading_only_means_it(tmp_path: Path) -> None:
    with History.open(recorded(tmp_path / "a.homing", 1)) as history:
        with pytest.raises(HistoryError, match="reading only"):
            history.add(keyframe(2), [])


def test_a_full_disk_keeps_what_was_recorded(tmp_path: Path) -> None:
    """SQLite meets its page limit exactly as it meets a full disk: SQLITE_FULL."""
    path = recorded(tmp_path / "a.homing", 5)
    connection = open_file(path, write=True)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 4}")
    added = 5
    with History(path, connection, write=True) as history:
        with pytest.raises(StorageError, match="disk is full") as error:
            while True:
                history.add(keyframe(added + 1), embeddings(added + 1))
                added += 1
        sentence(error)
        assert_whole(history, added)
    with History.open(path, write=True) as history:  # space was freed: recording goes on
        assert_whole(history, added)
        history.add(keyframe(added + 1), embeddings(added + 1))
        assert_whole(history, added + 1)


def test_a_history_of_a_flight_on_a_read_only_disk_can_be_read(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.homing", 2)
    path.chmod(0o444)
    with History.open(path) as history:
        assert_whole(history, 2)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, int, list[tuple[int, float]], float]]:
    """Recordings killed at random instants: file, place in the run, acknowledged (id, time), and time of death."""
    rng = random.Random(11)
    folder = tmp_path_factory.mktemp("killed")
    path = folder / "one.homing"
    runs = []
    command = [sys.executable, "-m", "tests.runtime.history.recording"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as program:
        for trial in range(KILLS):
            acknowledged, died_s = _record_and_kill(program, path, rng.uniform(0.0, 0.12))
            copy = folder / f"{trial}.homing"
            for end in ("", "-wal", "-shm"):
                part = path.with_name(path.name + end)
                if part.exists():
                    shutil.copy(part, copy.with_name(copy.name + end))
            runs.append((copy, trial, acknowledged, died_s))
    return runs


def _record_and_kill(
    program: subprocess.Popen[str], path: Path, after_first_s: float
) -> tuple[list[tuple[int, float]], float]:
    """What a process of the recording program acknowledged until ``kill -9`` struck it."""
    assert program.stdin is not None and program.stdout is not None
    program.stdin.write(f"{path}\n")
    program.stdin.flush()
    process, first = int(program.stdout.readline()), program.stdout.readline()
    time.sleep(after_first_s)
    os.kill(process, signal.SIGKILL)
    died_s = time.monotonic()
    lines = [first, *iter(program.stdout.readline, "ended\n")]
    return [(int(number), float(at_s)) for number, at_s in map(str.split, lines)], died_s


@pytest.mark.slow
def test_kill_9_at_random_instants_loses_nothing_acknowledged(
    killed: list[tuple[Path, int, list[tuple[int, float]], float]],
) -> None:
    for path, _, acknowledged, _ in killed:
        with History.open(path, embedding_space_id=SPACE) as history:
            kept = len(history)
            assert history.ids() == list(range(1, kept + 1))
            assert kept >= acknowledged[-1][0]  # stricter than asked: not even the last second is lost
            assert history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0]).ids.tolist() == history.ids()
            assert history.keyframe(kept).crop.shape == (64, 64, 3)
    last = killed[-1][0]
    with sqlite3.connect(last) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()


@contextmanager
def read_by(history: History, count: int) -> Iterator[None]:
    """So many threads read the history, over and over, until the end of the block."""
    stop = threading.Event()

    def read() -> None:
        while not stop.wait(0.001):
            gallery = history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0])
            assert len(gallery) == 0 or history.maps(gallery.ids[-5:], FOOTPRINTS_M[0]) is not None

    with ThreadPoolExecutor(max(1, count)) as pool:
        readers = [pool.submit(read) for _ in range(count)]
        try:
            yield
        finally:
            stop.set()
        for reader in readers:
            reader.result()


@pytest.mark.parametrize("readers", [0, 2])
def test_a_log_cut_at_random_bytes_loses_at_most_the_last_second(tmp_path: Path, readers: int) -> None:
    """A recording is copied while it runs, as a dying disk would leave it, and its log cut at every kind of place."""
    path = tmp_path / "flight.homing"
    written: list[float] = []
    snapshots = []
    with History.create(path, SPACE, "b") as history, read_by(history, readers):
        for number in range(1, 121):
            history.add(keyframe(number), embeddings(number))
            written.append(time.monotonic())
            time.sleep(0.02)  # the recording must last some seconds, or all of it is its last second
            log = path.with_name(path.name + "-wal")
            if log.stat().st_size > 0:
                snapshots.append((number, time.monotonic(), path.read_bytes(), log.read_bytes()))
    assert len(snapshots) > 20
    assert sum(at_s < snapshots[-1][1] - 1.0 for at_s in written) > 20
    rng = random.Random(5)
    lost_any = False
    for trial in range(CUTS):
        number, taken_s, content, log = snapshots[trial % len(snapshots)]
        copy = tmp_path / "cut.homing"
        copy.write_bytes(content)
        copy.with_name("cut.homing-shm").unlink(missing_ok=True)
        copy.with_name("cut.homing-wal").write_bytes(log[: rng.randrange(len(log))])
        safe = sum(at_s < taken_s - 1.0 for at_s in written[:number])
        with History.open(copy, embedding_space_id=SPACE, write=trial % 2 == 0) as history:
            kept = len(history)
            assert safe <= kept <= number
            if kept:
                assert_whole(history, kept)
            lost_any |= kept < number
    assert lost_any  # else the cuts have proved nothing
