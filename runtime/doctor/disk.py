"""Where a flight is written: whether it can be, how much room there is, and how long a write takes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from runtime.computer import disk_of
from runtime.doctor.finding import Finding

_LEAST_FREE_MIB = 1024  # an hour of flight log
_BLOCK = bytes(64 * 1024)  # what the flight log hands over at a time, or less
_BLOCKS = 20
_TRIED_S = 1.5  # a disk that stalls is known after that
_SLOW_MS, _STALLED_MS = 100.0, 500.0  # the log writes every half second: a longer write makes it wait


def nearest(folder: Path) -> Path:
    """The folder itself, or the one above it that is there."""
    return next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())


def space(what: str, folder: Path, least_free_bytes: float = 0.0) -> Finding:
    """How much of the disk is free; ``least_free_bytes``: what is to be kept free, beside an hour of flight log."""
    disk = disk_of(nearest(folder))
    if disk is None:
        return Finding(what, "warning", f"{folder}: nothing is known of its disk")
    least_mib = _LEAST_FREE_MIB + least_free_bytes / (1 << 20)
    said = f"{folder}: {disk.free_bytes >> 20} MiB free"
    if disk.free_bytes >> 20 >= least_mib:
        return Finding(what, "ok", said)
    return Finding(what, "warning", said, f"have {least_mib:.0f} free: older flights give way, and then the log pauses")


def writes(folder: Path) -> Finding:
    """Whether this user may write there, and how long a block takes to lie on the disk."""
    try:
        took_ms = write_times_ms(nearest(folder))
    except OSError as error:
        told = f"{folder} cannot be written: {error.strerror or error}"
        return Finding("disk writes", "wrong", told, "give it to this user, or choose another folder in [log]")
    return of_writes(took_ms)


def of_writes(took_ms: Sequence[float]) -> Finding:
    """What the times of some writes say."""
    usual, worst = sorted(took_ms)[len(took_ms) // 2], max(took_ms)
    said = f"{usual:.1f} ms until a block lies on the disk, {worst:.1f} ms at most of {len(took_ms)}"
    if worst >= _STALLED_MS or usual >= _SLOW_MS:
        todo = "nothing waits for it but the log, which drops what it cannot keep: use a faster card or a disk"
        return Finding("disk writes", "warning", said, todo)
    return Finding("disk writes", "ok", said)


def write_times_ms(folder: Path) -> list[float]:
    """How long each of some blocks took to reach the disk; nothing of them stays. Raises OSError."""
    took: list[float] = []
    begun = time.monotonic()
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        while len(took) < _BLOCKS and time.monotonic() - begun < _TRIED_S:
            start = time.monotonic()
            file.write(_BLOCK)
            os.fsync(file.fileno())
            took.append((time.monotonic() - start) * 1e3)
    return took


def disk_findings(folder: Path, least_free_bytes: float) -> Iterator[Finding]:
    """Of the folder of the flight logs."""
    yield space("flight log", folder, least_free_bytes)
    yield writes(folder)
