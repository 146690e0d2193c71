"""Putting a bundle together: files, hashes and parity; what must not fly is never written to its place."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from export.assemble import assemble  # noqa: E402
from runtime.bundle import Bundle, write_acceptance, write_manifest  # noqa: E402
from runtime.embedder.embedder import Embedder, parity_embeddings, parity_images  # noqa: E402
from runtime.embedder.parity import compare  # noqa: E402
from runtime.errors import BundleError, StorageError, UsageError  # noqa: E402
from runtime.values import ViewKind  # noqa: E402
from tests.export.tiny import recipe, tiny_graph, tiny_tower  # noqa: E402

BOTH = (ViewKind.DRONE, ViewKind.SATELLITE)


def _contents(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of one tower for both views, at both precisions; tests that change it copy it."""
    tower = tiny_tower()
    made = recipe(tower, tower, ("fp32", "fp16"), graph=tiny_graph())
    return assemble(made, tmp_path_factory.mktemp("assemble") / "bundle").path


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bundle"))


def test_a_shared_tower_is_one_file_and_every_precision_flies(made: Path) -> None:
    tower, bundle = tiny_tower(), Bundle.load(made)
    assert [bundle.model(view, "fp32").file for view in BOTH] == ["tower.fp32.onnx"] * 2
    assert bundle.embedding_dim == 48 and bundle.map_shape == (6, 4, 4) and bundle.footprints_m == (40.0, 80.0)
    images = parity_images(bundle)
    with torch.inference_mode():
        expected = tower(torch.from_numpy(images))[0].numpy()
    for precision in ("fp32", "fp16"):
        vectors = Embedder(bundle, threads=1, precision=precision).embed(ViewKind.DRONE, images).vectors
        assert compare(vectors, expected).cosine_min >= 0.9995
    assert sorted(p.name for p in made.parent.iterdir()) == ["bundle"]  # no drafts left


def test_two_towers_are_two_files(tmp_path: Path) -> None:
    bundle = assemble(recipe(tiny_tower(0), tiny_tower(1)), tmp_path / "bundle")
    assert [bundle.model(view, "fp32").file for view in BOTH] == ["drone.fp32.onnx", "satellite.fp32.onnx"]
    embedder = Embedder(bundle, threads=1)
    images = parity_images(bundle)[:2]
    drone, satellite = (embedder.embed(view, images).vectors for view in BOTH)
    assert np.abs(drone - satellite).max() > 0.01


@pytest.mark.parametrize("threads", [pytest.param(1, marks=pytest.mark.long), 2])
def test_the_same_recipe_gives_the_same_bytes(made: Path, tmp_path: Path, threads: int) -> None:
    """As ``made``, of a graph that one thread traced: that two give the same bytes says of one that it repeats them."""
    torch.set_num_threads(threads)
    tower = tiny_tower()
    again = assemble(recipe(tower, tower, ("fp32", "fp16")), tmp_path / "again")
    assert _contents(again.path) == _contents(made)


def test_an_overflow_in_float16_is_refused_and_the_old_bundle_kept(copied: Path, made: Path) -> None:
    loud = tiny_tower(gain=1e6)  # beyond 65,504, the largest float16
    with pytest.raises(BundleError, match="tower.fp16.onnx is refused: .* float16's range"):
        assemble(recipe(loud, loud, ("fp32", "fp16")), copied)
    assert _contents(copied) == _contents(made)
    assert sorted(p.name for p in copied.parent.iterdir()) == ["bundle"]


def test_parity_says_how_it_was_measured_and_that_it_was_a_cpu(made: Path) -> None:
    for model in Bundle.load(made).manifest.towers[ViewKind.DRONE].values():
        ways = [(run.optimised, run.batch) for run in model.parity.runs]
        assert ways == [(False, 1), (False, 32), (True, 1), (True, 32)]
        assert model.parity.images >= 200 and "CPU" in model.parity.device and "GPU" in model.parity.device
        assert model.parity.cosine_min == min(run.cosine_min for run in model.parity.runs)
    half = Bundle.load(made).model(ViewKind.DRONE, "fp16").parity
    assert half.peak is not None and 0 < half.peak < 32_752


def test_own_photos_join_the_parity_set(made: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(3):
        image = np.random.default_rng(index).integers(0, 256, (90, 120, 3), dtype=np.uint8)
        assert cv2.imwrite(str(photos / f"{index}.jpg"), image)
    tower = tiny_tower()
    plain = Bundle.load(made)
    more = assemble(replace(recipe(tower, tower, graph=tiny_graph()), own_images=photos), tmp_path / "more")
    assert len(parity_images(more)) == len(parity_images(plain)) + 3
    assert len(parity_embeddings(more, ViewKind.DRONE)) == len(parity_images(more))


def test_int8_without_images_of_ones_own_is_refused(tmp_path: Path) -> None:
    tower = tiny_tower()
    with pytest.raises(UsageError, match="--calibration-images"):
        assemble(recipe(tower, tower, ("fp32", "int8")), tmp_path / "bundle")


def test_what_was_measured_outlives_a_new_export_of_the_same_space_only(copied: Path) -> None:
    tower = tiny_tower()
    write_acceptance(copied, *BOTH, {"threshold": 0.5})
    manifest = Bundle.load(copied).manifest
    write_manifest(copied, manifest.model_copy(update={"training": {**manifest.training, "measured": [1]}}))
    again = assemble(recipe(tower, tower, graph=tiny_graph()), copied)
    assert again.acceptance(*BOTH) == {"threshold": 0.5} and again.manifest.training["measured"] == [1]
    another = assemble(recipe(tower, tower, space="tiny.2", graph=tiny_graph()), copied)
    assert another.acceptance(*BOTH) is None and "measured" not in another.manifest.training


def test_what_is_no_bundle_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"precious")
    with pytest.raises(UsageError, match="is no bundle"):
        assemble(recipe(tiny_tower(), tiny_tower()), tmp_path / "photos")
    assert (tmp_path / "photos" / "one.jpg").read_bytes() == b"precious"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be written"):
        assemble(recipe(tiny_tower(), tiny_tower()), tmp_path / "file" / "bundle")


def test_a_damaged_tower_is_refused(tmp_path: Path) -> None:
    tower = tiny_tower()
    with torch.no_grad():
        next(tower.parameters()).fill_(float("nan"))
    with pytest.raises(BundleError, match="not finite"):
        assemble(recipe(tower, tower), tmp_path / "bundle")
    assert Bundle.load().name and not (tmp_path / "bundle").exists()
