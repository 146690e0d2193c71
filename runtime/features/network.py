"""Points and descriptors of pictures by a network, through ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import BundleError
from runtime.features.folder import FeatureManifest, read_manifest
from runtime.onnx_session import session_of, session_options
from runtime.values import ImageRGB

OUTPUTS = ("points", "scores", "descriptors")
_EDGE_PX = 2.0  # nearer to the border of what was padded a point sees its own mirror image


@dataclass(frozen=True, slots=True)
class Described:
    """``points`` (N, 2) float32 pixels, origin at the top left corner of the top left pixel, the strongest first;
    ``descriptors`` (N, D) float32, unit rows."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.points)


class FeatureNetwork:
    """A network that finds and describes local features; safe from any thread.

    Raises:
        BundleError: the file is no such network.
        EngineError: ONNX Runtime does not run it.
    """

    def __init__(self, path: Path, manifest: FeatureManifest, threads: int = 1) -> None:
        self.manifest = manifest
        self._session = session_of(path, session_options(threads))
        inputs = self._session.get_inputs()
        outputs = tuple(output.name for output in self._session.get_outputs())
        if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or outputs != OUTPUTS:
            told = ", ".join(OUTPUTS)
            raise BundleError(f"{path} finds no local features: it must take uint8 crops and give {told}.")
        self._input = inputs[0].name

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> FeatureNetwork:
        """The float32 network of a folder, whose hashes are checked first.

        Raises:
            BundleError: the folder holds none, or a damaged one.
            EngineError: ONNX Runtime does not run it.
        """
        manifest = read_manifest(folder)
        if "fp32" not in manifest.files:
            raise BundleError(f"{folder} has no fp32 file, which the CPU runs; export it again.")
        return cls(folder / manifest.files["fp32"].file, manifest, threads)

    @property
    def name(self) -> str:
        """Network and size: features of different names are not compared."""
        return f"{self.manifest.name}-{self.manifest.input_size_px}px"

    def describe(self, images: Sequence[ImageRGB]) -> list[Described]:
        """The features of each (H, W, 3) uint8 image, in its own pixels.

        One that is smaller than the network's input is looked at as it is, a larger one is shrunk to it first.
        """
        size_px = self.manifest.input_size_px
        fitted = [_fitted(image, size_px) for image in images]
        if not fitted:
            return []
        points, scores, descriptors = self._session.run(None, {self._input: np.stack([one.square for one in fitted])})
        return [one.own(*row) for one, row in zip(fitted, zip(points, scores, descriptors, strict=True), strict=True)]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A picture as the network takes it: ``square`` (S, S, 3), in whose top left corner the picture stands, ``scale``
    times its size, its border mirrored; ``shown_px`` (width, height) of that part."""

    square: ImageRGB
    scale: float
    shown_px: tuple[int, int]

    def own(
        self, points: NDArray[np.float32], scores: NDArray[np.float32], descriptors: NDArray[np.float32]
    ) -> Described:
        """What the network found, without what it found beyond the picture; no score, no point."""
        size_px = np.array(self.square.shape[1::-1])
        limit = np.where(np.array(self.shown_px) < size_px, np.array(self.shown_px) - _EDGE_PX, size_px)
        kept = (scores > 0.0) & (points < limit).all(axis=1)
        return Described(np.asarray(points[kept] / np.float32(self.scale)), descriptors[kept])


def _fitted(image: ImageRGB, size_px: int) -> _Fitted:
    height, width = image.shape[:2]
    scale = min(1.0, size_px / max(height, width))
    if scale < 1.0:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    shown = image.shape[1], image.shape[0]
    below, right = size_px - shown[1], size_px - shown[0]
    square = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT)
    return _Fitted(np.asarray(square, np.uint8), scale, (shown[0], shown[1]))
