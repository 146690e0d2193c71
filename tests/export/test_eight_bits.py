"""Eight bits: symmetric, static, around the products alone, and judged by their own bar."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import numpy_helper  # noqa: E402

from export.assemble import assemble  # noqa: E402
from export.eight_bits import quantised  # noqa: E402
from export.onnx_file import write  # noqa: E402
from export.parity_images import extremes, resized  # noqa: E402
from export.typed_walk import complaints  # noqa: E402
from runtime.embedder.onnx_engine import OnnxEngine  # noqa: E402
from runtime.embedder.parity import compare  # noqa: E402
from runtime.embedder.parity_set import PARITY_VIEWS, read_sheet  # noqa: E402
from runtime.errors import BundleError  # noqa: E402
from tests.export.tiny import SIZE_PX, recipe, tiny_graph, tiny_tower  # noqa: E402

VIEWS = 60  # of the parity set, beside the extremes


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.concatenate([resized(read_sheet(PARITY_VIEWS, 256)[:VIEWS], SIZE_PX), extremes(SIZE_PX)])


@pytest.fixture(scope="module")
def single() -> onnx.ModelProto:
    return tiny_graph()


def test_every_zero_point_is_zero_and_the_head_is_left_alone(single: onnx.ModelProto, images: np.ndarray) -> None:
    model = quantised(single, images)
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(pairs) >= 4
    for node in pairs:
        zero = constants[node.input[2]]
        assert zero.dtype in (np.int8, np.int32) and not zero.any()
    made = {name: node.op_type for node in model.graph.node for name in node.output}
    head = [node for node in model.graph.node if node.name.startswith("head/") and node.op_type == "Conv"]
    assert head and all(made.get(name) != "DequantizeLinear" for node in head for name in node.input)
    assert complaints(model) == []


def test_the_same_images_give_the_same_bytes(single: onnx.ModelProto, images: np.ndarray) -> None:
    first, second = (quantised(single, images).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second
    assert quantised(single, images[:2] // 8).SerializeToString(deterministic=True) != first


def test_ranges_from_other_ground_do_not_fly(images: np.ndarray, tmp_path: Path) -> None:
    tower = tiny_tower()
    plain = recipe(tower, tower, ("fp32", "int8"), graph=tiny_graph())
    dark = replace(plain, calibration_crops=images[:20] // 32)  # everything saturates
    with pytest.raises(BundleError, match="tower.int8.onnx .* is refused"):
        assemble(dark, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_ranges_from_the_same_ground_keep_the_direction_of_every_embedding(
    single: onnx.ModelProto, images: np.ndarray, tmp_path: Path
) -> None:
    write(quantised(single, images), tmp_path / "eight.onnx", "tiny")
    with torch.inference_mode():
        reference = tiny_tower()(torch.from_numpy(views := images[:VIEWS]))[0].numpy()
    for optimise in (False, True):  # of the extremes, some differ from one part to the next by less than a step
        vectors = OnnxEngine(tmp_path / "eight.onnx", 1, optimise=optimise).run(views)[0]
        measured = compare(vectors, reference)
        assert measured.cosine_min >= 0.98 and measured.similarity_change > 0.002  # eight bits, and no more
