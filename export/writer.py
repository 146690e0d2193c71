"""A tower as an ONNX file whose bytes depend on the tower alone."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from runtime.errors import BundleError, StorageError

OPSET = 18
_PRODUCER = "homing"


def write_onnx(tower: nn.Module, path: Path, size_px: int, description: str, opset: int = OPSET) -> None:
    """Export, check, infer shapes strictly, strip what would name a machine, and write.

    Raises:
        BundleError: the exporter gave something that is no valid model.
        StorageError: the file cannot be written.
    """
    model = _traced(tower, size_px, opset)
    model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    _strip(model, description)
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        raise BundleError(f"the exported model is not valid: {error}") from error
    try:
        path.write_bytes(model.SerializeToString(deterministic=True))
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from error


def _traced(tower: nn.Module, size_px: int, opset: int) -> onnx.ModelProto:
    example = torch.zeros((2, size_px, size_px, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            tower.eval(),
            (example,),
            input_names=["crops"],
            output_names=["embedding", "map"],
            dynamic_shapes=({0: torch.export.Dim("N", min=1, max=1024)},),
            opset_version=opset,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise BundleError("the exporter gave no model.")
    model: onnx.ModelProto = program.model_proto
    found = {entry.domain: entry.version for entry in model.opset_import}.get("")
    if found != opset:
        raise BundleError(f"the exporter gave opset {found}, not {opset}.")
    return model


def _strip(model: onnx.ModelProto, description: str) -> None:
    """No stack traces, paths or versions: two machines exporting one tower must agree on every byte."""
    model.producer_name, model.producer_version = _PRODUCER, ""
    model.doc_string = description
    del model.metadata_props[:]
    graph = model.graph
    graph.name, graph.doc_string = "tower", ""
    del graph.metadata_props[:]
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
