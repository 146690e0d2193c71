"""The signing stamp on disk: what a restart begins with is never below a stamp that was used before it.

A stamp is reserved before it is used: the file holds one that lies some seconds ahead, so that a kill at any instant
loses nothing; a clean end writes the exact one back. Seconds, not minutes: who signs by the clock is refused by the
vehicle once our stamps lead by more than a minute.

The wall clock is asked only where no stamp was kept: one that is a year off would carry the vehicle's stamps a year on,
for good, and shut out every ground station with a right clock. What passed while this computer was off is learned from
the vehicle's own first packet.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from runtime.errors import StorageError
from runtime.mavlink.signing import EPOCH_UNIX_S, STAMPS_PER_S
from runtime.whole_file import write_whole

_LOG = logging.getLogger(__name__)
_AHEAD = 20 * STAMPS_PER_S  # reserved
_RENEW = 10 * STAMPS_PER_S  # a reservation is renewed when so much of it is left
_LARGEST = (1 << 48) - 1


class StampFile:
    """Where the stamps stand. Only its own thread writes, for the one that decides never waits for a disk."""

    def __init__(self, path: Path) -> None:
        """Raises StorageError where the file is there and holds no stamp, or the folder takes no file."""
        self.path = path
        self._lock = threading.Lock()
        self._due = threading.Condition(self._lock)
        self.reserved = _read(path)
        self.failures = 0
        self._wanted = self.reserved
        self._closing = False
        self._write(self.reserved)
        self._thread = threading.Thread(target=self._run, name="signing stamps", daemon=True)
        self._thread.start()

    def first(self, unix_s: float) -> int:
        """The stamp to begin with: the one on disk; ``unix_s`` is the wall clock, for the very first time."""
        first = self.reserved or stamp_of(unix_s)
        self.reach(first)
        return first

    def reach(self, stamp: int) -> None:
        """``stamp`` is being used; a reservation that it has nearly used up is renewed in the background."""
        with self._lock:
            if stamp + _RENEW > self._wanted:
                self._wanted = min(stamp + _AHEAD, _LARGEST)
                self._due.notify()

    def close(self, stamp: int) -> None:
        """The end: ``stamp`` is the next one to be used."""
        with self._lock:
            self._closing = True
            self._due.notify()
        self._thread.join()
        self._kept(stamp)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._due.wait_for(lambda: self._closing or self._wanted > self.reserved)
                if self._closing:
                    return
                wanted = self._wanted
            if not self._kept(wanted):
                with self._lock:
                    self._due.wait_for(lambda: self._closing, 1.0)  # a full disk is not asked at once again

    def _kept(self, stamp: int) -> bool:
        try:
            self._write(stamp)
        except StorageError as error:
            self.failures += 1
            _LOG.log(logging.WARNING if self.failures == 1 else logging.DEBUG, "%s", error)
            return False
        self.reserved = stamp
        return True

    def _write(self, stamp: int) -> None:
        try:
            write_whole(self.path, f"{stamp}\n".encode(), mode=0o600, durable=True)
        except StorageError as error:
            raise StorageError(
                f"The signing stamp: {error} Without it a restarted vehicle link may be refused."
            ) from None


def stamp_of(unix_s: float) -> int:
    """The stamp of an instant; 0 before 2015, as a computer without a clock has it."""
    return min(max(0, int((unix_s - EPOCH_UNIX_S) * STAMPS_PER_S)), _LARGEST - _AHEAD)


def _read(path: Path) -> int:
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return 0
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"the signing stamp in {path} cannot be read: {_why(error)}.") from None
    if not text.isdecimal() or int(text[:20]) > _LARGEST:
        raise StorageError(f"{path} holds no signing stamp; remove it, and the wall clock gives the next one.")
    return int(text)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
