"""Local features of a crop, as the history caches them, and their pairing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.matching.rootsift import detect, pairs_of, upright
from runtime.values import ImageRGB

if TYPE_CHECKING:  # a network is optional, and so is what runs it
    from runtime.features.network import FeatureNetwork


@dataclass(frozen=True, slots=True)
class Kind:
    """How features are taken, and how many that agree are enough.

    ``name`` stands for detector and settings in the history's cache: a change of either changes it. ``upright``: see
    `extract_upright`. At most ``of_query`` and ``of_keyframe``: a keyframe's crop is larger than a query's, so it gets
    more. ``chance_pairs``: the most pairs that chance made agree in 3,432 pairs of foreign photos
    (tests/bench/chance_pairs.py); ``least_inliers``: with fewer a keyframe does not pass. ``max_ratio``: Lowe's test,
    loose, as the geometry behind it is strict. ``network``: which finds and describes them, where one does.
    """

    name: str
    upright: bool
    of_query: int
    of_keyframe: int
    chance_pairs: int
    least_inliers: int
    max_ratio: float = 0.85
    network: FeatureNetwork | None = None

    @property
    def descriptor_dim(self) -> int:
        """Numbers of a descriptor."""
        return 128 if self.network is None else self.network.manifest.descriptor_dim


INVARIANT = Kind("rootsift-1", False, 800, 800, chance_pairs=8, least_inliers=13)  # of those 8 six were plausible
UPRIGHT = Kind("upright-2", True, 180, 400, chance_pairs=4, least_inliers=8)
DENSE = Kind("upright-2-dense", True, 360, 800, chance_pairs=5, least_inliers=9)  # for frames that show little


def learned(network: FeatureNetwork) -> Kind:
    """The features of a network, upright: it has been taught views of one place, and few of them turned. By chance six
    pairs of XFeat's agreed at most, and five plausibly; twice as many are asked for."""
    count = network.manifest.points
    return Kind(network.name, True, count, count, chance_pairs=6, least_inliers=12, max_ratio=0.95, network=network)


_MIN_CONTRAST = 0.015  # half of OpenCV's default: bare ground has little


@dataclass(frozen=True, slots=True)
class Features:
    """``points`` (N, 2) float32 pixels, origin at the top left corner of the top left pixel;
    ``descriptors`` (N, D) float32, unit rows; D is 128 where no network made them."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.points)

    def packed(self) -> dict[str, NDArray[Any]]:
        """The arrays that the history caches: a byte per descriptor entry, signed where a network made them."""
        signed = self.descriptors.min(initial=0.0) < 0.0
        per_one, kind = (_SIGNED_BYTES_PER_ONE, np.int8) if signed else (_BYTES_PER_ONE, np.uint8)
        return {"points": self.points, "descriptors": np.round(self.descriptors * per_one).astype(kind)}

    @classmethod
    def none(cls) -> Features:
        """Of a picture that shows nothing."""
        return cls(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))

    @staticmethod
    def packed_in(arrays: Mapping[str, NDArray[Any]], descriptor_dim: int) -> bool:
        """Whether these are such as `packed` makes: a cache that was damaged may hold anything."""
        points, descriptors = arrays.get("points"), arrays.get("descriptors")
        if points is None or descriptors is None or points.dtype.kind != "f" or descriptors.dtype.kind not in "ui":
            return False
        shapes = points.shape == (len(descriptors), 2) and descriptors.shape == (len(descriptors), descriptor_dim)
        return bool(shapes and np.isfinite(points).all())

    @classmethod
    def unpacked(cls, arrays: Mapping[str, NDArray[Any]]) -> Features:
        """What `packed` made."""
        return cls(arrays["points"].astype(np.float32), _unit(arrays["descriptors"].astype(np.float32)))


_BYTES_PER_ONE = 512.0  # SIFT clips an entry at 0.2 before its root is taken: sqrt(0.2) * 512 still fits a byte
_SIGNED_BYTES_PER_ONE = 127.0


def features_of(image: ImageRGB, kind: Kind, limit: int) -> Features:
    """At most ``limit`` features of a kind of an (H, W, 3) uint8 image."""
    if kind.network is not None:
        (found,) = kind.network.describe([image])
        return Features(found.points[:limit], found.descriptors[:limit])
    return extract_upright(image, limit) if kind.upright else extract(image, limit)


def extract(image: ImageRGB, limit: int) -> Features:
    """The ``limit`` strongest features of an (H, W, 3) uint8 image."""
    return Features(*detect(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), limit, _MIN_CONTRAST))


def extract_upright(image: ImageRGB, limit: int) -> Features:
    """``limit`` corners of an (H, W, 3) uint8 image; see `runtime.matching.rootsift.upright`."""
    return Features(*upright(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), limit))


def pair(a: Features, b: Features, max_ratio: float = 0.85) -> NDArray[np.int64]:
    """(M, 2) indices of features of ``a`` and ``b`` that are each other's best, and clearly so (`Kind.max_ratio`)."""
    return pairs_of(a.descriptors, b.descriptors, max_ratio)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)
