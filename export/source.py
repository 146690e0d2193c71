"""What is exported: a tower of torch, or a float32 file that an earlier bundle holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from runtime.embedder.onnx_engine import OnnxEngine
from runtime.embedder.parity_set import Crops
from runtime.errors import BundleError
from runtime.values import Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """``graph``: the float32 graph at an opset; ``embed``: what it must compute, a row of nan for an image whose
    embedding is decided by rounding; ``said``: by what that is computed."""

    graph: Callable[[int], onnx.ModelProto]
    embed: Callable[[NDArray[np.uint8]], Vectors]
    said: str
    kept: bytes | None = None  # the float32 file as it stands, where there is one already


def of_file(path: Path, name: str, undecided: Crops) -> Source:
    """A float32 file of a bundle that has passed its own gate.

    ``undecided``: the (n, S, S, 3) images of the bundle's parity set of which its reference says nothing.

    Raises:
        BundleError: it is no ONNX file, or takes something else than pixels.
    """
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's error has no public name
        raise BundleError(f"{path} is no ONNX file: {type(error).__name__}.") from error
    engine = OnnxEngine(path, threads=1, optimise=False)
    nothing_said = {image.tobytes() for image in undecided}

    def embed(images: NDArray[np.uint8]) -> Vectors:
        vectors: Vectors = np.concatenate([engine.run(image[None])[0] for image in images])
        vectors[[image.tobytes() in nothing_said for image in images]] = np.nan
        return vectors

    def graph(opset: int) -> onnx.ModelProto:
        found = {entry.domain: entry.version for entry in model.opset_import}.get("")
        if found != opset:
            raise BundleError(f"{path} is of opset {found}, not {opset}: export the checkpoint again instead.")
        return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)

    return Source(graph, embed, f"the fp32 file of {name}", path.read_bytes())
