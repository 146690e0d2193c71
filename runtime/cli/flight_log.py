"""The log of a flight whose pictures a command reads, and the calibration of their camera, as their options say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from runtime.camera_model import CameraModel
from runtime.cli.output import warn
from runtime.config.file import TomlFile
from runtime.config.sections import CameraSection
from runtime.errors import ConfigError, UsageError
from runtime.sources.logged import PhotoLog, photo_log
from runtime.sources.logs.choice import LONGEST, Asked
from runtime.sources.subtitles.order import Order
from runtime.sources.telemetry import Telemetry, read_telemetry

_DISTORTION = "distortion_k1_k2_p1_p2_k3"  # as calibrations that are written for people call it


def read_flight(path: Path | None, gps_order: Order | None, asked: Asked) -> Telemetry:
    """What the log of a video says of the flight; what of it had to be chosen or left out is said on stderr.

    Raises:
        UsageError: there is no log.
        TelemetryError: it cannot be read, or holds no positions.
    """
    if path is None:
        raise UsageError("A video needs --telemetry, the .SRT, .tlog, .BIN, .log or .ulg of its flight.")
    return _read(path, gps_order, asked)


def read_photo_log(
    path: Path | None, asked: Asked, offset_s: float | None, pictures: Sequence[Path]
) -> PhotoLog | None:
    """The log of some pictures' flight, None where none is given; what of it had to be left out is said on stderr.

    Raises:
        UsageError: it is of a kind that no pictures have, or there is none for the other options to speak of.
        TelemetryError: it cannot be read, holds no positions or no date, or is of another time than the pictures.
    """
    if path is None:
        if asked != LONGEST or offset_s is not None:
            raise UsageError("--vehicle, --boot and --time-offset-s speak of a log: give it with --telemetry.")
        return None
    if path.suffix.lower() == ".srt":
        raise UsageError(f"{path}: subtitles belong to a video; pictures need the flight's .tlog, .BIN, .log or .ulg.")
    return photo_log(path, _read(path, None, asked).track, pictures, offset_s or 0.0)


def _read(path: Path, gps_order: Order | None, asked: Asked) -> Telemetry:
    said = read_telemetry(path, gps_order, asked)
    for note in said.notes:
        warn(note)
    return said


def read_camera(path: Path | None) -> CameraModel | None:
    """A calibrated camera: the ``[camera]`` of a configuration (.toml), or a .json with the same keys.

    Raises:
        UsageError: it cannot be read, or is no calibration.
    """
    if path is None:
        return None
    if path.suffix.lower() == ".toml":
        try:
            table = TomlFile.read(path).data.get("camera")
        except ConfigError as error:
            raise UsageError(f"--camera: {error}") from None
    else:
        table = _json(path)
    if not isinstance(table, dict):
        raise UsageError(f"{path}: holds no camera; give a .toml with [camera], or a .json with the same keys.")
    known = {key: value for key, value in table.items() if key in CameraSection.model_fields}
    if _DISTORTION in table:
        known["distortion"] = table[_DISTORTION]
    try:
        return CameraSection.model_validate({"uri": "-", **known}).model()
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        words = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{path}: {f'{key}: ' if key else ''}{words}.") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except ValueError:
        raise UsageError(f"{path}: is not JSON; --camera takes a .json, or a .toml with [camera].") from None
