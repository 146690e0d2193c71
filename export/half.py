"""A float32 graph to a typed float16 one with float32 islands, so that nobody is left to choose a precision.

TensorRT 10 takes the types of a strongly typed network as written, and TensorRT 11 knows no other kind; ONNX Runtime's
CUDA provider runs what the file says. So the types are decided here, once, by what an operator does:

- products (convolutions, matrix products) are made in float16;
- what moves or adds numbers follows what it is given;
- all else is an island: norms, softmax, powers, divisions, roots and means sum or divide over many numbers, and
  float16 ends at 65,504. The cast stands in front of the island, before anything is squared.
- the head is an island as a whole: it is small, and everything in it is a norm or a power.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.layout import HEAD, elem_types

PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
FOLLOWERS = frozenset(
    {
        "Add", "Clip", "Concat", "Expand", "Flatten", "Gather", "Identity", "LeakyRelu", "MaxPool", "Mul", "Neg",
        "Pad", "Relu", "Reshape", "Slice", "Split", "Squeeze", "Sub", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
_LARGEST = float(np.finfo(np.float16).max)


def halved(model: onnx.ModelProto, whole_products: int = 0) -> onnx.ModelProto:
    """The typed graph of a float32 one that was made by `export.writer`.

    ``whole_products``: that many of the first products stay in float32 as well. What the first layers round off runs
    through all the others; they hold few weights, and a network may need them whole to stay within the bar.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    types, constants = elem_types(half), {i.name: i for i in half.graph.initializer}
    singles = _first_products(half, whole_products)
    typed = _Typed(types, constants)
    for node in half.graph.node:
        typed.take(node, node.name in singles)
    typed.end([output.name for output in half.graph.output])
    del half.graph.node[:], half.graph.initializer[:], half.graph.value_info[:]
    half.graph.node.extend(typed.nodes)
    used = {name for node in typed.nodes for name in node.input}
    half.graph.initializer.extend(i for i in (*constants.values(), *typed.halves.values()) if i.name in used)
    return onnx.shape_inference.infer_shapes(half, check_type=True, strict_mode=True, data_prop=True)


class _Typed:
    """Rewrites node after node; knows which of the values so far are float16."""

    def __init__(self, types: dict[str, int], constants: dict[str, onnx.TensorProto]) -> None:
        self._types, self._constants = types, constants
        self._half: set[str] = set()  # original names whose value is now float16
        self._casts: dict[tuple[str, int], str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.halves: dict[str, onnx.TensorProto] = {}

    def take(self, node: onnx.NodeProto, single: bool) -> None:
        """Append the node in its precision, with the casts that it needs in front."""
        in_half = not single and self._in_half(node)
        for position, name in enumerate(node.input):
            if self._types.get(name) == TensorProto.FLOAT:
                node.input[position] = self._as(name, TensorProto.FLOAT16 if in_half else TensorProto.FLOAT)
        if in_half:
            self._half.update(name for name in node.output if self._types.get(name) == TensorProto.FLOAT)
        self.nodes.append(node)

    def end(self, outputs: list[str]) -> None:
        """What leaves the graph is float32."""
        for name in (name for name in outputs if name in self._half):
            for node in self.nodes:
                for names in (node.input, node.output):
                    for position, found in enumerate(names):
                        if found == name:
                            names[position] = f"{name}_half"
            self.nodes.append(_cast(f"{name}_half", name, TensorProto.FLOAT))

    def _in_half(self, node: onnx.NodeProto) -> bool:
        if node.name.startswith(HEAD) or not any(self._types.get(o) == TensorProto.FLOAT for o in node.output):
            return False
        return node.op_type in PRODUCTS or (
            node.op_type in FOLLOWERS and any(name in self._half for name in node.input)
        )

    def _as(self, name: str, elem_type: int) -> str:
        if name in self._constants:
            return name if elem_type == TensorProto.FLOAT else self._halved_constant(name)
        if (name in self._half) == (elem_type == TensorProto.FLOAT16):
            return name
        if (name, elem_type) not in self._casts:
            cast = f"{name}_{'half' if elem_type == TensorProto.FLOAT16 else 'single'}"
            self.nodes.append(_cast(name, cast, elem_type))
            self._casts[name, elem_type] = cast
        return self._casts[name, elem_type]

    def _halved_constant(self, name: str) -> str:
        halved = f"{name}_half"
        if halved not in self.halves:
            values = numpy_helper.to_array(self._constants[name])
            clipped = np.clip(values, -_LARGEST, _LARGEST).astype(np.float16)  # an open end of a clamp stays open
            self.halves[halved] = numpy_helper.from_array(clipped, halved)
        return halved


def _cast(given: str, made: str, elem_type: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [given], [made], name=f"cast/{made}", to=elem_type)


def _first_products(model: onnx.ModelProto, count: int) -> set[str]:
    """The names of the first products and of all that stands before the next one."""
    products = [index for index, node in enumerate(model.graph.node) if node.op_type in PRODUCTS]
    end = products[count] if count < len(products) else len(model.graph.node)
    return {node.name for node in model.graph.node[:end]} if count else set()


def half_values(model: onnx.ModelProto) -> Iterator[str]:
    """Names of the values that a typed graph computes in float16."""
    constants = {i.name for i in model.graph.initializer}
    yield from (n for n, t in elem_types(model).items() if t == TensorProto.FLOAT16 and n not in constants)
