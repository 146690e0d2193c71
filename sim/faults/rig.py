"""The camera of a flight that meets faults: what it sees, when a frame is there, and what may become of it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from runtime.camera_model import CameraModel
from runtime.errors import CameraError
from runtime.rotations import rotation
from runtime.values import Frame, ImageRGB
from sim.autopilot.config import VehicleTruth
from sim.faults.ground import Ground

CAMERA = CameraModel.from_hfov(320, 240, 70.0, delay_s=0.06)
PERIOD_NS = 100_000_000  # between two exposures
_DELAY_NS, _DELAY_SIGMA_NS = 60_000_000, 10_000_000  # from exposure to the frame being there
_NOISE = 2.5  # grey levels, one sigma


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame as it comes out of a sound camera, and the instant at which it is there."""

    frame: Frame
    arrives_ns: int


Spoil = Callable[[Shot], Sequence[Shot]]


def sound(shot: Shot) -> Sequence[Shot]:
    """Nothing happens to it."""
    return (shot,)


class Rig:
    """A `FrameSource` on simulated time. ``spoil``: what becomes of each frame from now on; ``error``: the camera does
    not answer, in the words of the thread that reads it."""

    def __init__(self, ground: Ground, now_ns: Callable[[], int], seed: int) -> None:
        self._ground, self._now_ns = ground, now_ns
        self._rng = np.random.default_rng([seed, 31])
        self._due_ns = self._index = 0
        self._arriving: list[tuple[int, int, Frame]] = []
        self.spoil: Spoil = sound
        self.period_ns = PERIOD_NS
        self.dropped = 0
        self.error: Exception | None = None

    def expose(self, truth: VehicleTruth) -> None:
        """Takes a picture if one is due."""
        if truth.t_ns < self._due_ns:
            return
        self._due_ns = truth.t_ns + self.period_ns
        delay_ns = max(10_000_000, round(self._rng.normal(_DELAY_NS, _DELAY_SIGMA_NS)))
        arrives_ns, self._index = truth.t_ns + delay_ns, self._index + 1
        for shot in self.spoil(Shot(Frame(self.seen(truth), arrives_ns, "simulated", self._index), arrives_ns)):
            heapq.heappush(self._arriving, (shot.arrives_ns, len(self._arriving) + self._index, shot.frame))

    def seen(self, truth: VehicleTruth) -> ImageRGB:
        """(H, W, 3): what is below, with the sensor's noise."""
        turn = (rotation(truth.ned_from_body) * rotation(CAMERA.body_from_camera)).as_matrix()
        image = self._ground.perspective(CAMERA, turn, truth.position_ned_m)
        noise = self._rng.normal(0.0, _NOISE, image.shape[:2]).astype(np.float32)[..., None]
        return np.asarray(np.clip(image + noise, 0.0, 255.0), np.uint8)

    def unplug(self, words: str) -> None:
        """The camera's thread finds no camera any more."""
        self.error = CameraError(words)
        self.spoil = lambda shot: ()
        self._arriving.clear()

    # What a loop asks of a camera

    def poll(self) -> list[Frame]:
        """The frames that are there by now."""
        frames = []
        while self._arriving and self._arriving[0][0] <= self._now_ns():
            frames.append(heapq.heappop(self._arriving)[2])
            self.error = None
        return frames

    def counts(self) -> dict[str, int]:
        """Nothing beside what the flight itself counts."""
        return {}
