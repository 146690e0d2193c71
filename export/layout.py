"""The order of a graph: names that say where a node belongs, constants in one place, and the pixels' way in."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

_HEADS = frozenset({"head", "appearance"})  # the tower's modules behind its backbone
HEAD = "head/"  # what the names of the head's nodes begin with
BODY = "backbone/"
_SCOPES = "pkg.torch.onnx.name_scopes"
_SCALING = frozenset({"Add", "Sub", "Mul", "Div"})


def elem_types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of every value and constant of a graph whose shapes were inferred."""
    graph = model.graph
    types = {v.name: v.type.tensor_type.elem_type for v in (*graph.input, *graph.value_info, *graph.output)}
    return types | {i.name: i.data_type for i in graph.initializer}


def name_nodes(model: onnx.ModelProto) -> None:
    """Name each node by whether it belongs to the head, by what it does and by its number.

    torch's exporter says in a node's metadata which module it comes from; what hangs on the head belongs to it.
    """
    made_by_head: set[str] = set()
    for number, node in enumerate(model.graph.node):
        scopes = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), "[]")
        modules = {scope.partition(".")[0] for scope in ast.literal_eval(scopes)}
        in_head = not _HEADS.isdisjoint(modules) or not made_by_head.isdisjoint(node.input)
        if in_head:
            made_by_head.update(node.output)
        node.name = f"{HEAD if in_head else BODY}{node.op_type}_{number}"


def lift_constants(model: onnx.ModelProto) -> None:
    """Constants that are nodes become initializers."""
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        value = _held(node)
        if value is not None:
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
            graph.node.remove(node)


def drop_unread(model: onnx.ModelProto) -> None:
    """Constants that nothing reads go."""
    graph = model.graph
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for unread in [i for i in graph.initializer if i.name not in read]:
        graph.initializer.remove(unread)


def _held(node: onnx.NodeProto) -> NDArray[Any] | None:
    """What a Constant node holds, None where it is no plain tensor or number."""
    for attribute in node.attribute:
        if attribute.name == "value":
            return np.asarray(numpy_helper.to_array(attribute.t))
        if attribute.name in ("value_float", "value_floats"):
            return np.asarray(onnx.helper.get_attribute_value(attribute), np.float32)
        if attribute.name in ("value_int", "value_ints"):
            return np.asarray(onnx.helper.get_attribute_value(attribute), np.int64)
    return None


def transpose_first(model: onnx.ModelProto) -> None:
    """Move the transpose to channels first right behind the cast of the pixels, before they are scaled.

    TensorRT then reads the uint8 once, and the scaling meets the layout that the convolutions want. The numbers are
    the same: every factor meets the pixels that it met before.
    """
    graph = model.graph
    chain = _scaling_chain(graph)
    if len(chain) < 3 or chain[-1].op_type != "Transpose":
        return
    cast, *scalings, transpose = chain
    constants = {i.name: i for i in graph.initializer}
    result, data = transpose.output[0], f"{cast.output[0]}_channels_first"
    transpose.input[0], transpose.output[0] = cast.output[0], data
    for node in scalings:
        position = 1 if node.input[1] in constants else 0
        values = numpy_helper.to_array(constants[node.input[position]])
        if values.size > 1:
            name = f"{node.input[position]}_by_channel"
            if name not in constants:  # a mean and a deviation that are equal are one constant
                constants[name] = numpy_helper.from_array(values.reshape(-1, 1, 1), name)
                graph.initializer.append(constants[name])
            node.input[position] = name
        node.input[1 - position] = data
        data = node.output[0]
    scalings[-1].output[0] = result
    _reorder(graph, [cast, transpose, *scalings])
    del graph.value_info[:]  # the shapes on the way are others now


def _scaling_chain(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The cast of the input, what scales it by constants, and the transpose behind."""
    constants = {i.name for i in graph.initializer}
    chain: list[onnx.NodeProto] = []
    value = graph.input[0].name
    while True:
        readers = [node for node in graph.node if value in node.input and node.op_type != "Shape"]
        if len(readers) != 1:
            return chain
        node = readers[0]
        scales = node.op_type in _SCALING and any(name in constants for name in node.input)
        if node.op_type == "Cast" and not chain or chain and (scales or node.op_type == "Transpose"):
            chain.append(node)
            value = node.output[0]
            if node.op_type == "Transpose":
                return chain
        else:
            return chain


def _reorder(graph: onnx.GraphProto, first: list[onnx.NodeProto]) -> None:
    moved = [node.name for node in first]
    rest = [node for node in graph.node if node.name not in moved]
    ordered = [onnx.NodeProto.FromString(node.SerializeToString()) for node in (*first, *rest)]
    del graph.node[:]
    graph.node.extend(ordered)

