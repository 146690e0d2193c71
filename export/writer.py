"""A tower of torch as a float32 graph, and as an ONNX file."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from export.layout import drop_unread, lift_constants, name_nodes, transpose_first
from export.onnx_file import OPSET, write
from runtime.errors import BundleError

_OUTPUTS = ("embedding", "map")


def write_onnx(
    tower: nn.Module,
    path: Path,
    size_px: int,
    description: str,
    opset: int = OPSET,
    outputs: tuple[str, ...] = _OUTPUTS,
) -> None:
    """Export a tower and write it; see `exported` and `write`.

    Raises:
        BundleError: the exporter gave something that is no valid model.
        StorageError: the file cannot be written.
    """
    write(exported(tower, size_px, opset, outputs), path, description)


def exported(
    tower: nn.Module, size_px: int, opset: int = OPSET, outputs: tuple[str, ...] = _OUTPUTS
) -> onnx.ModelProto:
    """The float32 graph of a tower: simplified, named, the pixels' way in ordered, types and shapes inferred strictly.

    Raises:
        BundleError: the exporter gave no model, or one of another opset.
    """
    model = _traced(tower, size_px, opset, outputs)
    lift_constants(model)
    name_nodes(model)
    transpose_first(model)
    drop_unread(model)
    return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def _traced(tower: nn.Module, size_px: int, opset: int, outputs: tuple[str, ...]) -> onnx.ModelProto:
    example = torch.zeros((2, size_px, size_px, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # torch's parts call each other's outdated names, which torch's authors see to; all else is let through.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        program = torch.onnx.export(
            tower.eval(),
            (example,),
            input_names=["crops"],
            output_names=list(outputs),
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
