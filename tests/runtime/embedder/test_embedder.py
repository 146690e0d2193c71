"""The embedder on the shipped bundle: unit rows, one by one as all at once, and nothing that fails parity."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.bundle import DEFAULT_BUNDLE, Bundle
from runtime.embedder.embedder import Embedder, parity_embeddings, parity_images
from runtime.embedder.onnx_engine import OnnxEngine
from runtime.errors import BundleError, EngineError
from runtime.values import Maps, Vectors, ViewKind
from tests.runtime.small_bundle import shipped_images, small_bundle


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(Bundle.load(), threads=1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return small_bundle(tmp_path_factory.mktemp("small") / "bundle")


class Twisted:
    """An engine that runs the real one and spoils what it gives."""

    name, batch = "twisted", 8

    def __init__(self, path: Path, spoil: float) -> None:
        self._engine = OnnxEngine(path, threads=1)
        self.spoil = np.float32(spoil)

    def run(self, crops: NDArray[np.uint8]) -> tuple[Vectors, Maps | None]:
        vectors, maps = self._engine.run(crops)
        spoilt = vectors + self.spoil * vectors[:, ::-1]
        return spoilt / np.linalg.norm(spoilt, axis=1, keepdims=True), maps


def test_vectors_and_maps_have_the_bundles_shapes_and_unit_length(embedder: Embedder) -> None:
    bundle = embedder.bundle
    embeddings = embedder.embed(ViewKind.DRONE, shipped_images()[:3])
    assert embeddings.vectors.shape == (3, bundle.embedding_dim) and embeddings.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings.vectors, axis=1), 1.0, atol=1e-5)
    assert embeddings.maps is not None and bundle.map_shape is not None
    assert embeddings.maps.shape == (3, *bundle.map_shape) and embeddings.maps.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings.maps, axis=1), 1.0, atol=1e-3)


def test_a_crop_embeds_the_same_alone_and_among_others(embedder: Embedder) -> None:
    crops = shipped_images()[:4]
    together = embedder.embed(ViewKind.SATELLITE, crops)
    for row, crop in enumerate(crops):
        alone = embedder.embed(ViewKind.SATELLITE, crop[None])
        np.testing.assert_array_equal(alone.vectors[0], together.vectors[row])


def test_no_crops_give_no_rows(embedder: Embedder) -> None:
    embeddings = embedder.embed(ViewKind.DRONE, shipped_images()[:0])
    assert embeddings.vectors.shape == (0, embedder.bundle.embedding_dim)
    assert embeddings.maps is not None and embeddings.maps.shape == (0, *(embedder.bundle.map_shape or ()))


@pytest.mark.parametrize("spoil", ["float", "size", "flat", "channels"])
def test_other_crops_are_refused(embedder: Embedder, spoil: str) -> None:
    crops = shipped_images()[:2]
    wrong = {
        "float": crops.astype(np.float32),
        "size": crops[:, :-1],
        "flat": crops[0],
        "channels": crops[..., :1],
    }[spoil]
    with pytest.raises(ValueError, match="crops must be uint8"):
        embedder.embed(ViewKind.DRONE, wrong)  # type: ignore[arg-type]


def test_a_view_without_a_tower_is_refused(embedder: Embedder) -> None:
    with pytest.raises(BundleError, match="no ground tower"):
        embedder.embed(ViewKind.GROUND, shipped_images()[:1])


def test_near_crops_are_nearer_than_far_ones(embedder: Embedder) -> None:
    vectors = embedder.embed(ViewKind.DRONE, shipped_images()[:6]).vectors  # each place seen three times
    similarities = vectors @ vectors.T - 2 * np.eye(6)
    assert list(similarities.argmax(axis=1) // 3) == [0, 0, 0, 1, 1, 1]


def test_fp16_stays_in_the_same_space(embedder: Embedder, small: Bundle) -> None:
    half = Embedder(small, threads=1, precision="fp16")
    crops = shipped_images()[:4]
    ours, theirs = half.embed(ViewKind.DRONE, crops), embedder.embed(ViewKind.DRONE, crops)
    assert np.sum(ours.vectors * theirs.vectors, axis=1).min() >= 0.9995
    assert half.parity >= 0.9995


def test_it_is_the_reference_that_it_agrees_with(small: Bundle) -> None:
    embedder = Embedder(small, threads=1, engines=lambda path: OnnxEngine(path, threads=1))
    reference = parity_embeddings(small, ViewKind.DRONE)
    vectors = embedder.embed(ViewKind.DRONE, parity_images(small)).vectors
    cosines = 1.0 - ((vectors.astype(np.float64) - reference) ** 2).sum(axis=1) / 2
    assert cosines.min() == pytest.approx(embedder.parity, abs=1e-9)


@pytest.mark.parametrize("spoil", [0.1, float("nan")])
def test_an_engine_that_computes_something_else_does_not_load(spoil: float, small: Bundle) -> None:
    with pytest.raises(BundleError, match="differs from its reference"):
        Embedder(small, engines=lambda path: Twisted(path, spoil))


def test_towers_that_give_no_numbers_in_flight_are_an_error_and_no_embedding(small: Bundle) -> None:
    made: list[Twisted] = []

    def engine(path: Path) -> Twisted:
        made.append(Twisted(path, 0.0))
        return made[-1]

    embedder, crops = Embedder(small, engines=engine), shipped_images()[:1]
    made[0].spoil = np.float32("nan")
    with pytest.raises(EngineError, match="gave no numbers"):
        embedder.embed(ViewKind.DRONE, crops)
    made[0].spoil = np.float32(0.0)
    assert np.isfinite(embedder.embed(ViewKind.DRONE, crops).vectors).all()


def test_an_engine_that_computes_the_same_loads_once_for_both_views(small: Bundle) -> None:
    made: list[Path] = []

    def engine(path: Path) -> Twisted:
        made.append(path)
        return Twisted(path, 0.0)

    embedder = Embedder(small, engines=engine)
    assert len(made) == 1 and embedder.backend == "twisted"


def test_parity_images_of_another_size_are_refused(tmp_path: Path) -> None:
    shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle")
    bundle = Bundle.load(tmp_path / "bundle")
    (bundle.path / bundle.manifest.parity.images[0].file).write_bytes(b"no image")  # after the hashes were checked
    with pytest.raises(BundleError, match="is not an image"):
        parity_images(bundle)
