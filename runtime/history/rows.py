"""A keyframe as rows of the history (itself and its positions), and back: only the crop, a JPEG, loses anything."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import CropDamagedError
from runtime.values import Attitude, GeoPoint, ImageRGB, Keyframe, Measured, Pose, Position, PositionSource, ViewKind

_LARGEST_CROP_PX = 4096  # a side; those of Homing have a sixth of it, and a hundred kilobytes can decode to gigabytes
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # of a JPEG
_JPEG_QUALITY = 95  # with full chroma: 40 dB and more on aerial crops at a quarter of a PNG's bytes

UNKNOWN_T_NS = -(1 << 63)  # in the file, where a time cannot be NULL: nobody knows when it was
_NO_CROP: ImageRGB = np.zeros((0, 0, 3), np.uint8)

KEYFRAME_COLUMNS = (
    "flight", "view", "name", "t_ns",
    "altitude_amsl_m", "altitude_amsl_sigma_m", "altitude_amsl_source",
    "height_takeoff_m", "height_takeoff_sigma_m", "height_takeoff_source",
    "height_agl_m", "height_agl_sigma_m", "height_agl_source",
    "attitude_w", "attitude_x", "attitude_y", "attitude_z", "attitude_measured",
    "heading_rad", "heading_sigma_rad", "heading_source",
    "ground_latitude_deg", "ground_longitude_deg", "ground_sigma_m",
    "footprint_m", "crop",
)  # fmt: skip

POSITION_COLUMNS = (
    "keyframe_id", "role",
    "latitude_deg", "longitude_deg",
    "variance_north_m2", "covariance_north_east_m2", "variance_east_m2",
    "source",
    "velocity_north_m_s", "velocity_east_m_s", "velocity_down_m_s",
)  # fmt: skip
CROP_OF_PICTURE = b""  # stored for a crop that is cut from a picture, see `runtime.history.pictures`
CAMERA, TAG = "camera", "tag"  # the roles of a keyframe's positions: `Keyframe.position` and `Keyframe.tag`


def row_of(keyframe: Keyframe, crop: bytes) -> tuple[Any, ...]:
    """The values of `KEYFRAME_COLUMNS`, with the crop as it is stored; an infinite sigma is stored as infinity, an
    unknown as NULL."""
    return *row_of_numbers(keyframe)[:-1], crop


def row_of_numbers(keyframe: Keyframe) -> tuple[Any, ...]:
    """The same with None for the crop, whose encoding costs milliseconds."""
    pose = keyframe.pose
    t_ns = UNKNOWN_T_NS if pose.t_ns is None else pose.t_ns
    return (
        _text(keyframe.flight), keyframe.view.value, _text(keyframe.name), t_ns,
        *_measured(pose.altitude_amsl_m), *_measured(pose.height_takeoff_m), *_measured(pose.height_agl_m),
        *_floats(pose.ned_from_body, 4), int(pose.attitude_measured), *_measured(pose.heading),
        keyframe.ground.latitude_deg, keyframe.ground.longitude_deg, float(keyframe.ground_sigma_m),
        float(keyframe.footprint_m), None,
    )  # fmt: skip


def position_rows_of(keyframe: Keyframe, keyframe_id: int) -> list[tuple[Any, ...]]:
    """The values of `POSITION_COLUMNS`, a row for each position that is known."""
    known = ((CAMERA, keyframe.position), (TAG, keyframe.tag))
    return [_position_row(keyframe_id, role, position) for role, position in known if position is not None]


def _position_row(keyframe_id: int, role: str, position: Position) -> tuple[Any, ...]:
    (north, cross), (_, east) = position.covariance_m2
    return (
        keyframe_id, role,
        position.point.latitude_deg, position.point.longitude_deg,
        float(north), float(cross), float(east),
        position.source.value,
        *_floats(position.velocity_ned_m_s, 3),
    )  # fmt: skip


def position_of(row: Sequence[Any]) -> Position:
    """The position of a row of `POSITION_COLUMNS`."""
    _, _, latitude_deg, longitude_deg, north, cross, east, source, *velocity = row
    return Position(
        point=GeoPoint(latitude_deg, longitude_deg),
        covariance_m2=((north, cross), (cross, east)),
        source=PositionSource(source),
        velocity_ned_m_s=None if velocity[0] is None else (velocity[0], velocity[1], velocity[2]),
    )


def keyframe_of(row: Sequence[Any], positions: Mapping[str, Position]) -> Keyframe:
    """The keyframe of a row (its id, then `KEYFRAME_COLUMNS`) and its positions by role; a crop of NULL was not asked
    for and becomes empty."""
    keyframe_id, values = int(row[0]), dict(zip(KEYFRAME_COLUMNS, row[1:], strict=True))
    pose = Pose(
        t_ns=None if values["t_ns"] == UNKNOWN_T_NS else values["t_ns"],
        altitude_amsl_m=_measured_of(values, "altitude_amsl", "_m"),
        height_takeoff_m=_measured_of(values, "height_takeoff", "_m"),
        height_agl_m=_measured_of(values, "height_agl", "_m"),
        attitude=_attitude_of(values),
    )
    return Keyframe(
        keyframe_id=keyframe_id,
        flight=values["flight"],
        view=ViewKind(values["view"]),
        name=values["name"],
        pose=pose,
        position=positions.get(CAMERA),
        ground=GeoPoint(values["ground_latitude_deg"], values["ground_longitude_deg"]),
        ground_sigma_m=values["ground_sigma_m"],
        footprint_m=values["footprint_m"],
        crop=_NO_CROP if values["crop"] is None else decode_crop(values["crop"], keyframe_id),
        tag=positions.get(TAG),
    )


def encode_crop(crop: ImageRGB) -> bytes:
    """JPEG of an (S, S, 3) RGB crop, without chroma subsampling."""
    flags = [
        cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]  # fmt: skip
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), flags)
    return encoded.tobytes()


def decode_crop(encoded: bytes, keyframe_id: int) -> ImageRGB:
    """(S, S, 3) uint8 RGB.

    Raises:
        CropDamagedError: the stored crop is damaged.
    """
    readable = isinstance(encoded, bytes) and 0 < max(_jpeg_size(encoded)) <= _LARGEST_CROP_PX
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR) if readable else None
    if image is None or image.shape[0] != image.shape[1]:
        raise CropDamagedError(
            f"the crop of keyframe {keyframe_id} is damaged; `homing history verify --repair` takes such keyframes out."
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _jpeg_size(encoded: bytes) -> tuple[int, int]:
    """Height and width by the frame header (ITU-T T.81, B.2.2), before anything is decoded; 0, 0 of anything else."""
    at = 2 if encoded[:2] == b"\xff\xd8" else len(encoded)
    while at + 9 <= len(encoded) and encoded[at] == 0xFF:
        if encoded[at + 1] in _FRAME_HEADERS:
            return int.from_bytes(encoded[at + 5 : at + 7], "big"), int.from_bytes(encoded[at + 7 : at + 9], "big")
        at += 2 + max(2, int.from_bytes(encoded[at + 2 : at + 4], "big"))
    return 0, 0


def encode_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Named arrays as an uncompressed npz."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def decode_arrays(encoded: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that `encode_arrays` was given."""
    with np.load(io.BytesIO(encoded), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _text(text: str) -> str:
    """Text as SQLite takes it: names of files need not be UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _measured(quantity: Measured | None) -> tuple[Any, ...]:
    if quantity is None:
        return None, None, None
    return quantity.value, float(quantity.sigma), quantity.source


def _floats(values: Sequence[float] | None, count: int) -> tuple[float | None, ...]:
    return (None,) * count if values is None else tuple(float(value) for value in values)


def _attitude_of(values: Mapping[str, Any]) -> Attitude | None:
    """The stored rotation with what the heading's columns say of it; level where only a heading was stored, as of a
    map's tile."""
    heading = _measured_of(values, "heading", "_rad")
    w, x, y, z = (values[f"attitude_{axis}"] for axis in "wxyz")
    if w is None:
        return None if heading is None else Attitude.level(heading)
    sigma_rad, source = (math.inf, "") if heading is None else (heading.sigma, heading.source)
    return Attitude((w, x, y, z), sigma_rad, source, bool(values["attitude_measured"]))


def _measured_of(values: Mapping[str, Any], name: str, unit: str) -> Measured | None:
    value = values[f"{name}{unit}"]
    return None if value is None else Measured(value, values[f"{name}_sigma{unit}"], values[f"{name}_source"])
