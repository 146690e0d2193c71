"""`homing history`: what is in a flight history, its track for other programs, its repair, and a new bundle for it."""

from __future__ import annotations

import math
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.bundle import Bundle
from runtime.cli.history_made import compact, coverage, merge, prune
from runtime.cli.output import emit, progress, say
from runtime.counted import counted
from runtime.embedder.embedder import Embedder
from runtime.errors import HistoryError, UsageError
from runtime.history.export import as_geojson, as_gpx, as_kml
from runtime.history.history import History
from runtime.history.reembed import reembed as embed_again
from runtime.history.repair import repair as repair_history
from runtime.history.verify import KEYFRAME, examine, kinds_of
from runtime.values import Keyframe, Measured
from runtime.whole_file import write_whole

history_app = typer.Typer(name="history", help="Look into a flight history.", no_args_is_help=True)
for _command in (merge, prune, compact, coverage):
    history_app.command()(_command)

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The flight history.")]
_Json = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]


class ExportFormat(str, Enum):
    """What other programs read."""

    GEOJSON = "geojson"
    KML = "kml"
    GPX = "gpx"


_WRITERS = {ExportFormat.GEOJSON: as_geojson, ExportFormat.KML: as_kml, ExportFormat.GPX: as_gpx}


@history_app.command()
def info(file: _File, as_json: _Json = False) -> None:
    """How much it holds, of what, and in which embedding space."""
    with History.open(file) as history:
        record: dict[str, Any] = {
            "history": str(file),
            "keyframes": len(history),
            "flights": list(history.flights()),
            "views": {view.value: len(history.ids(view)) for view in history.views()},
            "footprints_m": {view.value: list(history.footprints(view)) for view in history.views()},
            "embedding_space_id": history.embedding_space_id,
            "bundle": history.bundle_name,
            "bytes": file.stat().st_size,
        }
    if as_json:
        emit(record)
        return
    views = ", ".join(f"{count} {view}" for view, count in record["views"].items()) or "none"
    say(f"{file}: {counted(record['keyframes'], 'keyframe')} ({views}) of {counted(len(record['flights']), 'flight')}.")
    for view, rungs in record["footprints_m"].items():
        say(f"  {view} embedded at {', '.join(f'{rung:g}' for rung in rungs)} m")
    say(f"  embedding space {record['embedding_space_id']} (bundle {record['bundle']}), {record['bytes']} bytes")


@history_app.command("list")
def list_keyframes(file: _File, as_json: _Json = False) -> None:
    """One line for each keyframe."""
    with History.open(file) as history:
        for keyframe in history.keyframes(crops=False):
            if as_json:
                emit(_record(keyframe))
            else:
                ground, name = keyframe.ground, f" {_printable(keyframe.name)}" if keyframe.name else ""
                where = f"{ground.latitude_deg:.7f}, {ground.longitude_deg:.7f} ± {keyframe.ground_sigma_m:.1f} m"
                what = f"{keyframe.view.value} {keyframe.footprint_m:.0f} m"
                say(f"{keyframe.keyframe_id} {_printable(keyframe.flight)}{name}: {what} at {where}")


@history_app.command()
def export(
    file: _File,
    out: Annotated[Path | None, typer.Option(help="The file to write; stdout by default.")] = None,
    kind: Annotated[
        ExportFormat | None, typer.Option("--format", help="By default what OUT ends in, else GeoJSON.")
    ] = None,
) -> None:
    """The keyframes and the track as GeoJSON, KML or GPX."""
    if kind is None:
        ending = out.suffix[1:].lower() if out is not None else ""
        kind = ExportFormat(ending) if ending in [one.value for one in ExportFormat] else ExportFormat.GEOJSON
    with History.open(file) as history:
        text = _WRITERS[kind](list(history.keyframes(crops=False)), file.stem)
    if out is not None and out.exists() and out.samefile(file):
        raise UsageError(f"{out} is the history itself; give --out another name.")
    if out is None:
        say(text)
        return
    write_whole(out, text.encode())


