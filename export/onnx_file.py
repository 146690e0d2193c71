"""A graph as an ONNX file whose bytes depend on the graph alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx

from runtime.errors import BundleError
from runtime.whole_file import write_whole

OPSET = 18
_PRODUCER = "homing"


def write(model: onnx.ModelProto, path: Path, description: str) -> str:
    """Strip what would name a machine, check, write; the file's sha256.

    Raises:
        BundleError: it is no valid model.
        StorageError: the file cannot be written.
    """
    _strip(model, description)
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        raise BundleError(f"the exported model is not valid: {error}") from error
    data: bytes = model.SerializeToString(deterministic=True)
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


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
