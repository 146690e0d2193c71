"""`homing history merge|prune|compact|coverage`: histories put together, made smaller, and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from matplotlib.figure import Figure

from runtime.cli.output import emit, progress, say
from runtime.config.config import load_config
from runtime.counted import counted
from runtime.errors import HistoryError, StorageError, UsageError
from runtime.history.compact import compact as make_compact
from runtime.history.compose import compose
from runtime.history.covered import covered_cells
from runtime.history.history import History
from runtime.history.thin import kept
from runtime.report.coverage import draw_coverage
from runtime.report.figures import write_png

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The flight history.")]
_Json = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]


def merge(
    out: Annotated[Path, typer.Argument(metavar="NEW", help="The history to be made.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The histories to be put into it.")],
    as_json: _Json = False,
) -> None:
    """Put several histories into a new one; a picture that two of them hold is kept once."""
    with progress("histories", len(files)) as steps:
        done = compose(out, files, step=steps.step)
    if as_json:
        emit({"history": str(out), "keyframes": done.keyframes, "repeated": done.repeated})
        return
    left_out = f"; {counted(done.repeated, 'keyframe')} of pictures that were there already left out"
    again = left_out if done.repeated else ""
    say(f"{out}: {counted(done.keyframes, 'keyframe')} of {len(files)} histories{again}.")


def prune(
    file: _File,
    out: Annotated[Path, typer.Option(help="The history to be made; FILE stays as it is.")],
    without: Annotated[list[str] | None, typer.Option("--without-flight", help="A flight to leave out.")] = None,
    apart_m: Annotated[float, typer.Option(min=0.0, help="Of keyframes nearer than this the newer stays.")] = 0.0,
    as_json: _Json = False,
) -> None:
    """Make a smaller history: without some flights, or with fewer keyframes of the same ground."""
    dropped = frozenset(without or ())
    with History.open(file) as history:
        before, unknown = len(history), dropped - set(history.flights())
    if unknown:
        raise UsageError(f"{file} holds no flight {', '.join(sorted(unknown))}; `homing history info` names them.")
    if not dropped and apart_m == 0.0:
        raise UsageError("say what to leave out: --without-flight NAME, or --apart-m METRES.")
    done = compose(out, [file], lambda reader: kept(reader, dropped, apart_m))
    if as_json:
        emit({"history": str(out), "keyframes": done.keyframes, "before": before})
        return
    say(f"{out}: {done.keyframes} of {counted(before, 'keyframe')}.")


def compact(
    file: _File,
    out: Annotated[Path, typer.Option(help="The history to be made; FILE stays as it is.")],
    as_json: _Json = False,
) -> None:
    """Make a smaller history that remembers all: each map's picture once, spatial maps packed, photos as they are."""
    with History.open(file) as history:
        steps_ahead = 2 * len(history)
    with progress("compacting", max(steps_ahead, 1)) as steps:
        done = make_compact(file, out, steps.step)
    if as_json:
        sizes = {"bytes_before": done.bytes_before, "bytes": done.bytes_after}
        emit({"history": str(out), "keyframes": done.keyframes, "cut_from_pictures": done.cut, **sizes})
        return
    sizes_mb = f"{done.bytes_before / 1e6:.1f} MB became {done.bytes_after / 1e6:.1f}"
    say(f"{out}: {counted(done.keyframes, 'keyframe')}, {done.cut} cut from pictures of maps; {sizes_mb}.")


def coverage(
    file: _File,
    out: Annotated[Path, typer.Option(help="The picture, a .png.")] = Path("coverage.png"),
    config: Annotated[Path | None, typer.Option(help="A configuration: the polygon of its [commanding].")] = None,
    as_json: _Json = False,
) -> None:
    """Draw where the drone would know itself: how many keyframes show each piece of ground."""
    area = None if config is None else load_config(config).commanding.area
    with History.open(file) as history:
        covered = history.coverage()
    if not len(covered):
        raise HistoryError(f"{file} holds no keyframe.")
    cells = covered_cells(covered)
    share = None if area is None else cells.share_of(area.about(cells.south_west))
    said = f"{cells.area_m2() / 1e4:.1f} ha shown by one keyframe, {cells.area_m2(3) / 1e4:.1f} ha by three"
    _draw(out, draw_coverage(cells, () if area is None else area.corners, f"{file.name}: {said}"))
    if as_json:
        areas = {f"area_{number}_m2": cells.area_m2(number) for number in (1, 3)}
        emit({"history": str(file), **areas, "of_polygon": share, "picture": str(out)})
        return
    say(f"{file}: {said}" + (f"; {share:.0%} of the operator's polygon" if share is not None else "") + f"; {out}")


def _draw(out: Path, figure: Figure) -> None:
    try:
        write_png(figure, out)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror or error}.") from None
