"""RootSIFT against SIFT and its definition."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.matching.rootsift import describe, detect, pairs_of
from tests.runtime.record.fakes import ground_texture

GREY = cv2.cvtColor(ground_texture(300, 3), cv2.COLOR_RGB2GRAY)


def test_it_is_the_root_of_sift_at_the_same_points() -> None:
    points, descriptors = detect(GREY, 200)
    keypoints, plain = cv2.SIFT.create(nfeatures=200).detectAndCompute(GREY, None)
    assert len(points) == len(keypoints) > 100
    np.testing.assert_allclose(points, np.array([one.pt for one in keypoints]) + 0.5, atol=1e-4)
    for mine, theirs in zip(descriptors, plain, strict=True):
        np.testing.assert_allclose(mine**2, theirs / theirs.sum(), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1.0, atol=1e-5)


def test_less_contrast_finds_more() -> None:
    pale = (GREY // 4 + 90).astype(np.uint8)
    assert len(detect(pale, 5000, 0.015)[0]) > 1.1 * len(detect(pale, 5000)[0])


def test_given_corners_are_described_where_they_are() -> None:
    corners = [[100.0, 120.0], [200.5, 80.25]]
    points, descriptors = describe(GREY, corners, 4.0)
    np.testing.assert_allclose(points, np.array(corners) + 0.5)
    moved = np.roll(GREY, (7, 3), axis=(0, 1))
    again = describe(moved, [[x + 3, y + 7] for x, y in corners], 4.0)[1]
    assert ((again * descriptors).sum(axis=1) > 0.99).all()  # OpenCV rounds them to whole numbers
    assert (again[0] * descriptors[1]).sum() < 0.95


@pytest.mark.parametrize("image", [np.zeros((50, 50), np.uint8), np.full((50, 50), 200, np.uint8)])
def test_an_even_image_has_none(image: np.ndarray) -> None:
    points, descriptors = detect(image, 100)
    assert points.shape == (0, 2) and descriptors.shape == (0, 128)


def test_pairs_are_those_of_an_exhaustive_search_by_distance() -> None:
    a, b = detect(GREY, 300)[1], detect(np.roll(GREY, (7, 3), axis=(0, 1)), 300)[1]
    nearest = cv2.BFMatcher(cv2.NORM_L2).knnMatch(a, b, k=2)
    clear = [(one.queryIdx, one.trainIdx) for one, other in nearest if one.distance < 0.8 * other.distance]
    found = [(int(i), int(j)) for i, j in pairs_of(a, b, 0.8, mutual=False)]
    assert len(clear) > 100 and len(set(clear) ^ set(found)) <= 1  # one may lie on the limit
    mutual = {(int(i), int(j)) for i, j in pairs_of(a, b, 0.8)}
    assert mutual == {(i, j) for i, j in found if int((a @ b[j]).argmax()) == i}