@history_app.command()
def verify(
    file: _File,
    repair: Annotated[bool, typer.Option("--repair", help="Take what is wrong out, into a file beside it.")] = False,
    as_json: _Json = False,
) -> None:
    """Hold every row against what may enter a history; exit status 1 where something is wrong and stays there."""
    count, faults = examine(file)
    kept_in = None
    if repair and faults:
        done = repair_history(file)
        faults, kept_in = list(done.faults), done.kept_in
    kinds = kinds_of(faults)
    gone = sum(kind.count for kind in kinds if kind.table == KEYFRAME) if repair else 0
    if as_json:
        rows = [
            {"table": kind.table, "reason": kind.reason, "count": kind.count, "keyframe": kind.keyframe_id}
            for kind in kinds
        ]
        removed = None if kept_in is None else str(kept_in)
        emit({"history": str(file), "keyframes": count - gone, "faults": rows, "removed": removed})
    else:
        for kind in kinds:
            say(f"  {kind.count} of table {kind.table}, the first of keyframe {kind.keyframe_id}: {kind.reason}")
        taken = f"; {_taken_out(len(faults))} kept in {kept_in}" if kept_in is not None else ""
        left = counted(count - gone, "keyframe")
        say(f"{file}: {left}, {'nothing' if not faults or repair else len(faults)} wrong{taken}.")
    if faults and not repair:
        found = counted(len(faults), "fault")
        raise HistoryError(f"{file}: {found}; `homing history verify --repair {file}` takes out what is wrong.")


@history_app.command()
def reembed(
    file: _File,
    bundle: Annotated[Path | None, typer.Option(help="The bundle to move to; the one shipped by default.")] = None,
    as_json: _Json = False,
) -> None:
    """Embed all crops again, for a bundle of another embedding space."""
    loaded = Bundle.load(bundle)
    with History.open(file, write=True) as history:
        with progress("embedding again", len(history)) as steps:
            count = embed_again(history, Embedder(loaded, bulk=True), steps.step)
        keyframes = len(history)
    if as_json:
        space = loaded.embedding_space_id
        emit({"history": str(file), "keyframes": keyframes, "embeddings": count, "embedding_space_id": space})
    else:
        made = counted(count, "embedding")
        say(f"{file}: {counted(keyframes, 'keyframe')} embedded again by {loaded.name} ({made}).")


def _printable(name: str) -> str:
    """A name on one line, without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)


def _taken_out(number: int) -> str:
    return f"{counted(number, 'fault')} {'was taken out, and is' if number == 1 else 'were taken out, and are'}"


def _record(keyframe: Keyframe) -> dict[str, Any]:
    pose, said = keyframe.pose, keyframe.track_point
    return {
        "keyframe": keyframe.keyframe_id,
        "flight": keyframe.flight,
        "view": keyframe.view.value,
        "name": keyframe.name,
        "t_ns": pose.t_ns,
        "latitude_deg": None if said is None else said.latitude_deg,
        "longitude_deg": None if said is None else said.longitude_deg,
        "ground_latitude_deg": keyframe.ground.latitude_deg,
        "ground_longitude_deg": keyframe.ground.longitude_deg,
        "ground_sigma_m": keyframe.ground_sigma_m,
        "footprint_m": keyframe.footprint_m,
        "altitude_amsl_m": _value(pose.altitude_amsl_m),
        "height_takeoff_m": _value(pose.height_takeoff_m),
        "height_agl_m": _value(pose.height_agl_m),
        "heading_deg": None if pose.heading is None else math.degrees(pose.heading.value) % 360.0,
        "heading_source": None if pose.heading is None else pose.heading.source,
    }


def _value(quantity: Measured | None) -> float | None:
    return None if quantity is None else quantity.value
