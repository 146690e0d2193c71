"""Pictures of ROS: sensor_msgs/Image in its encodings, and sensor_msgs/CompressedImage."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.values import ImageRGB

_CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC1": 1, "8UC3": 3, "mono16": 1, "16UC1": 1,
             "yuv422": 2, "uyvy": 2, "yuv422_yuy2": 2, "yuyv": 2, "bayer_rggb8": 1, "bayer_bggr8": 1,
             "bayer_gbrg8": 1, "bayer_grbg8": 1}  # fmt: skip
_TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB, "8UC3": cv2.COLOR_BGR2RGB, "rgba8": cv2.COLOR_RGBA2RGB, "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB, "8UC1": cv2.COLOR_GRAY2RGB, "mono16": cv2.COLOR_GRAY2RGB,
    "16UC1": cv2.COLOR_GRAY2RGB, "yuv422": cv2.COLOR_YUV2RGB_UYVY, "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2, "yuyv": cv2.COLOR_YUV2RGB_YUY2,
    # OpenCV names a Bayer pattern by its second row, ROS by its first.
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB, "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB, "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
}  # fmt: skip


def picture_of(message: Any) -> ImageRGB | None:
    """(H, W, 3) uint8 RGB of either message; None where it cannot be decoded."""
    if hasattr(message, "encoding"):
        return _raw(message)
    data = np.asarray(message.data, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _raw(message: Any) -> ImageRGB | None:
    channels, wide = _CHANNELS.get(message.encoding), "16" in message.encoding
    if channels is None:
        return None
    row_bytes = message.width * channels * (2 if wide else 1)
    data = np.asarray(message.data, np.uint8)
    if not 0 < row_bytes <= message.step or data.size < message.height * message.step:
        return None
    rows = data[: message.height * message.step].reshape(message.height, message.step)[:, :row_bytes]
    pixels = np.ascontiguousarray(rows)
    if wide:  # the upper eight bits, for a sensor fills its sixteen
        pixels = (pixels.view(">u2" if message.is_bigendian else "<u2") >> 8).astype(np.uint8)
    shaped: NDArray[np.uint8] = pixels.reshape(message.height, message.width, channels)
    code = _TO_RGB.get(message.encoding)
    return shaped if code is None else np.asarray(cv2.cvtColor(shaped, code), np.uint8)
