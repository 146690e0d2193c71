"""The hardness measures tell an easy gallery from a hopeless one; the limits are the ones promised."""

import numpy as np
import numpy.typing as npt
import pytest

from runtime.errors import BundleError, UsageError
from sim.galleries import Gallery
from sim.hardness import HardnessReport, galleries, grey_similarity, measure, network, recall_at_1, sift_share
from sim.world.world import World


def textured(count: int, seed: int) -> npt.NDArray[np.uint8]:
    import cv2

    rng = np.random.default_rng(seed)
    return np.stack([cv2.resize(rng.integers(0, 255, (24, 24, 3), np.uint8), (96, 96)) for _ in range(count)])


PLACES = np.array([[0.0, 200.0 * i] for i in range(8)])
POOL = Gallery(textured(8, 1), PLACES, 90.0)


def mean_colour(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) - 127


def test_identical_views_are_easy_and_not_accepted() -> None:
    report = measure(POOL, POOL, mean_colour)
    assert (report.correlation, report.pooled, report.sift) == (1.0, 1.0, 1.0)
    assert not report.accepted


def test_unrelated_views_are_not_found() -> None:
    queries = Gallery(textured(8, 2), PLACES, 90.0)
    assert sift_share(queries, POOL) == 0.0


def test_recall_counts_half_a_side() -> None:
    similarity = np.eye(8, dtype=np.float32)
    near = Gallery(POOL.images, PLACES + [44.0, 0.0], 90.0)
    far = Gallery(POOL.images, PLACES + [46.0, 0.0], 90.0)
    assert recall_at_1(similarity, near, POOL) == 1.0
    assert recall_at_1(similarity, far, POOL) == 0.0


def test_grey_similarity_ignores_brightness_and_contrast() -> None:
    dimmed = (POOL.images * 0.4 + 30).astype(np.uint8)
    assert np.diag(grey_similarity(POOL.images, dimmed)) == pytest.approx(np.ones(8), abs=0.02)


@pytest.mark.parametrize(
    ("sift", "correlation", "pooled", "accepted"),
    [
        (0.10, 0.20, 0.45, True),
        (0.0, 0.0, 0.75, True),
        (0.11, 0.1, 0.6, False),
        (0.05, 0.21, 0.6, False),
        (0.05, 0.1, 0.44, False),
        (0.05, 0.1, 0.76, False),
    ],
)
def test_limits(sift: float, correlation: float, pooled: float, accepted: bool) -> None:
    assert HardnessReport(sift, correlation, pooled, 200, 500).accepted is accepted


def test_a_world_too_small_to_be_measured_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="60 m wide; take one of at least 135 m"):
        galleries(World.generate(100_231, 60.0))


def test_a_file_that_is_no_network_is_one_sentence(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("net") / "lite.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(BundleError, match="cannot be loaded"):
        network(path)
