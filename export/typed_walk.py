"""Walks a graph as TensorRT's strongly typed parser will, and lists each place where it would have to choose."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import TensorProto

from export.half import FOLLOWERS, PRODUCTS
from export.layout import HEAD, elem_types

_FLOATS = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16"}
_CONVERTERS = frozenset({"Cast", "QuantizeLinear", "DequantizeLinear"})  # whose types differ by their purpose
_FOREIGN: dict[int, str] = {TensorProto.DOUBLE: "float64", TensorProto.BFLOAT16: "bfloat16", TensorProto.STRING: "text"}


def complaints(model: onnx.ModelProto) -> list[str]:
    """Every place at which a precision would be chosen, two types meet, or float16 stands where it may overflow."""
    return [*_at_the_ends(model.graph), *_inside(model)]


def _at_the_ends(graph: onnx.GraphProto) -> Iterator[str]:
    if len(graph.input) != 1 or graph.input[0].type.tensor_type.elem_type != TensorProto.UINT8:
        yield "the input is not one tensor of uint8 pixels"
        return
    crops = graph.input[0].name
    readers = [node for node in graph.node if crops in node.input and node.op_type != "Shape"]
    if [node.op_type for node in readers] != ["Cast"]:
        yield "the pixels do not meet a Cast first"
        return
    behind = [node.op_type for node in graph.node if readers[0].output[0] in node.input]
    if behind != ["Transpose"]:
        yield f"behind the Cast of the pixels stands {', '.join(behind)} and not the Transpose"
    for output in graph.output:
        if output.type.tensor_type.elem_type != TensorProto.FLOAT:
            yield f"the output {output.name} is not float32"


def _inside(model: onnx.ModelProto) -> Iterator[str]:
    types = elem_types(model)
    for node in model.graph.node:
        where = node.name or node.op_type
        if node.domain not in ("", "ai.onnx"):
            yield f"{where} is no standard operator: {node.domain}"
        untyped = [name for name in (*node.input, *node.output) if name and not types.get(name)]
        if untyped:
            yield f"{where}: the type of {', '.join(untyped)} is left open"
        given = [types.get(name, 0) for name in node.input if name]
        made = [types.get(name, 0) for name in node.output if name]
        for kind in (*given, *made):
            if kind in _FOREIGN:
                yield f"{where} computes in {_FOREIGN[kind]}"
        if node.op_type in _CONVERTERS:
            continue
        floats = {kind for kind in (*given, *made) if kind in _FLOATS}
        if len(floats) > 1:
            yield f"{where}: float32 and float16 meet"
        may_be_half = node.op_type in PRODUCTS or node.op_type in FOLLOWERS
        if TensorProto.FLOAT16 in floats and (not may_be_half or node.name.startswith(HEAD)):
            yield f"{where} is computed in float16, which must be an island of float32"
