"""Makes the bundle that flies: ``python export/export.py [--fp16] [--out DIR]``, with or without install."""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from typing import Annotated

if not __package__:  # run as a file: the checkout root, not this folder, leads the path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
import typer

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder, parity_images
from runtime.errors import HomingError, UsageError
from runtime.values import ViewKind

FOOTPRINTS_M = (20.0, 28.0, 40.0, 56.0, 80.0, 112.0, 160.0, 224.0)  # by the square root of two, rounded
BACKBONES = ("efficientnet-lite0",)
_TIMED_RUNS = 30


def export(
    out: Annotated[Path, typer.Option(help="Directory of the bundle; one already there is replaced.")] = Path(
        "bundle"
    ),
    fp16: Annotated[bool, typer.Option("--fp16", help="Also a float16 file, for GPUs.")] = False,
    backbone: Annotated[str, typer.Option(help=f"One of {', '.join(BACKBONES)}.")] = BACKBONES[0],
    head: Annotated[Path | None, typer.Option(help="Head weights; default: those fitted for the backbone.")] = None,
    input_size: Annotated[int, typer.Option(help="Side of the crops in pixels, a multiple of 32.")] = 256,
    opset: Annotated[int, typer.Option(help="ONNX opset.")] = 18,
) -> None:
    """Make a bundle from the pretrained weights and say how large, how fast and how faithful it is."""
    if backbone not in BACKBONES:
        raise UsageError(f"there is no backbone {backbone}: choose {', '.join(BACKBONES)}.")
    if input_size % 64 or not 64 <= input_size <= 512:
        raise UsageError(f"--input-size {input_size} must be a multiple of 64 from 64 to 512.")
    try:
        bundle = make(out, head, input_size, opset, ("fp32", "fp16") if fp16 else ("fp32",))
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed: pip install homing[export]") from error
    for line in summary(bundle):
        typer.echo(line)


def make(out: Path, head: Path | None, input_size: int, opset: int, precisions: tuple[str, ...]) -> Bundle:
    """The default bundle: one EfficientNet-Lite0 tower for both views, with a fitted layout head."""
    from export.assemble import Recipe, assemble
    from train.tower import HEADS, HeadWeights, LayoutHead, Tower
    from train.weights import lite0_imagenet

    path = head if head is not None else HEADS / "efficientnet-lite0.npy"
    weights = HeadWeights.load(path)
    checkpoint = lite0_imagenet((weights.depth,))
    tower = Tower(checkpoint.backbone, LayoutHead(weights), weights.depth)
    head_digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recipe = Recipe(
        name="efficientnet-lite0-layout",
        licence=checkpoint.licence,
        embedding_space_id=f"{checkpoint.name}.{checkpoint.digest[:8]}.{input_size}px.layout.{head_digest[:8]}",
        input_size_px=input_size,
        footprints_m=FOOTPRINTS_M,
        towers={ViewKind.DRONE: tower, ViewKind.SATELLITE: tower},
        precisions=precisions,
        opset=opset,
        training={
            "backbone": f"{checkpoint.name}, ImageNet-1k, sha256 {checkpoint.digest}",
            "head": f"untrained: features behind block {weights.depth}; vector of {weights.cells}x{weights.cells} "
            f"cells; map centred per crop and whitened to {len(weights.projection)} channels; sha256 {head_digest}",
        },
    )
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
    view = bundle.views[0]
    for precision, model in manifest.towers[view].items():
        latency = [latency_ms(bundle, view, precision, threads) for threads in (1, 2)]
        lines.append(
            f"{precision:10} {model.file}  {model.bytes / 1e6:.1f} MB  cosine >= {model.parity.cosine_min:.6f}"
            f"  {latency[0]:.1f} ms on 1 thread, {latency[1]:.1f} ms on 2 (CPU, batch 1)"
        )
    lines.append(f"next       homing record --images PHOTOS --history flight.db --bundle {bundle.path}")
    return lines


def latency_ms(bundle: Bundle, view: ViewKind, precision: str, threads: int) -> float:
    """Median milliseconds of one crop, after warm-up."""
    embedder = Embedder(bundle, threads, precision)
    crop = parity_images(bundle)[:1]
    took = []
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        embedder.embed(view, crop)
        took.append(time.perf_counter() - start)
    return float(np.median(took)) * 1e3


def main() -> None:
    """Entry point: one sentence on stderr and the error's exit status, never a traceback."""
    try:
        typer.run(export)
    except HomingError as error:
        typer.echo(f"homing-export: {error}", err=True)
        raise SystemExit(error.exit_status) from error


if __name__ == "__main__":
    main()
