"""Holds an exported file against its reference: graph optimisation off and on, one crop and many at a time."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from export.half import half_values
from export.peaks import Peak, highest, peaks
from export.typed_walk import complaints
from runtime.bundle import Parity, ParityRun
from runtime.embedder.onnx_engine import OnnxEngine
from runtime.embedder.parity import BARS, Comparison, compare, gate, worst
from runtime.errors import BundleError
from runtime.machine import default_threads
from runtime.onnx_session import version
from runtime.values import Vectors

LARGEST_BATCH = 32
DEVICE = f"CPU {platform.machine()}, ONNX Runtime {version()}; says nothing of a GPU"


def judged(
    path: Path, precision: str, images: NDArray[np.uint8], reference: Vectors, said: str, batch: int = LARGEST_BATCH
) -> Parity:
    """The file's parity, once it has passed.

    Raises:
        BundleError: it has not; the sentence says in what, and how the file was run.
    """
    runs: list[tuple[ParityRun, Comparison]] = []
    for optimised in (False, True):
        engine = OnnxEngine(path, default_threads(), optimise=optimised)
        for size in (1, batch):
            comparison = compare(_embedded(engine, images, size), reference)
            how = f"graph optimisation {'on' if optimised else 'off'}, batch {size}"
            gate(f"{path.name} ({how})", comparison, BARS[precision])
            runs.append((_run(optimised, size, comparison), comparison))
    measured = worst([comparison for _, comparison in runs])
    return Parity(
        reference=said,
        device=DEVICE,
        images=len(images),
        cosine_min=round(measured.cosine_min, 6),
        cosine_mean=round(measured.cosine_mean, 6),
        similarity_change=round(measured.similarity_change, 6),
        top1_share=round(measured.top1_share, 6),
        same_top1=measured.top1_share == 1.0,
        runs=tuple(run for run, _ in runs),
    )


def tried_out(path: Path, images: NDArray[np.uint8], reference: Vectors) -> Comparison:
    """One run of a file, to choose between ways of making it; passing it lets nothing fly."""
    return compare(_embedded(OnnxEngine(path, default_threads()), images, 1), reference)


def check_types(model: onnx.ModelProto, name: str) -> None:
    """Refuse a graph that leaves a precision open.

    Raises:
        BundleError: it does; the sentence names the first place.
    """
    found = complaints(model)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise BundleError(f"{name} is refused: {found[0]}{more}.")


def check_peaks(single: onnx.ModelProto, half: onnx.ModelProto, images: NDArray[np.uint8], name: str) -> Peak:
    """The largest value that the float16 graph will hold in float16, once it is known to fit.

    Raises:
        BundleError: it does not.
    """
    values = dict.fromkeys(value.removesuffix("_half") for value in half_values(half))
    peak = highest(peaks(single, images, values))
    reason = peak.refusal()
    if reason is not None:
        raise BundleError(f"{name} is refused: {reason}.")
    return peak


def _embedded(engine: OnnxEngine, images: NDArray[np.uint8], batch: int) -> Vectors:
    return np.concatenate([engine.run(images[i : i + batch])[0] for i in range(0, len(images), batch)])


def _run(optimised: bool, batch: int, comparison: Comparison) -> ParityRun:
    return ParityRun(
        optimised=optimised,
        batch=batch,
        cosine_min=round(comparison.cosine_min, 6),
        cosine_mean=round(comparison.cosine_mean, 6),
        similarity_change=round(comparison.similarity_change, 6),
        top1_share=round(comparison.top1_share, 6),
    )
