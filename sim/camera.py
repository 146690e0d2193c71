"""What a real camera makes of a view: exposure that wanders, motion blur, sensor noise, compression."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from runtime.camera_model import CameraModel
from runtime.rotations import rotation
from runtime.values import Quaternion
from sim.compiled import compiled
from sim.render import Renderer

Image = npt.NDArray[np.uint8]

DELAY_MEAN_S, DELAY_SIGMA_S = 0.060, 0.020  # from exposure to the frame being there


@dataclass(frozen=True, slots=True)
class CameraFaults:
    """How far the camera is from perfect."""

    exposure_s: float = 0.003  # motion during it blurs
    exposure_wobble: float = 0.06  # automatic exposure: lognormal deviation of brightness
    noise: float = 2.5  # grey levels, one sigma, at middle grey
    blur_px: float = 0.55  # optics, one sigma
    jpeg_quality: int | None = 88  # None: no compression


def default_camera(pitch_deg: float = -90.0) -> CameraModel:
    """640 x 480, 70 degrees across, with a mild barrel distortion; straight down, or mounted at another pitch."""
    return replace(
        CameraModel.from_hfov(640, 480, 70.0, pitch_deg=pitch_deg, delay_s=DELAY_MEAN_S),
        distortion=(-0.09, 0.03, 4e-4, -3e-4, 0.0),
    )


def delay_s(rng: np.random.Generator) -> float:
    """A frame's delay between exposure and arrival: 60 ± 20 ms, never under 10."""
    return max(0.010, float(rng.normal(DELAY_MEAN_S, DELAY_SIGMA_S)))


_LEAST_DOWN = 0.1  # of the axis: a camera that looks at the horizon sees nothing smeared by its own way


class SimulatedCamera:
    """A camera in a world: true pose in, imperfect image out; deterministic from its seed and the calls so far."""

    def __init__(
        self, renderer: Renderer, camera_model: CameraModel, seed: int, faults: CameraFaults | None = None
    ) -> None:
        self.model = camera_model
        self._renderer = renderer
        self._faults = faults or CameraFaults()
        self._rng = np.random.default_rng([seed, 11])
        self._gain = 0.0  # log of the automatic exposure's error, a slow random walk
        self._noise = self._rng.standard_normal((1 << 22,), dtype=np.float32) * np.float32(self._faults.noise)

    def capture(
        self,
        position_ned_m: npt.ArrayLike,
        ned_from_body: Quaternion,
        velocity_ned: tuple[float, float, float] = (0.0, 0.0, 0.0),
        body_rates: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Image:
        """The image exposed at a true pose: (height_px, width_px, 3) uint8 RGB.

        position_ned_m (3,) from the world's origin; velocity in m/s; body_rates roll, pitch, yaw in rad/s.
        """
        ned_from_camera = (rotation(ned_from_body) * rotation(self.model.body_from_camera)).as_matrix()
        position = np.asarray(position_ned_m, np.float64)
        image = self._renderer.perspective(self.model, ned_from_camera, position)
        return self._imperfect(image, self._smear_px(position, ned_from_body, velocity_ned, body_rates))

    def _smear_px(
        self,
        position: npt.NDArray[np.float64],
        ned_from_body: Quaternion,
        velocity: tuple[float, float, float],
        rates: tuple[float, float, float],
    ) -> tuple[float, float]:
        """How far the ground at the image's centre moves across it during the exposure, in pixels (x, y)."""
        body_from_camera = rotation(self.model.body_from_camera)
        ned_from_camera = rotation(ned_from_body) * body_from_camera
        in_camera = ned_from_camera.inv().apply(velocity)
        turning = body_from_camera.inv().apply(rates)
        down = max(_LEAST_DOWN, float(ned_from_camera.as_matrix()[2, 2]))
        depth = max(1.0, -float(position[2]) / down)
        dx = -in_camera[0] / depth - turning[1]
        dy = -in_camera[1] / depth + turning[0]
        t = self._faults.exposure_s
        return float(dx * self.model.fx_px * t), float(dy * self.model.fy_px * t)

    def _imperfect(self, image: Image, smear_px: tuple[float, float]) -> Image:
        faults = self._faults
        if math.hypot(*smear_px) > 0.3:
            image = np.asarray(cv2.filter2D(image, -1, _streak(*smear_px)), np.uint8)
        blurred = np.asarray(cv2.GaussianBlur(image, (5, 5), faults.blur_px), np.uint8)
        self._gain = 0.9 * self._gain + math.sqrt(1 - 0.81) * faults.exposure_wobble * float(self._rng.normal())
        start = int(self._rng.integers(0, len(self._noise) - image.size))
        out = np.empty(image.shape, np.uint8)
        _expose(blurred.ravel(), np.float32(math.exp(self._gain)), self._noise[start:], out.ravel())
        if faults.jpeg_quality is not None:
            bgr = cv2.cvtColor(out, cv2.COLOR_RGB2BGR)
            _, packed = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, faults.jpeg_quality])
            unpacked = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
            out = np.asarray(cv2.cvtColor(unpacked, cv2.COLOR_BGR2RGB), np.uint8)
        return out


@compiled
def _expose(levels: Image, gain: np.float32, noise: npt.NDArray[np.float32], out: Image) -> None:
    """Fill out (N,) with levels (N,) times the gain plus noise (at least N), rounded."""
    half, black, white = np.float32(0.5), np.float32(0.0), np.float32(255.0)
    for i in range(len(out)):
        out[i] = np.int32(min(max(levels[i] * gain + noise[i] + half, black), white))


def _streak(dx_px: float, dy_px: float) -> npt.NDArray[np.float32]:
    """A blur kernel along a motion of (dx, dy) pixels."""
    reach = max(1, math.ceil(max(abs(dx_px), abs(dy_px)) / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for step in np.linspace(-0.5, 0.5, 8 * reach + 1):  # fine steps, shared out between the four nearest cells
        x, y = reach + step * dx_px, reach + step * dy_px
        i, j = int(y), int(x)
        for di, dj in ((0, 0), (0, 1), (1, 0), (1, 1)):
            if i + di <= 2 * reach and j + dj <= 2 * reach:
                kernel[i + di, j + dj] += (1 - abs(y - i - di)) * (1 - abs(x - j - dj))
    return np.asarray(kernel / kernel.sum(), np.float32)
