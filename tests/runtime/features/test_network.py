"""A network of local features from a real file: points in the picture's own pixels, and folders that are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

from runtime.errors import BundleError, EngineError  # noqa: E402
from runtime.features.folder import MANIFEST  # noqa: E402
from runtime.features.network import FeatureNetwork  # noqa: E402
from runtime.fix.local_features import Features, features_of, learned, pair  # noqa: E402
from tests.runtime.features.patches import patch_features  # noqa: E402

DOTS = [(9, 12), (30, 7), (22, 40), (41, 33), (13, 28)]  # x, y


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return patch_features(tmp_path_factory.mktemp("features") / "made")


@pytest.fixture(scope="module")
def network(folder: Path) -> FeatureNetwork:
    return FeatureNetwork.load(folder)


def dotted(height: int, width: int, by: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Bright dots on grain, moved by (x, y)."""
    image = np.random.default_rng(2).integers(0, 90, (80, 80, 3)).astype(np.uint8)
    for x, y in DOTS:
        image[y, x] = 255
    return np.ascontiguousarray(np.roll(image, (by[1], by[0]), axis=(0, 1))[:height, :width])


@pytest.mark.parametrize("shape", [(64, 64), (50, 46)])
def test_points_are_where_the_picture_has_them(network: FeatureNetwork, shape: tuple[int, int]) -> None:
    """A picture that is smaller than the network's input has no point beyond its border, where it is mirrored."""
    (found,) = network.describe([dotted(*shape)])
    assert {tuple(point) for point in found.points.tolist()} >= {(x + 0.5, y + 0.5) for x, y in DOTS}
    assert (found.points < shape[::-1]).all() and (shape == (64, 64) or len(found) < network.manifest.points)
    assert np.allclose(np.linalg.norm(found.descriptors, axis=1), 1.0, atol=1e-4)


def test_a_larger_picture_is_shrunk_and_its_points_are_its_own(network: FeatureNetwork) -> None:
    large = np.kron(dotted(64, 64), np.ones((3, 3, 1), np.uint8))
    (found,) = network.describe([large])
    assert {tuple(point) for point in found.points.tolist()} >= {(3 * x + 1.5, 3 * y + 1.5) for x, y in DOTS}


def test_many_pictures_at_once_are_each_as_alone(network: FeatureNetwork) -> None:
    pictures = [dotted(64, 64), dotted(40, 50), dotted(64, 64, (3, 2))]
    together, alone = network.describe(pictures), [network.describe([one])[0] for one in pictures]
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one.points, other.points) and np.allclose(one.descriptors, other.descriptors, atol=1e-5)
    assert network.describe([]) == []


def test_what_the_history_keeps_of_them_is_paired_as_they_are(network: FeatureNetwork) -> None:
    """Numbers of either sign survive the bytes of the cache, and a cache of other numbers is none."""
    kind = learned(network)
    a, b = (features_of(dotted(64, 64, by), kind, kind.of_query) for by in ((0, 0), (3, 2)))
    kept = b.packed()
    assert b.descriptors.min() < 0 and Features.packed_in(kept, kind.descriptor_dim)
    assert not Features.packed_in(kept, 128)
    again = Features.unpacked(kept)
    assert np.abs(again.descriptors - b.descriptors).max() < 0.01
    pairs = pair(a, again, kind.max_ratio)
    assert len(pairs) >= len(DOTS)
    assert np.allclose(np.median(again.points[pairs[:, 1]] - a.points[pairs[:, 0]], axis=0), (3.0, 2.0))


def test_a_folder_without_features_says_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="homing-export --features"):
        FeatureNetwork.load(tmp_path)


def altered(tmp_path: Path, change: dict[str, object]) -> Path:
    made = patch_features(tmp_path / "made")
    manifest = json.loads((made / MANIFEST).read_text())
    (made / MANIFEST).write_text(json.dumps(manifest | change))
    return made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format_version": 99}, "update homing"),
        ({"format_version": None}, "no format version"),
        ({"points": 0}, "points"),
        ({"files": {}}, "files"),
    ],
)
def test_a_manifest_that_is_none_is_said_to_be(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        FeatureNetwork.load(altered(tmp_path, change))


def test_a_file_that_was_changed_is_not_run(tmp_path: Path) -> None:
    made = patch_features(tmp_path / "made")
    file = made / "patches.fp32.onnx"
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(BundleError, match="hash differs"):
        FeatureNetwork.load(made)
    file.unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        FeatureNetwork.load(made)


def test_a_file_that_is_no_such_network_is_refused(folder: Path, network: FeatureNetwork, tmp_path: Path) -> None:
    from runtime.bundle import Bundle
    from runtime.values import ViewKind

    bundle = Bundle.load()
    with pytest.raises(BundleError, match="finds no local features"):
        FeatureNetwork(bundle.path / bundle.model(ViewKind.DRONE, "fp32").file, network.manifest)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(EngineError, match="does not run broken.onnx"):
        FeatureNetwork(broken, network.manifest)
