"""RootSIFT: local features that survive turn, scale and light.

Arandjelovic and Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

DEFAULT_CONTRAST = 0.04  # OpenCV's: what differs less from its surroundings is no feature

Points = NDArray[np.float32]
Descriptors = NDArray[np.float32]


def detect(grey: NDArray[Any], limit: int, min_contrast: float = DEFAULT_CONTRAST) -> tuple[Points, Descriptors]:
    """The ``limit`` strongest features of an (H, W) image: points (N, 2) in pixels from the top left corner of the top
    left pixel, and descriptors (N, 128), unit rows. ``grey`` is uint8."""
    detector = cv2.SIFT.create(nfeatures=limit, contrastThreshold=min_contrast)
    return _rooted(*detector.detectAndCompute(grey, None))


def describe(grey: NDArray[Any], corners: Sequence[Sequence[float]], size_px: float) -> tuple[Points, Descriptors]:
    """Features of an (H, W) image at given ``corners`` (x, y), with descriptors of one scale and no turn of their own;
    points and descriptors as of `detect`."""
    # Made all at once they get the angle -1 (degree): the same for every feature, so it changes no pair.
    keypoints = cv2.KeyPoint.convert(corners, size_px, 1.0, _FIRST_OCTAVE)
    return _rooted(*cv2.SIFT.create().compute(grey, keypoints))


_FIRST_OCTAVE = 1 << 8  # OpenCV packs octave 0, layer 1 so: the image itself, never doubled
_MIN_CORNER_QUALITY = 0.01  # of the strongest corner
_MIN_CORNER_DISTANCE_PX = 4.0
_UPRIGHT_SIZE_PX = 4.0  # a descriptor of 24 pixels


def upright(grey: NDArray[Any], limit: int) -> tuple[Points, Descriptors]:
    """``limit`` corners of an (H, W) image, described as by `describe`: for images that are north-up and of one ground
    resolution already, at a sixth of the time of `detect` nearly as many pairs, and no pair that is turned."""
    corners = cv2.goodFeaturesToTrack(grey, limit, _MIN_CORNER_QUALITY, _MIN_CORNER_DISTANCE_PX)
    if np.ndim(corners) == 0:  # None: an even image
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    return describe(grey, corners.reshape(-1, 2).tolist(), _UPRIGHT_SIZE_PX)


def pairs_of(a: Descriptors, b: Descriptors, max_ratio: float, mutual: bool = True) -> NDArray[np.int64]:
    """(M, 2) rows of ``a`` and of what is most similar to each in ``b``, clearly so: Lowe's test on distances; with
    ``mutual`` only those that are each other's best."""
    if len(a) < 2 or len(b) < 2:
        return np.zeros((0, 2), np.int64)
    similarity = a @ b.T
    best = similarity.argmax(axis=1)
    rows = np.arange(len(a))
    top = similarity[rows, best]
    kept = similarity.argmax(axis=0)[best] == rows if mutual else np.ones(len(a), np.bool_)
    similarity[rows, best] = -1.0
    second = similarity.max(axis=1)
    # Unit rows: squared distance is 2 - 2 s, so Lowe's ratio of distances needs no root.
    clear = (1.0 - top) < max_ratio**2 * (1.0 - second)
    keep = np.flatnonzero(kept & clear)
    return np.stack([keep, best[keep]], axis=1).astype(np.int64)


def _rooted(keypoints: Sequence[cv2.KeyPoint], descriptors: NDArray[Any] | None) -> tuple[Points, Descriptors]:
    """The square root of SIFT descriptors of sum 1: their products are Hellinger's kernel."""
    if descriptors is None or not len(keypoints):
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    points = np.array([keypoint.pt for keypoint in keypoints], np.float32) + np.float32(0.5)
    sums = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9)
    return points, np.asarray(np.sqrt(descriptors / sums), np.float32)
