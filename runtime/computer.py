"""How this computer is doing: cores, memory, disk and temperature, read from the system by a thread of its own."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from runtime.machine import temperature_c

_EVERY_S = 2.0
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Disk:
    """Of the disk that holds a folder; what is neither used nor free is kept for the system."""

    used_bytes: int
    free_bytes: int
    total_bytes: int

    @property
    def share_free(self) -> float:
        """Of the whole, 0 to 1."""
        return self.free_bytes / self.total_bytes if self.total_bytes else 0.0


def disk_of(folder: Path) -> Disk | None:
    """The disk that holds ``folder``; None where there is no such folder."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return Disk(usage.used, usage.free, usage.total)


@dataclass(frozen=True, slots=True)
class ComputerLoad:
    """``cores``: the busy share of each since the last look, 0 to 1. ``memory_mib``: (used, all). ``disk``: that which
    is recorded to. ``temperature_c``: of the hottest zone. ``resident_bytes``: of this process. ``waiting``: how many
    processes run or wait for a core, over the last minute. None is not known."""

    cores: tuple[float, ...] = ()
    memory_mib: tuple[int, int] | None = None
    disk: Disk | None = None
    temperature_c: float | None = None
    resident_bytes: int | None = None
    waiting: float | None = None


class Computer:
    """Looks at once and then every two seconds; whoever asks for the newest look never waits for a disk."""

    def __init__(self, recorded_to: Path) -> None:
        """``recorded_to``: a folder of the disk whose room is told."""
        self._folder = recorded_to
        self._times = _core_times()
        self._newest: ComputerLoad | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="computer", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def load(self) -> ComputerLoad | None:
        """The newest look; None before the first one."""
        return self._newest

    def close(self) -> None:
        """Ends the looking."""
        self._stop.set()

    def look(self) -> ComputerLoad:
        """Reads everything once."""
        before, self._times = self._times, _core_times()
        disk, busy = disk_of(self._folder), _busy(before, self._times)
        return ComputerLoad(busy, _memory_mib(), disk, temperature_c(), _resident_bytes(), _waiting())

    def _run(self) -> None:
        self._newest = self.look()
        while not self._stop.wait(_EVERY_S):
            self._newest = self.look()


Times = list[tuple[int, int]]


def _core_times() -> Times:
    """(idle, all) of each core in ticks since the start of the system."""
    found = []
    for line in _text(_PROC / "stat").splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name != "cpu":
            ticks = [int(number) for number in numbers[:8]]
            found.append((sum(ticks[3:5]), sum(ticks)))
    return found


def _busy(before: Times, now: Times) -> tuple[float, ...]:
    pairs = zip(before, now, strict=False)
    spans = [(idle - idle_before, total - total_before) for (idle_before, total_before), (idle, total) in pairs]
    return tuple(max(0.0, 1.0 - idle / total) if total > 0 else 0.0 for idle, total in spans)


def _memory_mib() -> tuple[int, int] | None:
    lines = (line.split() for line in _text(_PROC / "meminfo").splitlines())
    kib = {line[0].rstrip(":"): int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}
    if "MemTotal" not in kib or "MemAvailable" not in kib:
        return None
    return (kib["MemTotal"] - kib["MemAvailable"]) // 1024, kib["MemTotal"] // 1024


def _resident_bytes() -> int | None:
    fields = _text(_PROC / "self" / "statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else None


def _waiting() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
