"""Older flights give way to the one that is logged; what is pinned, what is foreign and what is being written stays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runtime.clock import MonotonicClock
from runtime.errors import StorageError
from runtime.flightlog.disk import DiskThread, Spool
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.inputs import TickRecord
from runtime.flightlog.space import Space, logged_flights, pin

KB = 1000


def fly(folder: Path, day: int, size: int = 10 * KB) -> str:
    """A flight's files as they lie there: two MCAP files and the .tlog."""
    name = f"202610{day:02d}T120000Z"
    for ending, part in ((".mcap", 0.6), ("-2.mcap", 0.1), (".tlog", 0.3)):
        (folder / f"{name}{ending}").write_bytes(bytes(round(size * part)))
    return name


class Disk:
    """A disk of so many bytes that holds the folder alone."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size

    def free(self, path: Path) -> float:
        return self._size - sum(file.stat().st_size for file in self._folder.iterdir())


def left(folder: Path) -> list[str]:
    return [flight.name for flight in logged_flights(folder)]


def test_the_oldest_give_way_to_the_quota_and_pinned_ones_do_not(tmp_path: Path) -> None:
    names = [fly(tmp_path, day) for day in (3, 1, 2, 4)]
    first, second, third, fourth = sorted(names)
    pin(tmp_path, first, True)
    (tmp_path / "notes.mcap").write_bytes(bytes(50 * KB))
    assert Space(tmp_path, 20 * KB, 0.0).make(fourth) == ""
    assert left(tmp_path) == [first, fourth]
    assert not list(tmp_path.glob(f"{second}*")) and not list(tmp_path.glob(f"{third}*"))
    assert (tmp_path / "notes.mcap").exists()
    pin(tmp_path, first, False)
    Space(tmp_path, 1.0, 0.0).make(fourth)
    assert left(tmp_path) == [fourth]  # the one that is being written


def test_the_disk_keeps_its_floor_and_where_nothing_can_go_it_says_so(tmp_path: Path) -> None:
    names = [fly(tmp_path, day) for day in (1, 2, 3)]
    disk = Disk(tmp_path, 40 * KB)
    assert Space(tmp_path, 1e9, 18 * KB, disk.free).make(names[2]) == ""
    assert left(tmp_path) == names[1:]
    pin(tmp_path, names[1], True)
    assert "GB of the disk are free" in Space(tmp_path, 1e9, 25 * KB, disk.free).make(names[2])
    assert left(tmp_path) == names[1:]


def test_a_folder_that_is_not_there_has_room(tmp_path: Path) -> None:
    assert Space(tmp_path / "logs", 1.0, 0.0).make() == "" and logged_flights(tmp_path / "logs") == []


def test_a_log_that_finds_no_room_at_start_says_so_and_one_that_does_makes_it(tmp_path: Path) -> None:
    old = fly(tmp_path, 1)
    with pytest.raises(StorageError, match="remove or unpin"):
        FlightLog.open(tmp_path, MonotonicClock(), space=Space(tmp_path, 1e9, 1e18))
    old = fly(tmp_path, 1)
    log = FlightLog.open(tmp_path, MonotonicClock(), space=Space(tmp_path, 1 * KB, 0.0))
    log.write(1, TickRecord())
    log.close()
    assert old not in left(tmp_path) and len(left(tmp_path)) == 1 and log.state.lost_records == 0


class Taking:
    """Storage that takes everything."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def append(self, block: bytes) -> None:
        self.blocks.append(block)

    def sync(self) -> None: ...

    def close(self) -> None: ...

    def discard(self) -> None: ...


def test_while_it_grows_the_writing_thread_makes_room_and_pauses_where_there_is_none() -> None:
    answers = ["", "less than 2.0 GB of the disk are free", ""]
    asked: list[float] = []

    def make_room() -> str:
        asked.append(time.monotonic())
        return answers[len(asked) - 1] if len(asked) <= len(answers) else ""

    disk, storage = DiskThread(make_room, room_s=0.0), Taking()
    spool = Spool(storage, contiguous=False)
    for block in (b"one", b"two", b"three"):
        disk.put(spool, block, records=1)
        disk.drain()
    disk.finish(spool)
    disk.stop()
    assert storage.blocks == [b"one", b"three"]
    assert (spool.lost_blocks, spool.lost_records) == (1, 1) and "2.0 GB" in spool.broken
