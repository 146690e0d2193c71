"""Blocks to disk in a thread of their own: a card that stalls or is full must not stall the flight."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

_LOG = logging.getLogger(__name__)
_WAITING_BYTES = 64 * 2**20  # many minutes of a flight's log: only a disk that hangs gets there
_SYNC_S = 1.0  # what a power cut may cost
_ROOM_S = 10.0  # a log grows by 10 MB in that time at most, and looking costs a millisecond


class Storage(Protocol):
    """One file that is appended to; every method may raise OSError."""

    def append(self, block: bytes) -> None:
        """Write all of ``block``, or raise and leave the file as it was before."""

    def sync(self) -> None:
        """Bring what was written to the medium."""

    def close(self) -> None:
        """Let the file go."""

    def discard(self) -> None:
        """Let the file go and remove it."""


class AppendFile:
    """A real file. A block that does not fit is taken back, so that the file ends with a whole block."""

    def __init__(self, path: Path) -> None:
        """Create ``path``; FileExistsError when it is there already."""
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._size = 0

    def append(self, block: bytes) -> None:
        """Write all of ``block``."""
        view, done = memoryview(block), 0
        try:
            while done < len(block):
                done += os.write(self._descriptor, view[done:])
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            raise
        self._size += len(block)

    def sync(self) -> None:
        """fdatasync."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close."""
        os.close(self._descriptor)

    def discard(self) -> None:
        """Close and unlink."""
        os.close(self._descriptor)
        self._path.unlink()


class LateFile:
    """A file that is made when its first block comes: by the thread that writes it, since making one waits for the disk
    as writing does."""

    def __init__(self, make: Callable[[], Storage]) -> None:
        self._make = make
        self._file: Storage | None = None

    def append(self, block: bytes) -> None:
        """Make the file if there is none yet, and write all of ``block``."""
        if self._file is None:
            self._file = self._make()
        self._file.append(block)

    def sync(self) -> None:
        """See `Storage.sync`."""
        if self._file is not None:
            self._file.sync()

    def close(self) -> None:
        """See `Storage.close`."""
        if self._file is not None:
            self._file.close()

    def discard(self) -> None:
        """See `Storage.discard`."""
        if self._file is not None:
            self._file.discard()


class Spool:
    """One file's way to the disk, counted, and ``broken`` from the first block that was lost.

    ``contiguous``: later blocks mean nothing without the lost one, so a broken file takes no more.
    """

    def __init__(self, storage: Storage, contiguous: bool) -> None:
        self.storage = storage
        self.contiguous = contiguous
        self.broken = ""  # why, in the operating system's words
        self.lost_blocks = 0
        self.lost_records = 0
        self.bytes_written = 0


class DiskThread:
    """Writes the blocks of all spools, in order, and makes room for them."""

    def __init__(self, make_room: Callable[[], str] = str, room_s: float = _ROOM_S) -> None:
        """``make_room``: frees what it may, and says why nothing may be written, empty while it may; asked every
        ``room_s``."""
        self._make_room = make_room
        self._room_s = room_s
        self._queue: queue.SimpleQueue[tuple[Spool, bytes | None, int] | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._waiting_bytes = self._waiting_blocks = 0
        self._thread = threading.Thread(target=self._run, name="flight log", daemon=True)
        self._thread.start()

    def put(self, spool: Spool, block: bytes, records: int = 0) -> None:
        """Queue a block of so many records; it is counted as lost when the disk is that far behind."""
        if self._waiting_bytes + len(block) > _WAITING_BYTES:
            _lose(spool, records, "the disk is too slow")
        else:
            self._enqueue(spool, block, records)

    def finish(self, spool: Spool) -> None:
        """Close the spool's file after its last block."""
        self._enqueue(spool, None, 0)

    def _enqueue(self, spool: Spool, block: bytes | None, records: int) -> None:
        with self._changed:
            self._waiting_bytes += len(block or b"")
            self._waiting_blocks += 1
        self._queue.put((spool, block, records))

    def drain(self) -> None:
        """Wait until everything queued so far has been written or lost."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting_blocks == 0)

    def stop(self, within_s: float = 10.0) -> None:
        """Write what is queued and end; a disk that hangs is left alone after ``within_s``."""
        self._queue.put(None)
        self._thread.join(within_s)
        if self._thread.is_alive():
            _LOG.error("the flight log's disk does not answer within %g s; its last blocks are lost", within_s)

    def _run(self) -> None:
        synced_s = room_s = time.monotonic()
        full = ""
        while (item := self._queue.get()) is not None:
            spool, block, records = item
            due = time.monotonic() - synced_s >= _SYNC_S
            if due:
                synced_s = time.monotonic()
            if time.monotonic() - room_s >= self._room_s:
                full, room_s = self._make_room(), time.monotonic()
            if full and block is not None:
                _lose(spool, records, full)
            else:
                _serve(spool, block, records, sync=due)
            with self._changed:
                self._waiting_bytes -= len(block or b"")
                self._waiting_blocks -= 1
                self._changed.notify_all()


def _serve(spool: Spool, block: bytes | None, records: int, sync: bool) -> None:
    try:
        if block is None:
            _finish(spool)
        elif spool.broken and spool.contiguous:
            _lose(spool, records, spool.broken)
        else:
            spool.storage.append(block)
            spool.bytes_written += len(block)
            if sync:
                spool.storage.sync()
    except OSError as error:
        _lose(spool, records, error.strerror or type(error).__name__)
    except Exception as error:  # the thread's edge: this block is lost and counted, the next one is tried
        _LOG.error("the flight log's thread: %s", error, exc_info=error)
        _lose(spool, records, f"{type(error).__name__}: {error}")


def _finish(spool: Spool) -> None:
    if spool.broken and spool.bytes_written == 0:
        spool.storage.discard()
        return
    try:
        spool.storage.sync()
    finally:
        spool.storage.close()


def _lose(spool: Spool, records: int, why: str) -> None:
    spool.lost_blocks += 1
    spool.lost_records += records
    if not spool.broken:
        _LOG.error("the flight log loses data: %s", why)
    spool.broken = why
