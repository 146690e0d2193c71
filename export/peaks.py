"""How large every value of a graph becomes: the CPU computes float16 in float32 and cannot show an overflow.

So each value that a float16 graph will hold in float16 is measured in float32, over the parity images, and held
against half of float16's range.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import TensorProto, helper

from export.layout import elem_types

HALF_RANGE = 32_752.0  # half of 65,504, float16's largest number: room for images that were not measured


@dataclass(frozen=True, slots=True)
class Peak:
    """The largest magnitude among some values, and whose it is."""

    value: str
    magnitude: float

    def refusal(self) -> str | None:
        """Why this may not be held in float16, or None."""
        if self.magnitude <= HALF_RANGE:
            return None
        return (
            f"{self.value} reaches {self.magnitude:.4g} in float32, beyond half of float16's range, {HALF_RANGE:g}: "
            "it would overflow on a GPU, whatever the CPU says"
        )


def peaks(single: onnx.ModelProto, images: NDArray[np.uint8], values: Iterable[str]) -> dict[str, float]:
    """The largest magnitude that each of the named values of a float32 graph takes; nan where one is not finite."""
    types = elem_types(single)
    outputs = {output.name for output in single.graph.output}
    watched = [name for name in values if types.get(name) == TensorProto.FLOAT]
    opened = onnx.ModelProto()
    opened.CopyFrom(single)
    for name in watched:
        if name not in outputs:
            opened.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = _unoptimised(opened)
    found = dict.fromkeys(watched, 0.0)
    for image in images:
        results = session.run(watched, {single.graph.input[0].name: image[None]}) if watched else []
        for name, result in zip(watched, results, strict=True):
            found[name] = float(np.maximum(found[name], np.abs(result).max()))  # a nan stays
    return found


def highest(found: dict[str, float]) -> Peak:
    """The worst of them; one that is not finite is worse than any."""
    if not found:
        return Peak("no value", 0.0)
    name = max(found, key=lambda name: found[name] if np.isfinite(found[name]) else float("inf"))
    return Peak(name, found[name] if np.isfinite(found[name]) else float("inf"))


def _unoptimised(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # every value stays itself
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
