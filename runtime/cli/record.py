"""`homing record`: photos, a map, or video with telemetry into a flight history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from runtime.bundle import Bundle
from runtime.camera_model import CameraModel
from runtime.cli.output import emit, progress, say, warn
from runtime.embedder import Embedder
from runtime.errors import ImageError, UsageError
from runtime.history import History
from runtime.record.lens import ASSUMED_HFOV_DEG
from runtime.record.map_tiles import grid_of, open_map, record_tile, tiles_of, unusable
from runtime.record.photo import CameraFlags
from runtime.record.recorder import Recorded, Recorder
from runtime.record.survey import (
    ALREADY,
    PHOTO_MOVED,
    Skipped,
    Survey,
    complete,
    list_images,
    pairs_to_match,
    reasons_of,
    survey,
)
from runtime.record.survey import record as record_photos
from runtime.values import Keyframe

_THREADS = 2


def record(
    history: Annotated[Path, typer.Option(help="The flight history; made where there is none.")],
    images: Annotated[Path | None, typer.Option(help="A folder of photos with GPS tags.")] = None,
    map_file: Annotated[Path | None, typer.Option("--map", help="A georeferenced GeoTIFF.")] = None,
    tile_m: Annotated[float | None, typer.Option(help="Side of a tile of the map.")] = None,
    stride_m: Annotated[float | None, typer.Option(help="From one tile to the next.")] = None,
    video: Annotated[Path | None, typer.Option(help="A video of the flight.")] = None,
    telemetry: Annotated[Path | None, typer.Option(help="Its .SRT, .tlog, .BIN or .ulg.")] = None,
    time_offset_s: Annotated[float | None, typer.Option(help="Telemetry time at the video's first frame.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="The bundle; the one shipped by default.")] = None,
    camera_pitch_deg: Annotated[float | None, typer.Option(help="-90 looks straight down.")] = None,
    hfov_deg: Annotated[float | None, typer.Option(help="Field of view across the image's width.")] = None,
    height_agl_m: Annotated[float | None, typer.Option(help="Height above ground.")] = None,
    heading_deg: Annotated[float | None, typer.Option(help="Where the image's top points, from true north.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Record a flight, or a map, into a history; adding to one that is there is fine."""
    _one_source(images, map_file, video)
    flags = CameraFlags(camera_pitch_deg, hfov_deg, height_agl_m, heading_deg)
    if images is not None:
        kept, skipped = _record_images(images, history, bundle, flags)
    elif map_file is not None:
        kept, skipped = _record_map(map_file, history, bundle, tile_m, stride_m)
    else:
        raise UsageError("not yet.")
    if as_json:
        rows = [{"image": one.image, "reason": one.reason} for one in skipped]
        emit({"history": str(history), "keyframes": kept, "skipped": rows})
    else:
        say(f"{history}: {kept} keyframes recorded, {len(skipped)} images skipped.")
        for one in skipped:
            say(f"  {one.image}: {one.reason}")
    if kept == 0 and not all(one.reason == ALREADY for one in skipped):
        raise ImageError(f"Nothing could be recorded: {reasons_of(skipped)}.")


def _one_source(images: Path | None, map_file: Path | None, video: Path | None) -> None:
    if sum(source is not None for source in (images, map_file, video)) != 1:
        raise UsageError("Give one of --images, --map and --video.")


@contextmanager
def _opened(path: Path, bundle: Path | None) -> Iterator[tuple[History, Embedder]]:
    """The history, made where there is none, and the embedder that fits it."""
    loaded = Bundle.load(bundle)
    with History.append(path, loaded.embedding_space_id, loaded.name) as opened:
        yield opened, Embedder(loaded, threads=_THREADS)


def _record_images(
    folder: Path, path: Path, bundle: Path | None, flags: CameraFlags
) -> tuple[int, list[Skipped]]:
    images = list_images(folder)
    with _opened(path, bundle) as (history, embedder):
        ready = _surveyed(images, flags)
        flight = ready.flight(folder)
        camera = ready.photos[0].camera if ready.photos else CameraModel.from_hfov(1, 1, ASSUMED_HFOV_DEG)
        recorder = Recorder(history, embedder, camera, flight, moved=PHOTO_MOVED)
        kept, skipped = 0, list(ready.skipped)
        with progress("recording", len(ready.photos)) as steps:
            for outcome in record_photos(ready, recorder, _known(history, flight), steps.step):
                if isinstance(outcome, Recorded):
                    kept += 1
                else:
                    skipped.append(outcome)
    return kept, skipped


def _surveyed(images: list[Path], flags: CameraFlags) -> Survey:
    with progress("reading", len(images)) as steps:
        read = survey(images, flags, steps.step)
    pairs = pairs_to_match(read)
    if not pairs:
        return complete(read)
    with progress("matching overlaps", pairs) as steps:
        ready = complete(read, steps.step)
    if ready.solution is not None:
        warn(ready.solution.summary())
    return ready


def _known(history: History, flight: str) -> list[Keyframe]:
    """What the history already holds of this flight."""
    if flight not in history.flights():
        return []
    return [keyframe for keyframe in history.keyframes() if keyframe.flight == flight]


def _record_map(
    path: Path, history_path: Path, bundle: Path | None, tile_m: float | None, stride_m: float | None
) -> tuple[int, list[Skipped]]:
    kept, skipped = 0, []
    with open_map(path) as opened, _opened(history_path, bundle) as (history, embedder):
        grid = grid_of(opened.size_m, embedder.bundle, tile_m, stride_m)
        flight = f"map {path.name}"
        there = {keyframe.name for keyframe in _known(history, flight)}
        with progress(f"cutting tiles of {grid.tile_m:g} m", len(grid)) as steps:
            for tile in tiles_of(opened, grid):
                reason = ALREADY if tile.name in there else unusable(tile)
                if reason:
                    skipped.append(Skipped(tile.name, reason))
                else:
                    record_tile(tile, history, embedder, flight)
                    kept += 1
                steps.step()
    return kept, skipped
