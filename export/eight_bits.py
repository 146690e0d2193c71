"""A float32 graph to one of eight bits: static, symmetric, each product between a quantise and a dequantise.

Symmetric because TensorRT takes no other zero point; calibrated on images of the user's own, because ranges that were
measured on other ground are too wide or too narrow for theirs. The head stays in float32.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (  # type: ignore[import-untyped]
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from export.half import PRODUCTS
from export.layout import HEAD

MOST_IMAGES = 256  # more do not move a minimum and a maximum by much


class _Crops(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, images: NDArray[np.uint8]) -> None:
        self._rows = iter([{name: image[None]} for image in images])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next input, None at the end."""
        return next(self._rows, None)


@contextmanager
def _unadvised() -> Iterator[None]:
    """The quantiser recommends, on the root logger, what `export.writer` has already done."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)


def quantised(single: onnx.ModelProto, images: NDArray[np.uint8], whole_products: int = 0) -> onnx.ModelProto:
    """The Q/DQ graph of a float32 one, with ranges from (N, S, S, 3) uint8 images.

    ``whole_products``: that many of the first products stay in float32, see `export.half.halved`.
    """
    products = [n.name for n in single.graph.node if n.op_type in PRODUCTS and not n.name.startswith(HEAD)]
    with tempfile.TemporaryDirectory() as scratch, _unadvised():
        given, made = Path(scratch) / "single.onnx", Path(scratch) / "eight.onnx"
        onnx.save(single, given)
        quantize_static(
            str(given),
            str(made),
            _Crops(single.graph.input[0].name, images[:MOST_IMAGES]),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=products[whole_products:],
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
        )
        model = onnx.load(made)
    del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
