"""A keyframe as a row of the history, and back: nothing but the crop (JPEG) loses anything."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import HistoryError
from runtime.values import GeoPoint, ImageRGB, Keyframe, Measured, Pose, ViewKind

_JPEG_QUALITY = 95  # with full chroma: 40 dB and more on aerial crops at a quarter of a PNG's bytes

_NO_CROP: ImageRGB = np.zeros((0, 0, 3), np.uint8)

KEYFRAME_COLUMNS = (
    "flight", "view", "name", "t_ns",
    "latitude_deg", "longitude_deg", "position_sigma_m",
    "altitude_amsl_m", "altitude_amsl_sigma_m", "altitude_amsl_source",
    "height_takeoff_m", "height_takeoff_sigma_m", "height_takeoff_source",
    "height_agl_m", "height_agl_sigma_m", "height_agl_source",
    "attitude_w", "attitude_x", "attitude_y", "attitude_z", "attitude_measured",
    "heading_rad", "heading_sigma_rad", "heading_source",
    "velocity_north_m_s", "velocity_east_m_s", "velocity_down_m_s",
    "ground_latitude_deg", "ground_longitude_deg", "ground_sigma_m",
    "footprint_m", "crop",
)  # fmt: skip


def row_of(keyframe: Keyframe) -> tuple[Any, ...]:
    """The values of `KEYFRAME_COLUMNS`; an infinite sigma is stored as infinity, an unknown as NULL."""
    pose = keyframe.pose
    position = (pose.position.latitude_deg, pose.position.longitude_deg) if pose.position else (None, None)
    return (
        keyframe.flight, keyframe.view.value, keyframe.name, pose.t_ns,
        *position, float(pose.position_sigma_m),
        *_measured(pose.altitude_amsl_m), *_measured(pose.height_takeoff_m), *_measured(pose.height_agl_m),
        *_floats(pose.ned_from_body, 4), int(pose.attitude_measured), *_measured(pose.heading),
        *_floats(pose.velocity_ned_m_s, 3),
        keyframe.ground.latitude_deg, keyframe.ground.longitude_deg, float(keyframe.ground_sigma_m),
        float(keyframe.footprint_m), encode_crop(keyframe.crop),
    )  # fmt: skip


def keyframe_of(row: Sequence[Any]) -> Keyframe:
    """The keyframe of a row: its id, then `KEYFRAME_COLUMNS`; a crop of NULL was not asked for and becomes empty."""
    keyframe_id, values = int(row[0]), dict(zip(KEYFRAME_COLUMNS, row[1:], strict=True))
    attitude = tuple(values[f"attitude_{axis}"] for axis in "wxyz")
    velocity = tuple(values[f"velocity_{axis}_m_s"] for axis in ("north", "east", "down"))
    pose = Pose(
        t_ns=values["t_ns"],
        position=_point(values["latitude_deg"], values["longitude_deg"]),
        position_sigma_m=values["position_sigma_m"],
        altitude_amsl_m=_measured_of(values, "altitude_amsl", "_m"),
        height_takeoff_m=_measured_of(values, "height_takeoff", "_m"),
        height_agl_m=_measured_of(values, "height_agl", "_m"),
        ned_from_body=None if attitude[0] is None else attitude,
        attitude_measured=bool(values["attitude_measured"]),
        heading=_measured_of(values, "heading", "_rad"),
        velocity_ned_m_s=None if velocity[0] is None else velocity,
    )
    return Keyframe(
        keyframe_id=keyframe_id,
        flight=values["flight"],
        view=ViewKind(values["view"]),
        name=values["name"],
        pose=pose,
        ground=GeoPoint(values["ground_latitude_deg"], values["ground_longitude_deg"]),
        ground_sigma_m=values["ground_sigma_m"],
        footprint_m=values["footprint_m"],
        crop=_NO_CROP if values["crop"] is None else decode_crop(values["crop"], keyframe_id),
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
        HistoryError: the stored crop is damaged.
    """
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR) if encoded else None
    if image is None:
        raise HistoryError(f"the crop of keyframe {keyframe_id} is damaged; record the history again.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def encode_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Named arrays as an uncompressed npz."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def decode_arrays(encoded: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that `encode_arrays` was given."""
    with np.load(io.BytesIO(encoded), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _measured(quantity: Measured | None) -> tuple[Any, ...]:
    if quantity is None:
        return None, None, None
    return quantity.value, float(quantity.sigma), quantity.source


def _floats(values: Sequence[float] | None, count: int) -> tuple[float | None, ...]:
    return (None,) * count if values is None else tuple(float(value) for value in values)


def _point(latitude_deg: float | None, longitude_deg: float | None) -> GeoPoint | None:
    if latitude_deg is None or longitude_deg is None:
        return None
    return GeoPoint(latitude_deg, longitude_deg)


def _measured_of(values: Mapping[str, Any], name: str, unit: str) -> Measured | None:
    value = values[f"{name}{unit}"]
    return None if value is None else Measured(value, values[f"{name}_sigma{unit}"], values[f"{name}_source"])
