"""`homing calibrate board|pattern|flight`: the lens of a camera, from a film of a board; and its mount."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from runtime.calibration.board import Board, Corners
from runtime.calibration.intrinsics import Intrinsics, solve
from runtime.camera.folder import image_files
from runtime.cli.calibrate_flight import flight
from runtime.cli.output import emit, progress, say, warn
from runtime.errors import CalibrationError, ImageError, StorageError, UsageError
from runtime.report.calibration import draw_calibration
from runtime.report.figures import write_png
from runtime.sources.video import open_video
from runtime.values import ImageRGB
from runtime.whole_file import write_whole

calibrate_app = typer.Typer(
    name="calibrate", help="The lens of a camera, its mount and its delay.", no_args_is_help=True
)
calibrate_app.command()(flight)

_MOST_FRAMES = 400  # looked at: a minute at 7 Hz, which takes some 20 s
BoardOption = Annotated[
    str, typer.Option("--board", help="charuco:7x5:30mm[:22mm[:DICT_5X5_1000]] or checker:9x6:25mm; sides in squares.")
]


@calibrate_app.command()
def board(
    name: BoardOption,
    video: Annotated[Path | None, typer.Option(help="A film of the board, moved and tilted all over it.")] = None,
    images: Annotated[Path | None, typer.Option(help="Or a folder of pictures of it.")] = None,
    out: Annotated[Path, typer.Option(help="Where the camera goes, as a [camera] section.")] = Path("camera.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Solve focal length, centre and distortion; a picture of what is left over is drawn beside the result."""
    pattern = Board.named(name)
    if (video is None) == (images is None):
        raise UsageError("give either --video or --images.")
    found, size_px, looked_at = _found(pattern, _film(video) if video is not None else _folder(images or Path()))
    lens = solve(found, size_px)
    _write(out, lens)
    picture = out.with_name(f"{out.stem}_residuals.png")
    write_png(draw_calibration(lens), picture)
    for warning in lens.warnings:
        warn(warning)
    if as_json:
        emit({**_answer(lens), "seen": len(found), "looked_at": looked_at, "out": str(out), "picture": str(picture)})
        return
    say(f"{out}: fx {lens.fx_px:.1f} ± {lens.sigma_px[0]:.1f}, fy {lens.fy_px:.1f} ± {lens.sigma_px[1]:.1f}, "
        f"centre {lens.cx_px:.1f}, {lens.cy_px:.1f} px")  # fmt: skip
    say(f"the board was seen in {len(found)} of {looked_at} pictures; {len(lens.errors_px)} views were used")
    say(f"off by     {lens.rms_px:.2f} px, and {lens.predicted_px:.2f} px on views that were kept back")
    say(f"picture    {picture}")


@calibrate_app.command()
def pattern(
    name: BoardOption,
    out: Annotated[Path, typer.Option(help="The picture, a .png to be printed without scaling to the page.")],
    dpi: Annotated[int, typer.Option(min=50, max=1200, help="Of the printer.")] = 300,
) -> None:
    """Draw a board to be printed, at its true size; glue it to something flat."""
    wanted = Board.named(name)
    margin = round(wanted.square_m / 0.0254 * dpi)
    image = np.pad(wanted.drawn(margin), margin, constant_values=255)
    if not cv2.imwrite(str(out), image):
        raise StorageError(f"{out} cannot be written; its folder must be there, and its name end with .png.")
    say(f"{out}: print it at {dpi} dots per inch; one square is {wanted.square_m * 1e3:g} mm: measure it")


def _found(pattern: Board, pictures: Iterator[ImageRGB]) -> tuple[list[Corners], tuple[int, int], int]:
    found, size_px, looked_at = [], (0, 0), 0
    for image in pictures:
        looked_at += 1
        here = (image.shape[1], image.shape[0])
        if size_px not in ((0, 0), here):
            sizes = f"{size_px[0]}x{size_px[1]} and of {here[0]}x{here[1]}"
            raise CalibrationError(f"pictures of {sizes} are of two lenses.")
        size_px = here
        corners = pattern.corners(image)
        if corners is not None:
            found.append(corners)
    return found, size_px, looked_at


def _film(path: Path) -> Iterator[ImageRGB]:
    """At most `_MOST_FRAMES` of a film, evenly spaced."""
    with open_video(path) as film:
        every = max(1, round(film.frames / _MOST_FRAMES))
        with progress("frames", max(1, film.frames // every)) as steps:
            for number, _ in film.times():
                if number % every == 0:
                    steps.step()
                    image = film.image()
                    if image is not None:
                        yield image


def _folder(path: Path) -> Iterator[ImageRGB]:
    if not path.is_dir():
        raise ImageError(f"{path}: is no folder of pictures.")
    files = image_files(path)
    with progress("pictures", max(1, len(files))) as steps:
        for file in files:
            steps.step()
            image = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if image is None:
                warn(f"{file}: cannot be read, left out.")
            else:
                yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _write(out: Path, lens: Intrinsics) -> None:
    distortion = ", ".join(f"{value:.6f}" for value in lens.distortion)
    lines = [
        "# A calibrated lens: for [camera] of the daemon's configuration, and for --camera of record, fix and track.",
        "[camera]",
        f"width_px = {lens.width_px}",
        f"height_px = {lens.height_px}",
        f"fx_px = {lens.fx_px:.3f}   # 1-sigma {lens.sigma_px[0]:.2f}",
        f"fy_px = {lens.fy_px:.3f}   # 1-sigma {lens.sigma_px[1]:.2f}",
        f"cx_px = {lens.cx_px:.3f}   # 1-sigma {lens.sigma_px[2]:.2f}",
        f"cy_px = {lens.cy_px:.3f}   # 1-sigma {lens.sigma_px[3]:.2f}",
        f"distortion = [{distortion}]   # off by {lens.predicted_px:.2f} px",
    ]
    write_whole(out, "".join(f"{line}\n" for line in lines).encode())


def _answer(lens: Intrinsics) -> dict[str, object]:
    return {
        "width_px": lens.width_px, "height_px": lens.height_px, "fx_px": lens.fx_px, "fy_px": lens.fy_px,
        "cx_px": lens.cx_px, "cy_px": lens.cy_px, "distortion": list(lens.distortion),
        "sigma_px": list(lens.sigma_px), "rms_px": lens.rms_px, "predicted_px": lens.predicted_px,
        "views": len(lens.errors_px), "cover": lens.cover, "tilt_deg": lens.tilt_deg, "warnings": list(lens.warnings),
    }  # fmt: skip
