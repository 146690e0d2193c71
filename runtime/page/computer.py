"""How the computer is doing: temperature, disk and memory; looked at seldom, for each look asks the system."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from runtime.clock import Now
from runtime.machine import temperature_c

_LOOK_EVERY_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class ComputerState:
    """None is not known. ``disk_free_bytes``: where the flight log is written; ``resident_bytes``: of the daemon."""

    temperature_c: float | None
    disk_free_bytes: int | None
    disk_share_free: float | None
    resident_bytes: int | None
    load: float | None


class Computer:
    """Its state, not older than two seconds."""

    def __init__(self, log_directory: Path, now: Now) -> None:
        self._directory, self._now = log_directory, now
        self._looked_ns = now()
        self._state = self._look()

    def state(self) -> ComputerState:
        """How it is doing."""
        if self._now() - self._looked_ns > _LOOK_EVERY_NS:
            self._looked_ns, self._state = self._now(), self._look()
        return self._state

    def _look(self) -> ComputerState:
        try:
            disk = shutil.disk_usage(self._directory)
        except OSError:
            disk = None
        return ComputerState(
            temperature_c=temperature_c(),
            disk_free_bytes=None if disk is None else disk.free,
            disk_share_free=None if disk is None or disk.total == 0 else round(disk.free / disk.total, 3),
            resident_bytes=_resident_bytes(),
            load=_load(),
        )


def _resident_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None
