"""The float16 graph: islands by construction, nothing left to choose, faithful to quiet features and to loud ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from export.gate import check_types  # noqa: E402
from export.half import half_values, halved  # noqa: E402
from export.layout import elem_types  # noqa: E402
from export.onnx_file import write  # noqa: E402
from export.typed_walk import complaints  # noqa: E402
from export.writer import exported  # noqa: E402
from runtime.embedder.onnx_engine import OnnxEngine  # noqa: E402
from runtime.embedder.parity import BARS, compare  # noqa: E402
from runtime.errors import BundleError  # noqa: E402
from tests.export.tiny import (  # noqa: E402
    CHANNELS,
    DEPTH,
    SIZE_PX,
    TinyBackbone,
    tiny_graph,
    tiny_head,
    tiny_transformer,
)
from train.embedding_head import EmbeddingHead, HeadSpec  # noqa: E402
from train.tower import Tower  # noqa: E402

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def _crops(count: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)


def _run(model: onnx.ModelProto, path: Path, crops: np.ndarray) -> np.ndarray:
    write(model, path, "tiny")
    return OnnxEngine(path, threads=1).run(crops)[0]


def _nodes_by_type(model: onnx.ModelProto, kind: int) -> set[str]:
    types = elem_types(model)
    return {node.op_type for node in model.graph.node for name in node.input if types.get(name) == kind}


@pytest.fixture(scope="module")
def single() -> onnx.ModelProto:
    return tiny_graph()


@pytest.fixture(scope="module")
def standardised() -> onnx.ModelProto:
    return exported(Tower(TinyBackbone(standardise=True), tiny_head(), DEPTH).eval(), SIZE_PX)


@pytest.fixture(scope="module")
def transformer() -> onnx.ModelProto:
    return exported(tiny_transformer(), SIZE_PX)


def test_the_typed_graph_has_products_in_float16_and_its_head_in_float32(single: onnx.ModelProto) -> None:
    half = halved(single)
    types = elem_types(half)
    products = [node for node in half.graph.node if node.op_type == "Conv"]
    assert [types[node.output[0]] for node in products] == [HALF, HALF, FLOAT]  # the last one is the head's
    assert complaints(half) == []
    assert {types[output.name] for output in half.graph.output} == {FLOAT}


def test_a_transformer_keeps_its_norms_and_softmax_in_float32(transformer: onnx.ModelProto) -> None:
    half = halved(transformer)
    assert complaints(half) == []
    assert {"MatMul", "Conv"} <= _nodes_by_type(half, HALF)
    assert {"LayerNormalization", "Softmax"} <= _nodes_by_type(half, FLOAT)
    assert not {"LayerNormalization", "Softmax", "Erf", "Sqrt", "Div"} & _nodes_by_type(half, HALF)


def test_a_crops_own_light_is_measured_in_float32(standardised: onnx.ModelProto) -> None:
    half = halved(standardised)
    assert complaints(half) == []
    assert {"ReduceMean", "Sqrt", "Div"} <= _nodes_by_type(half, FLOAT)
    assert not {"ReduceMean", "Sqrt", "Div"} & _nodes_by_type(half, HALF)


@pytest.mark.parametrize("graph", ["single", "standardised", "transformer"])
def test_it_computes_what_float32_computes(graph: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    whole, crops = request.getfixturevalue(graph), _crops()
    reference = _run(whole, tmp_path / "whole.onnx", crops)
    assert compare(_run(halved(whole), tmp_path / "half.onnx", crops), reference).refusal(BARS["fp16"]) is None


@pytest.mark.parametrize(
    ("pooling", "scale"), [("cells", 1e-4), ("cells", 1e3), ("generalised", 1e-4), ("generalised", 1e3)]
)
def test_the_head_takes_quiet_and_loud_activations(pooling: str, scale: float, tmp_path: Path) -> None:
    head = EmbeddingHead(HeadSpec(pooling=pooling, map_channels=4), CHANNELS) if pooling != "cells" else tiny_head()
    backbone = TinyBackbone(gain=1.0)
    largest = float(np.abs(backbone(torch.from_numpy(_crops()))[DEPTH].detach().numpy()).max())
    backbone.gain = scale / largest
    tower = Tower(backbone, head, DEPTH).eval()
    single, crops = exported(tower, SIZE_PX), _crops()
    with torch.inference_mode():
        reference = tower(torch.from_numpy(crops))[0].numpy()
    half = halved(single)
    assert complaints(half) == []
    # What is this quiet is shorter than one behind a norm that has an epsilon; it is the direction that must hold.
    ours = _run(half, tmp_path / "half.onnx", crops)
    measured = compare(*(v / np.linalg.norm(v, axis=1, keepdims=True) for v in (ours, reference)))
    assert measured.finite and measured.cosine_min >= 0.9995


def test_layers_that_are_kept_whole_are_the_first_ones(single: onnx.ModelProto) -> None:
    types = elem_types(halved(single, whole_products=1))
    outputs = [node.output[0] for node in single.graph.node if node.op_type == "Conv"]
    assert [types[name] for name in outputs] == [FLOAT, HALF, FLOAT]
    everything = halved(single, whole_products=99)
    assert list(half_values(everything)) == []


def test_what_a_converter_that_knows_no_islands_makes_is_refused(single: onnx.ModelProto) -> None:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    copied = onnx.ModelProto()
    copied.CopyFrom(single)
    naive = convert_float_to_float16(copied, keep_io_types=True, op_block_list=["Cast"])
    found = complaints(onnx.shape_inference.infer_shapes(naive, data_prop=True))
    assert any("must be an island of float32" in complaint for complaint in found)
    with pytest.raises(BundleError, match="naive.onnx is refused: .* more"):
        check_types(onnx.shape_inference.infer_shapes(naive, data_prop=True), "naive.onnx")


def _first(model: onnx.ModelProto, kind: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == kind)


def test_the_walk_finds_each_kind_of_open_question(single: onnx.ModelProto) -> None:
    half = halved(single)

    def spoilt(change: object) -> list[str]:
        copied = onnx.ModelProto()
        copied.CopyFrom(half)
        change(copied)  # type: ignore[operator]
        return complaints(copied)

    def mixed(model: onnx.ModelProto) -> None:
        conv = _first(model, "Conv")
        conv.input[1] = next(i.name for i in model.graph.initializer if i.data_type == FLOAT)

    def untyped(model: onnx.ModelProto) -> None:
        del model.graph.value_info[:]

    def float_pixels(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.elem_type = FLOAT

    def half_output(model: onnx.ModelProto) -> None:
        model.graph.output[0].type.tensor_type.elem_type = HALF

    def double(model: onnx.ModelProto) -> None:
        next(i for i in model.graph.initializer if i.data_type == FLOAT).data_type = onnx.TensorProto.DOUBLE

    def scaled_first(model: onnx.ModelProto) -> None:
        cast, transpose = model.graph.node[0], model.graph.node[1]
        transpose.op_type = "Relu"
        assert cast.op_type == "Cast"

    assert any("float32 and float16 meet" in found for found in spoilt(mixed))
    assert any("is left open" in found for found in spoilt(untyped))
    assert any("uint8 pixels" in found for found in spoilt(float_pixels))
    assert any("is not float32" in found for found in spoilt(half_output))
    assert any("float64" in found for found in spoilt(double))
    assert any("not the Transpose" in found for found in spoilt(scaled_first))
    assert spoilt(lambda model: None) == []
