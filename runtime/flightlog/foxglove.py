"""A flight log as Foxglove, rerun and their like show it: pictures, positions on a map, poses, commands and words.

Written by Foxglove's own library with its schemas, at the date of the flight. Homing's own records stay what a replay
reads; this is for eyes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import foxglove
import numpy as np
from foxglove import Channel, Context, messages
from foxglove.channels import CompressedImageChannel, LocationFixChannel, LogChannel, PoseInFrameChannel
from scipy.spatial.transform import Rotation

from runtime.errors import StorageError
from runtime.flightlog.keeper import FRAMES
from runtime.flightlog.read import Attached, read_all, read_metadata
from runtime.flightlog.records import RECORDS
from runtime.geodesy import north_east_m
from runtime.rotations import quaternion, rotation
from runtime.values import GeoPoint

_FIXES = {  # channel of the log -> (topic, key of the position)
    "pose": ("/position/autopilot", "position"),
    "fix": ("/position/fix", "aircraft"),
    "estimate": ("/position/estimate", "position"),
    "vision": ("/position/camera", "position"),
    "truth": ("/position/truth", "position"),
}
_COLOURS = {
    "pose": (0.2, 0.5, 1.0), "fix": (1.0, 0.6, 0.0), "estimate": (0.1, 0.7, 0.3), "vision": (0.6, 0.3, 0.9),
    "truth": (0.4, 0.4, 0.4),
}  # fmt: skip
_STATES = ("guidance", "navigation", "injection", "setpoint", "release", "control", "job", "odometry")
_ENU_FROM_NED = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
_FRD_FROM_FLU = np.diag([1.0, -1.0, -1.0])
_SCHEMAS = {record.channel: {**record.schema(), "title": f"homing.{record.channel}"} for record in RECORDS}
_MATCH: dict[str, Any] = {
    "title": "homing.match",
    "type": "object",
    "properties": {
        "decision": {"type": "string"}, "keyframe_id": {"type": ["integer", "null"]}, "inliers": {"type": "integer"},
        "verified": {"type": "integer"}, "sigma_m": {"type": ["number", "null"]}, "reason": {"type": "string"},
        "frame": {"type": "integer"}, "hypotheses": {"type": "integer"},
    },
}  # fmt: skip
_UNKNOWN = messages.LocationFixPositionCovarianceType.Unknown
_KNOWN = messages.LocationFixPositionCovarianceType.Known


def export(path: Path, out: Path) -> dict[str, int]:
    """Writes a flight log anew with Foxglove's schemas; how many messages each topic has.

    Raises:
        TelemetryError: it cannot be read, or is no flight log.
        StorageError: ``out`` is there already, or cannot be written.
    """
    clock = read_metadata(path, "clock")
    shift_ns = int(clock.get("start_unix_ns", 0)) - int(clock.get("start_t_ns", 0))
    if out.exists():
        raise StorageError(f"{out} is there already; choose another name.")
    context, partial = Context(), out.with_name(f".{out.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with foxglove.open_mcap(partial, context=context):
            topics = _Topics(context, shift_ns)
            counts = topics.written(read_all(path, topics.channels))
        partial.rename(out)
        return counts
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror or error}.") from None
    finally:
        partial.unlink(missing_ok=True)


class _Topics:
    """Each record to the topics that show it."""

    def __init__(self, context: Context, shift_ns: int) -> None:
        self._context = context
        self._shift_ns = shift_ns
        self._channels: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._origin: GeoPoint | None = None
        self._said = ""
        self._handlers: dict[str, Callable[[str, int, dict[str, Any]], None]] = {
            "frame": self._picture, "error": self._error, "vehicle": self._event,
            **{channel: self._position for channel in _FIXES}, **{channel: self._state for channel in _STATES},
        }  # fmt: skip

    @property
    def channels(self) -> tuple[str, ...]:
        """Of the log, those that are shown."""
        return tuple(self._handlers)

    def written(self, records: Iterator[tuple[str, int, dict[str, Any]] | Attached]) -> dict[str, int]:
        """Every record to its topics; how many messages each has."""
        for one in records:
            if isinstance(one, Attached):
                self._whole_picture(one)
            else:
                channel, t_ns, record = one
                self._handlers[channel](channel, t_ns + self._shift_ns, record)
        return dict(sorted(self._counts.items()))

    def _log(
        self, topic: str, kind: Callable[..., Any], message: Any, unix_ns: int, schema: dict[str, Any] | None = None
    ) -> None:
        if topic not in self._channels:
            ours = {} if schema is None else {"schema": schema}
            self._channels[topic] = kind(topic, context=self._context, **ours)
        self._channels[topic].log(message, log_time=unix_ns)
        self._counts[topic] = self._counts.get(topic, 0) + 1

    def _picture(self, channel: str, unix_ns: int, record: dict[str, Any]) -> None:
        if record["jpeg"] is not None:
            self._show("/camera/reduced", unix_ns, base64.urlsafe_b64decode(record["jpeg"]), "jpeg")

    def _whole_picture(self, attached: Attached) -> None:
        ending = attached.name.rpartition(".")[2]
        if attached.name.startswith(FRAMES) and attached.data:
            kind = "jpeg" if ending == "jpg" else ending
            self._show("/camera", attached.t_ns + self._shift_ns, attached.data, kind)

    def _show(self, topic: str, unix_ns: int, data: bytes, kind: str) -> None:
        image = messages.CompressedImage(timestamp=_stamp(unix_ns), frame_id="camera", data=data, format=kind)
        self._log(topic, CompressedImageChannel, image, unix_ns)

    def _position(self, channel: str, unix_ns: int, record: dict[str, Any]) -> None:
        topic, key = _FIXES[channel]
        place = record[key]
        if channel == "fix":
            self._match(unix_ns, record)
        if place is None:
            return
        covariance = record.get("covariance_m2")
        red, green, blue = _COLOURS[channel]
        fix = messages.LocationFix(
            timestamp=_stamp(unix_ns), frame_id="map",
            latitude=place["latitude_deg"], longitude=place["longitude_deg"],
            altitude=record.get("altitude_amsl_m") or 0.0,
            position_covariance=None if covariance is None else _east_north_up(covariance),
            position_covariance_type=_UNKNOWN if covariance is None else _KNOWN,
            color=messages.Color(r=red, g=green, b=blue, a=1.0),
        )  # fmt: skip
        self._log(topic, LocationFixChannel, fix, unix_ns)
        if channel == "pose":
            self._pose(unix_ns, record, GeoPoint(place["latitude_deg"], place["longitude_deg"]))

    def _pose(self, unix_ns: int, record: dict[str, Any], place: GeoPoint) -> None:
        """In metres east, north and up of the flight's first position."""
        if record["ned_from_body"] is None:
            return
        self._origin = self._origin or place
        north, east = north_east_m(self._origin, place)
        pose = messages.Pose(
            position=messages.Vector3(x=east, y=north, z=record["height_takeoff_m"] or 0.0),
            orientation=_enu_from_flu(record["ned_from_body"]),
        )
        message = messages.PoseInFrame(timestamp=_stamp(unix_ns), frame_id="map", pose=pose)
        self._log("/pose", PoseInFrameChannel, message, unix_ns)

    def _match(self, unix_ns: int, record: dict[str, Any]) -> None:
        hypotheses = len(record["hypotheses"])
        message = {key: record.get(key) for key in _MATCH["properties"]} | {"hypotheses": hypotheses}
        self._log("/match", Channel, message, unix_ns, _MATCH)

    def _state(self, channel: str, unix_ns: int, record: dict[str, Any]) -> None:
        self._log(f"/{channel}", Channel, record, unix_ns, _SCHEMAS[channel])
        if channel == "guidance":
            words = f"{record['state']}: {', '.join(record['reasons'])}" if record["reasons"] else record["state"]
            if words != self._said:
                self._said = words
                self._say(unix_ns, messages.LogLevel.Info, "guidance", words)
        elif channel == "navigation" and record["alarm"] is not None:
            self._say(unix_ns, messages.LogLevel.Error, "gps", record["alarm"]["reason"])

    def _error(self, channel: str, unix_ns: int, record: dict[str, Any]) -> None:
        self._say(unix_ns, messages.LogLevel.Error, record["stage"], record["error"])

    def _event(self, channel: str, unix_ns: int, record: dict[str, Any]) -> None:
        self._say(unix_ns, messages.LogLevel.Info, "vehicle", f"{record['event']} {json.dumps(record['details'])}")

    def _say(self, unix_ns: int, level: Any, name: str, words: str) -> None:
        message = messages.Log(timestamp=_stamp(unix_ns), level=level, name=name, message=words)
        self._log("/log", LogChannel, message, unix_ns)


def _stamp(unix_ns: int) -> messages.Timestamp:
    return messages.Timestamp(sec=unix_ns // 1_000_000_000, nsec=unix_ns % 1_000_000_000)


def _east_north_up(covariance_m2: list[list[float]]) -> list[float]:
    """(3, 3), row by row, of a covariance of (north, east); nothing is said of the height."""
    (nn, ne), (_, ee) = covariance_m2
    return [ee, ne, 0.0, ne, nn, 0.0, 0.0, 0.0, 0.0]


def _enu_from_flu(ned_from_body: list[float]) -> messages.Quaternion:
    """Of a (w, x, y, z) quaternion from forward-right-down to north-east-down: the same turn between the frames of
    Foxglove and ROS, forward-left-up and east-north-up (REP 103)."""
    w, x, y, z = ned_from_body
    matrix = _ENU_FROM_NED @ rotation((w, x, y, z)).as_matrix() @ _FRD_FROM_FLU
    w, x, y, z = quaternion(Rotation.from_matrix(matrix))
    return messages.Quaternion(x=x, y=y, z=z, w=w)
