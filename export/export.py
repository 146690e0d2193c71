"""Makes the bundle that flies: ``python export/export.py [CHECKPOINT|BUNDLE] [--fp16]``, with or without install."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

if not __package__:  # run as a file: the checkout root, not this folder, leads the path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
import typer

from runtime.bundle import MANIFEST, Bundle, ModelFile
from runtime.cli.missing import missing_library
from runtime.embedder.embedder import Embedder, parity_images
from runtime.embedder.engine_build import build_engines
from runtime.embedder.onnx_cpu import OnnxCpu
from runtime.errors import EngineError, HomingError, UsageError
from runtime.gpu.key import PROFILES
from runtime.values import ViewKind

_TIMED_RUNS = 30


def export(
    source: Annotated[
        Path | None,
        typer.Argument(help="A checkpoint of homing-train, or a bundle; default: the towers that ship."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory of the bundle; one already there is replaced.")] = Path("bundle"),
    fp16: Annotated[bool, typer.Option("--fp16", help="Also a typed float16 file, for GPUs.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Also an eight-bit file, by --calibration-images.")] = False,
    calibration_images: Annotated[
        Path | None, typer.Option(help="Folder of your own photos, for the ranges of --int8.")
    ] = None,
    parity_images: Annotated[
        Path | None, typer.Option(help="Folder of your own photos, to compare every engine on as well.")
    ] = None,
    tensorrt: Annotated[bool, typer.Option("--tensorrt", help="Then build TensorRT engines on this GPU.")] = False,
    towers: Annotated[str | None, typer.Option(help="Views to export, with commas; default: all there are.")] = None,
    batch: Annotated[int, typer.Option(help="Largest batch that parity is shown at.")] = 32,
    input_size: Annotated[int | None, typer.Option(help="Side of the crops in pixels, a multiple of 64.")] = None,
    opset: Annotated[int, typer.Option(help="ONNX opset, 18 to 23.")] = 18,
) -> None:
    """Make a bundle and say how large, how fast and how faithful it is."""
    _check(input_size, opset, batch)
    try:
        bundle = make(source, out, input_size, opset, batch, _asked(fp16, int8), towers, parity_images,
                      calibration_images)  # fmt: skip
    except ModuleNotFoundError as error:
        raise missing_library(error, "cpu,export") from error
    for line in summary(bundle):
        typer.echo(line)
    if tensorrt:
        _engines(bundle)


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
    """The bundle of what ``source`` names; None is the default."""
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


def _engines(bundle: Bundle) -> None:
    try:
        for line in build_engines(bundle, None, PROFILES["flight"], typer.echo):
            typer.echo(line)
    except EngineError as error:
        raise EngineError(
            f"{error} The bundle {bundle.path} is complete without engines and runs on {OnnxCpu.name} meanwhile."
        ) from error


def _asked(fp16: bool, int8: bool) -> tuple[str, ...]:
    return ("fp32", *(("fp16",) if fp16 else ()), *(("int8",) if int8 else ()))


def _views(towers: str | None, there: tuple[ViewKind, ...]) -> tuple[ViewKind, ...]:
    if towers is None:
        return there
    named = [name.strip() for name in towers.split(",") if name.strip()]
    unknown = [name for name in named if name not in [view.value for view in there]]
    if unknown or not named:
        have = ", ".join(view.value for view in there)
        raise UsageError(f"--towers {towers}: there is no {unknown[0] if unknown else 'view named'}, only {have}.")
    return tuple(view for view in there if view.value in named)


def _check(input_size: int | None, opset: int, batch: int) -> None:
    if input_size is not None and (input_size % 64 or not 64 <= input_size <= 512):
        raise UsageError(f"--input-size {input_size} must be a multiple of 64 from 64 to 512.")
    if not 18 <= opset <= 23:
        raise UsageError(f"--opset {opset} must be from 18 to 23: TensorRT 10.3 reads no newer one reliably.")
    if not 1 <= batch <= 256:
        raise UsageError(f"--batch {batch} must be from 1 to 256.")


def main() -> None:
    """Entry point: one sentence on stderr and the error's exit status, never a traceback."""
    try:
        typer.run(export)
    except HomingError as error:
        typer.echo(f"homing-export: {error}", err=True)
        raise SystemExit(error.exit_status) from error


if __name__ == "__main__":
    main()
