"""How loaded this computer is: cores, memory, disk and temperature, read from the system by a thread of its own."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from runtime.machine import temperature_c

_EVERY_S = 2.0
_MIB = 1024 * 1024
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ComputerLoad:
    """``cores``: the busy share of each since the last look, 0 to 1. ``memory_mib`` and ``disk_mib``: (used, all); the
    disk is the one that is recorded to. ``temperature_c``: of the hottest zone. None is not known."""

    cores: tuple[float, ...] = ()
    memory_mib: tuple[int, int] | None = None
    disk_mib: tuple[int, int] | None = None
    temperature_c: float | None = None


class Computer:
    """Looks every two seconds; whoever asks for the newest look never waits for a disk."""

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
        return ComputerLoad(_busy(before, self._times), _memory_mib(), _disk_mib(self._folder), temperature_c())

    def _run(self) -> None:
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


def _disk_mib(folder: Path) -> tuple[int, int] | None:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.used // _MIB, usage.total // _MIB


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
