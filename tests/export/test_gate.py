"""Deliberately broken exports are refused, each for its own reason, also where the CPU shows nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import numpy_helper  # noqa: E402

from export.gate import check_peaks, judged  # noqa: E402
from export.half import halved  # noqa: E402
from export.onnx_file import write  # noqa: E402
from export.parity_images import extremes, resized  # noqa: E402
from export.peaks import HALF_RANGE, Peak, highest, peaks  # noqa: E402
from export.writer import exported  # noqa: E402
from runtime.embedder.onnx_engine import OnnxEngine  # noqa: E402
from runtime.embedder.parity_set import PARITY_VIEWS, read_sheet  # noqa: E402
from runtime.errors import BundleError  # noqa: E402
from tests.export.tiny import SIZE_PX, tiny_graph, tiny_tower  # noqa: E402

Weights = np.ndarray


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.concatenate([resized(read_sheet(PARITY_VIEWS, 256)[:40], SIZE_PX), extremes(SIZE_PX)])


@pytest.fixture(scope="module")
def single() -> onnx.ModelProto:
    return tiny_graph()


@pytest.fixture(scope="module")
def reference(images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return tiny_tower()(torch.from_numpy(images))[0].numpy()


def _spoilt(model: onnx.ModelProto, change: Callable[[Weights], Weights]) -> onnx.ModelProto:
    """A copy whose second convolution's weights were changed."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    weights = [node.input[1] for node in copied.graph.node if node.op_type == "Conv"][1]
    (held,) = (i for i in copied.graph.initializer if i.name == weights)
    held.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(held).copy()), weights))
    return copied


def _scaled(weights: Weights) -> Weights:
    weights[: len(weights) // 2] *= 1.3
    return weights


def _nan(weights: Weights) -> Weights:
    weights[3, 2, 1, 0] = np.nan
    return weights


@pytest.mark.parametrize(
    ("change", "reason"),
    [(_scaled, "cosine"), (lambda w: w[::-1], "cosine"), (_nan, "not finite")],
    ids=["scaled", "swapped", "nan"],
)
def test_a_broken_export_is_refused(
    change: Callable[[Weights], Weights], reason: str, single: onnx.ModelProto, images: np.ndarray,
    reference: np.ndarray, tmp_path: Path,
) -> None:  # fmt: skip
    write(_spoilt(single, lambda w: np.ascontiguousarray(change(w))), tmp_path / "broken.onnx", "tiny")
    with pytest.raises(BundleError, match=rf"broken.onnx \(graph optimisation off, batch 1\) is refused: .*{reason}"):
        judged(tmp_path / "broken.onnx", "fp32", images, reference, "torch fp32")


def test_an_export_that_is_whole_passes(
    single: onnx.ModelProto, images: np.ndarray, reference: np.ndarray, tmp_path: Path
) -> None:
    write(_spoilt(single, lambda weights: weights), tmp_path / "whole.onnx", "tiny")
    parity = judged(tmp_path / "whole.onnx", "fp32", images, reference, "torch fp32")
    assert parity.cosine_min > 0.99999 and parity.same_top1 and len(parity.runs) == 4


def test_a_value_beyond_half_of_float16_is_refused_before_any_gpu_sees_it(images: np.ndarray) -> None:
    tower = tiny_tower(gain=1.0)
    with torch.inference_mode():
        features = tower.backbone(torch.from_numpy(images))[1]
    tower.backbone.gain = 1.2 * HALF_RANGE / float(features.abs().max())  # within float16 still, and too near its end
    single = exported(tower, SIZE_PX)
    with pytest.raises(BundleError, match=r"loud.onnx is refused: .* beyond half of float16's range"):
        check_peaks(single, halved(single), images, "loud.onnx")


def test_a_norm_that_would_overflow_in_float16_is_seen_though_the_cpu_computes_it(
    images: np.ndarray, tmp_path: Path
) -> None:
    tower = tiny_tower(gain=1.0)
    with torch.inference_mode():
        features = tower.backbone(torch.from_numpy(images))[1]
    tower.backbone.gain = 1000.0 / float(features.abs().max())  # squares reach a million
    single = exported(tower, SIZE_PX)
    squares = [node.output[0] for node in single.graph.node if node.op_type == "Mul" and node.name.startswith("head/")]
    found = peaks(single, images, squares)
    assert max(found.values()) > 65_504
    assert highest(found).refusal() is not None
    assert check_peaks(single, halved(single), images, "whole.onnx").magnitude < HALF_RANGE  # the islands hold them


def test_peaks_are_those_of_a_slow_look_at_every_value(images: np.ndarray, tmp_path: Path) -> None:
    tower, single = tiny_tower(), tiny_graph()
    convolutions = [node.output[0] for node in single.graph.node if node.op_type == "Conv"]
    found = peaks(single, images, convolutions)
    with torch.inference_mode():
        x = (torch.from_numpy(images).float() / 255).permute(0, 3, 1, 2)
        first = tower.backbone.first(x)
        second = tower.backbone.second(torch.relu(first))
    assert [found[name] for name in convolutions[:2]] == pytest.approx(
        [float(first.abs().max()), float(second.abs().max())], rel=1e-4
    )


def test_a_value_that_is_not_finite_is_the_highest() -> None:
    assert highest({"a": 3.0, "b": float("nan"), "c": 9.0}) == Peak("b", float("inf"))
    assert Peak("b", float("inf")).refusal() is not None and Peak("c", 9.0).refusal() is None


def test_optimised_or_not_the_engine_is_the_one_asked_for(single: onnx.ModelProto, tmp_path: Path) -> None:
    copied = onnx.ModelProto()
    copied.CopyFrom(single)
    write(copied, tmp_path / "tower.onnx", "tiny")
    crops = np.zeros((1, SIZE_PX, SIZE_PX, 3), np.uint8)
    plain, optimised = (OnnxEngine(tmp_path / "tower.onnx", 1, optimise=o).run(crops)[0] for o in (False, True))
    np.testing.assert_allclose(plain, optimised, atol=1e-5)
