"""Room for flight logs: at most so many bytes of them, and so many bytes of the disk always free.

The oldest flights go first; pinned ones and the one that is being written never. Only files with the names that flight
logs have are ever removed.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_LOG = logging.getLogger(__name__)
_NAME = re.compile(r"(\d{8}T\d{6}Z[a-z]?)(?:-\d+)?\.(?:mcap|tlog|pin)")  # as `FlightLog.open` names them by the date
_PIN = ".pin"


@dataclass(frozen=True, slots=True)
class LoggedFlight:
    """One flight's files: MCAP, a second one after a full disk, and the .tlog. ``pinned``: kept whatever happens."""

    name: str
    files: tuple[Path, ...]
    size_bytes: int
    pinned: bool


def logged_flights(directory: Path) -> list[LoggedFlight]:
    """The flights in a folder, the oldest first; the date is in their name. A folder that is not there has none.

    Raises:
        OSError: the folder cannot be read.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for path in directory.iterdir() if directory.is_dir() else ():
        name = _NAME.fullmatch(path.name)
        if name is not None:
            found[name[1]].append(path)
    return [_flight(name, paths) for name, paths in sorted(found.items())]


def pin(directory: Path, name: str, pinned: bool) -> None:
    """Keep a flight's files whatever happens, or no longer. Raises OSError."""
    mark = directory / f"{name}{_PIN}"
    mark.touch() if pinned else mark.unlink(missing_ok=True)


class Space:
    """Keeps a folder of flight logs within its bounds. Used by one thread."""

    def __init__(
        self, directory: Path, quota_bytes: float, floor_bytes: float, free_bytes: Callable[[Path], float] | None = None
    ) -> None:
        """``quota_bytes``: of all flights together; ``floor_bytes``: of the disk that stay free. ``free_bytes``: how
        many there are, the operating system's word by default."""
        self._directory = directory
        self._quota_bytes = quota_bytes
        self._floor_bytes = floor_bytes
        self._free_bytes = free_bytes or (lambda path: shutil.disk_usage(path).free)

    def make(self, current: str | None = None) -> str:
        """Removes the oldest flights until both bounds are kept; why ``current`` must not grow, empty while it may.

        A folder that cannot be looked at is left alone, and may be written to.
        """
        try:
            return self._make(current)
        except OSError as error:
            _LOG.error("no room can be made for the flight log: %s", error)
            return ""

    def _make(self, current: str | None) -> str:
        flights = logged_flights(self._directory)
        total = sum(flight.size_bytes for flight in flights)
        for flight in flights:
            if total <= self._quota_bytes and self._free_bytes(self._directory) >= self._floor_bytes:
                return ""
            if flight.name != current and not flight.pinned:
                _remove(flight)
                total -= flight.size_bytes
        if self._free_bytes(self._directory) < self._floor_bytes:
            return f"less than {self._floor_bytes / 1e9:.1f} GB of the disk are free"
        return ""


def _remove(flight: LoggedFlight) -> None:
    _LOG.warning("flight log %s is removed to make room: %.1f MB", flight.name, flight.size_bytes / 1e6)
    for path in flight.files:
        path.unlink(missing_ok=True)


def _flight(name: str, paths: list[Path]) -> LoggedFlight:
    files = sorted(path for path in paths if path.suffix != _PIN)
    return LoggedFlight(name, tuple(files), sum(path.stat().st_size for path in files), len(files) < len(paths))
