"""A telemetry file of any kind that is known, by its suffix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.errors import TelemetryError, UsageError
from runtime.sources.subtitles.focal import FocalTrack
from runtime.sources.subtitles.order import Order
from runtime.sources.track import Track


@dataclass(frozen=True, slots=True)
class Telemetry:
    """``focal``: the camera's focal lengths, which only subtitles say; ``notes``: sentences for people on what of the
    file is used and what is not."""

    track: Track
    focal: FocalTrack = FocalTrack()
    notes: tuple[str, ...] = ()


def read_telemetry(path: Path, gps_order: Order | None = None) -> Telemetry:
    """Read subtitles of DJI or Autel (.SRT), a .tlog, an ArduPilot .BIN or a PX4 .ulg.

    Raises:
        TelemetryError: it is missing, damaged, or holds no positions.
        UsageError: its suffix is none of these.
    """
    if not path.is_file():
        raise TelemetryError(f"{path}: no such file.")
    kind = path.suffix.lower()
    if kind == ".srt":
        from runtime.sources.subtitles.reader import read_srt

        track, focal, notes = read_srt(path, gps_order)
        return Telemetry(track, focal, tuple(notes))
    if kind == ".tlog":
        from runtime.sources.mavlink_log import read_tlog

        return Telemetry(read_tlog(path))
    if kind == ".bin":
        from runtime.sources.mavlink_log import read_dataflash

        return Telemetry(read_dataflash(path))
    if kind == ".ulg":
        from runtime.sources.ulog import read_ulog

        return Telemetry(read_ulog(path))
    raise UsageError(f"{path}: telemetry is read from .SRT, .tlog, .BIN and .ulg, not {kind!r}.")
