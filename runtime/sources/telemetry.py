"""A telemetry file of any kind that is known, by its suffix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import TelemetryError, UsageError
from runtime.sources.logs.choice import LONGEST, Asked
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


def read_telemetry(path: Path, gps_order: Order | None = None, asked: Asked = LONGEST) -> Telemetry:
    """Read subtitles of DJI or Autel (.SRT), a .tlog, an ArduPilot .BIN or .log, or a PX4 .ulg.

    Raises:
        TelemetryError: it is missing, damaged, holds no positions, or not the vehicle or boot that was ``asked`` for.
        UsageError: its suffix is none of these, or was given what only another kind of telemetry has.
    """
    if not path.is_file():
        raise TelemetryError(f"{path}: no such file.")
    kind = path.suffix.lower()
    if kind == ".srt":
        from runtime.sources.subtitles.reader import read_srt

        if asked != LONGEST:
            raise UsageError(f"{path}: subtitles are of one flight; leave --vehicle and --boot out.")
        track, focal, notes = read_srt(path, gps_order)
        return Telemetry(track, focal, tuple(notes))
    if gps_order is not None:
        raise UsageError(f"{path}: --gps-order is for subtitles; leave it out.")
    track, notes = _reader(path, kind)(path, asked)
    return Telemetry(track, notes=tuple(notes))


def read_reference(path: Path, asked: Asked = LONGEST) -> Telemetry:
    """Read what a log of the autopilot, or subtitles, say of where the aircraft really was: by the simulator that it
    flew in, else by its satellite receiver, whatever the estimator was fed with. Raises like `read_telemetry`."""
    if path.suffix.lower() == ".srt":
        return read_telemetry(path, None, asked)
    from runtime.sources.logs.flight import reference_of

    if not path.is_file():
        raise TelemetryError(f"{path}: no such file.")
    track, notes = _reader(path, path.suffix.lower())(path, asked, reference_of)
    return Telemetry(track, notes=tuple(notes))


def _reader(path: Path, kind: str) -> Callable[..., tuple[Track, list[str]]]:
    if kind == ".tlog":
        from runtime.sources.logs.tlog import read_tlog

        return read_tlog
    if kind in (".bin", ".log"):
        from runtime.sources.logs.dataflash import read_dataflash

        return read_dataflash
    if kind == ".ulg":
        from runtime.sources.logs.ulog import read_ulog

        return read_ulog
    raise UsageError(f"{path}: telemetry is read from .SRT, .tlog, .BIN, .log and .ulg, not {kind!r}.")
