"""Local features as they are exported: what the gate refuses, what the command does, and what torch makes of XFeat."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from export.export import export  # noqa: E402
from export.features import Gate, make_features, parity_crops, points_of  # noqa: E402
from export.xfeat import PACKAGE, XFeatNet, weights_path, xfeat  # noqa: E402
from runtime.errors import BundleError, HomingError, UsageError  # noqa: E402
from runtime.features.network import FeatureNetwork  # noqa: E402
from tests.runtime.features.patches import patch_features  # noqa: E402

SIZE_PX = 64


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the network's shape, drawn at random."""
    import torch

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "xfeat.pt"
    torch.save(XFeatNet().state_dict() | {"fine_matcher.0.weight": torch.zeros(2)}, path)
    return path


def held(gate: Gate, change: dict[str, np.ndarray]) -> tuple[float, float, float]:
    names = ("points", "scores", "descriptors")
    return gate._held([change.get(name, gate.reference[n]) for n, name in enumerate(names)], "fp32", "it")


@pytest.fixture(scope="module")
def gate(weights: Path) -> Gate:
    graph = xfeat(SIZE_PX, points_of(SIZE_PX), weights)
    made = Gate.of(graph, parity_crops(SIZE_PX)[:4])
    rng = np.random.default_rng(3)  # random weights tell nothing apart: what was found is drawn here
    count = points_of(SIZE_PX)
    points = np.stack([rng.choice(SIZE_PX**2, count, replace=False) for _ in range(4)])
    at = np.stack([points % SIZE_PX, points // SIZE_PX], axis=-1).astype(np.float32) + 0.5
    assert made.reference[2].shape == (4, count, 64)
    rows = rng.normal(size=made.reference[2].shape).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    return replace(made, reference=(at, np.ones((4, count), np.float32), rows))


def test_the_gate_passes_what_is_the_same_in_another_order(gate: Gate) -> None:
    order = np.random.default_rng(0).permutation(points_of(SIZE_PX))
    assert held(gate, {}) == pytest.approx((1.0, 1.0, 0.0), abs=1e-5)
    turned = {"points": gate.reference[0][:, order], "descriptors": gate.reference[2][:, order]}
    assert held(gate, turned) == pytest.approx((1.0, 1.0, 0.0), abs=1e-5)


def test_the_gate_refuses_other_points_and_other_descriptors(gate: Gate) -> None:
    with pytest.raises(BundleError, match="of the points that the reference finds"):
        held(gate, {"points": gate.reference[0] + np.float32(1.0)})
    with pytest.raises(BundleError, match="of the points that the reference finds"):
        held(gate, {"scores": gate.reference[1] * (np.arange(points_of(SIZE_PX)) > 0)[None]})
    with pytest.raises(BundleError, match="refused"):
        held(gate, {"descriptors": gate.reference[2][:, ::-1]})
    with pytest.raises(BundleError, match="not finite"):
        held(gate, {"descriptors": gate.reference[2] * np.float32(np.nan)})


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    import torch

    torch.save({"norm.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(UsageError, match="other weights than XFeat's"):
        xfeat(SIZE_PX, 20, tmp_path / "other.pt")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"features": "sift"}, "there is xfeat"),
        ({"features": "xfeat", "int8": True}, "--int8 does not go with it"),
        ({"features": "xfeat", "source": Path("a.pt")}, "a source does not go with it"),
    ],
)
def test_what_does_not_go_together_is_said(given: dict[str, object], said: str) -> None:
    with pytest.raises(HomingError, match=said):
        export(**given)  # type: ignore[arg-type]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no local features"):
        make_features(xfeat(SIZE_PX, points_of(SIZE_PX), weights), tmp_path, fp16=False)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.long
def test_a_real_network_is_exported_in_both_precisions_and_in_place_of_an_older_one(tmp_path: Path) -> None:
    """The quick tests hold the gate and the folder; this one what torch's exporter makes of the network."""
    try:
        weights_path()
    except UsageError:
        pytest.skip(f"{PACKAGE} is not installed")
    out = patch_features(tmp_path / "features")
    manifest = make_features(xfeat(128, points_of(128)), out, fp16=True)
    assert set(manifest.files) == {"fp32", "fp16"} and not (out / "patches.fp32.onnx").exists()
    assert manifest.files["fp32"].parity.points_share > 0.99
    crops = list(parity_crops(128)[:3])
    found = FeatureNetwork.load(out).describe(crops)
    moved = FeatureNetwork.load(out).describe([crop[8:, 16:] for crop in crops])
    for whole, part in zip(found, moved, strict=True):
        assert len(whole) > 20
        best = (part.descriptors @ whole.descriptors.T).argmax(axis=1)
        apart = np.abs(whole.points[best] - part.points - [16, 8]).max(axis=1)
        assert np.median(apart) <= 1.0
