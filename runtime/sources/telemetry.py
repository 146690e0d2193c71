"""A telemetry file of any kind that is known, by its suffix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.errors import TelemetryError, UsageError
from runtime.sources.track import Track


@dataclass(frozen=True, slots=True)
class Telemetry:
    """``focal_35mm``: the camera's 35 mm equivalent focal length, which only a DJI .SRT says."""

    track: Track
    focal_35mm: float | None = None


def read_telemetry(path: Path) -> Telemetry:
    """Read a DJI .SRT, a .tlog, an ArduPilot .BIN or a PX4 .ulg.

    Raises:
        TelemetryError: it is missing, damaged, or holds no positions.
        UsageError: its suffix is none of these.
    """
    if not path.is_file():
        raise TelemetryError(f"{path}: no such file.")
    kind = path.suffix.lower()
    if kind == ".srt":
        from runtime.sources.dji_srt import read_srt

        return Telemetry(*read_srt(path))
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
