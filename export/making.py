"""From what is to be exported to a bundle, and what is said of it: how large, how fast, how faithful."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import typer

from runtime.bundle import MANIFEST, Bundle, ModelFile
from runtime.embedder.embedder import Embedder, parity_images
from runtime.embedder.engine_build import build_engines
from runtime.embedder.onnx_cpu import OnnxCpu
from runtime.errors import EngineError, UsageError
from runtime.gpu.key import PROFILES
from runtime.values import ViewKind

_TIMED_RUNS = 30


def make(
    source: Path | None,
    out: Path,
    input_size: int | None,
    opset: int,
    batch: int,
    precisions: tuple[str, ...],
    towers: str | None,
    own_images: Path | None,
    calibration_images: Path | None,
) -> Bundle:
    """The bundle of what ``source`` names; None is the default.

    Raises:
        HomingError: it cannot be read, made, or shown to be faithful.
    """
    from export.assemble import assemble
    from export.parity_images import folder_of_images
    from export.recipes import again, default, trained

    if "int8" in precisions and calibration_images is None:
        raise UsageError("--int8 needs images of your own flights for its ranges: give --calibration-images DIR.")
    if source is None:
        recipe = default(input_size)
    elif source.is_dir() or source.name == MANIFEST:
        recipe = again(source if source.is_dir() else source.parent, input_size)
    else:
        recipe = trained(source, input_size)
    chosen = {view: recipe.towers[view] for view in _views(towers, tuple(recipe.towers))}
    crops = None
    if "int8" in precisions and calibration_images is not None:
        crops = folder_of_images(calibration_images, recipe.input_size_px, "--calibration-images")
    recipe = replace(recipe, towers=chosen, precisions=precisions, opset=opset, batch=batch, own_images=own_images,
                     calibration_crops=crops)  # fmt: skip
    return assemble(recipe, out)


def summary(bundle: Bundle) -> list[str]:
    """What was made, how large, how faithful, how fast, and the next command; lines for people."""
    manifest = bundle.manifest
    shape = "x".join(map(str, bundle.map_shape)) if bundle.map_shape else "none"
    lines = [
        f"bundle     {bundle.path}  ({manifest.name})",
        f"space      {manifest.embedding_space_id}",
        f"embedding  {bundle.embedding_dim}   map {shape}   crops {bundle.input_size_px} px",
    ]
    first = {model.file: view for view in reversed(bundle.views) for model in manifest.towers[view].values()}
    for file, view in sorted(first.items()):
        for precision, model in manifest.towers[view].items():
            if model.file == file:
                lines.append(_file_line(bundle, view, precision, model))
    lines.append(f"next       homing record --images PHOTOS --history flight.db --bundle {bundle.path}")
    return lines


def latency_ms(bundle: Bundle, view: ViewKind, precision: str, threads: int) -> float:
    """Median milliseconds of one crop on the CPU, after warm-up."""
    embedder = Embedder(bundle, threads, precision, backends=(OnnxCpu.name,))
    crop = parity_images(bundle)[:1]
    took = []
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        embedder.embed(view, crop)
        took.append(time.perf_counter() - start)
    return float(np.median(took)) * 1e3


def _file_line(bundle: Bundle, view: ViewKind, precision: str, model: ModelFile) -> str:
    latency = [latency_ms(bundle, view, precision, threads) for threads in (1, 2)]
    parity = model.parity
    return (
        f"{precision:10} {model.file}  {model.bytes / 1e6:.1f} MB  cosine >= {parity.cosine_min:.6f}, similarities "
        f"within {parity.similarity_change:.4f}, same nearest {parity.top1_share:.1%} of {parity.images} images"
        f"  {latency[0]:.1f} ms on 1 thread, {latency[1]:.1f} ms on 2 (CPU, batch 1)"
    )


def engines(bundle: Bundle) -> None:
    """Build the TensorRT engines of a bundle on this GPU, and say so.

    Raises:
        EngineError: there is no TensorRT or no GPU, or it cannot build; the bundle stays.
    """
    try:
        for line in build_engines(bundle, None, PROFILES["flight"], typer.echo):
            typer.echo(line)
    except EngineError as error:
        raise EngineError(
            f"{error} The bundle {bundle.path} is complete without engines and runs on {OnnxCpu.name} meanwhile."
        ) from error


def _views(towers: str | None, there: tuple[ViewKind, ...]) -> tuple[ViewKind, ...]:
    if towers is None:
        return there
    named = [name.strip() for name in towers.split(",") if name.strip()]
    unknown = [name for name in named if name not in [view.value for view in there]]
    if unknown or not named:
        have = ", ".join(view.value for view in there)
        raise UsageError(f"--towers {towers}: there is no {unknown[0] if unknown else 'view named'}, only {have}.")
    return tuple(view for view in there if view.value in named)
