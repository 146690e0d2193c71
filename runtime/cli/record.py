"""`homing record`: photos, a map, or video with telemetry into a flight history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from runtime.bundle import Bundle
from runtime.cli.output import emit, progress, say, warn
from runtime.embedder.embedder import Embedder
from runtime.errors import ImageError, KeyframeRefusedError, UsageError
from runtime.history.history import History
from runtime.record.map_tiles import Tile, grid_of, open_map, record_tile, tiles_of, unusable
from runtime.record.recorder import MOVED, Recorded, Recorder
from runtime.record.surveyed import ALREADY, PHOTO_MOVED, photo_reader, reasons_of, refuse_useless_views
from runtime.record.surveyed import record as record_photos
from runtime.sources.lens import ASSUMED_HFOV_DEG
from runtime.sources.logs.choice import Asked
from runtime.sources.photo import CameraFlags
from runtime.sources.subtitles.order import Order
from runtime.sources.telemetry import Telemetry, read_telemetry
from runtime.sources.video import Filmed, lens_of_video, open_video
from runtime.survey.survey import Skipped, Survey, Surveyed, complete, list_images, pairs_to_match, survey
from runtime.survey.video import frame_reader, gathered, survey_video
from runtime.values import Frame, Keyframe

_THREADS = 2
_INTERRUPTED = 130  # as the shell counts SIGINT


def record(
    history: Annotated[Path, typer.Option(help="The flight history; made where there is none.")],
    images: Annotated[Path | None, typer.Option(help="A folder of photos with GPS tags.")] = None,
    map_file: Annotated[Path | None, typer.Option("--map", help="A georeferenced GeoTIFF.")] = None,
    tile_m: Annotated[float | None, typer.Option(help="Side of a tile of the map.")] = None,
    stride_m: Annotated[float | None, typer.Option(help="From one tile to the next.")] = None,
    video: Annotated[Path | None, typer.Option(help="A video of the flight.")] = None,
    telemetry: Annotated[Path | None, typer.Option(help="Its .SRT, .tlog, .BIN, .log or .ulg.")] = None,
    vehicle: Annotated[int | None, typer.Option(help="Which vehicle of a .tlog; the longest flight's.")] = None,
    boot: Annotated[int | None, typer.Option(help="Which boot in the log, from 1; the longest.")] = None,
    time_offset_s: Annotated[float | None, typer.Option(help="From the log's first report to the first frame.")] = None,
    gps_order: Annotated[Order | None, typer.Option(help="Order in subtitles' GPS(..., ...) that do not tell.")] = None,
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
    try:
        if images is not None:
            kept, skipped = _record_images(images, history, bundle, flags)
        elif map_file is not None:
            kept, skipped = _record_map(map_file, history, bundle, tile_m, stride_m)
        else:
            assert video is not None
            said = _telemetry(telemetry, gps_order, Asked(vehicle, boot))
            kept, skipped = _record_video(video, said, time_offset_s or 0.0, history, bundle, flags)
    except KeyboardInterrupt:
        warn(f"Interrupted; what was recorded is kept in {history}, and the same command goes on from there.")
        raise typer.Exit(_INTERRUPTED) from None
    _tell(history, kept, skipped, as_json)
    if kept == 0 and not any(one.reason == ALREADY for one in skipped):
        raise ImageError(f"Nothing could be recorded: {reasons_of(skipped)}.")


def _tell(history: Path, kept: int, skipped: list[Skipped], as_json: bool) -> None:
    if as_json:
        rows = [{"image": one.image, "reason": one.reason} for one in skipped]
        emit({"history": str(history), "keyframes": kept, "skipped": rows})
        return
    say(f"{history}: {kept} keyframes recorded, {len(skipped)} images skipped.")
    for one in skipped:
        say(f"  {one.image}: {one.reason}")


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
    with _opened(path, bundle) as opened:
        with progress("reading", len(images)) as steps:
            read = survey(images, flags, steps.step)
        ready = _completed(read)
        return _recorded(ready, ready.flight(folder), PHOTO_MOVED, photo_reader(folder), opened)


def _telemetry(path: Path | None, gps_order: Order | None, asked: Asked) -> Telemetry:
    if path is None:
        raise UsageError("A video needs --telemetry, the .SRT, .tlog, .BIN, .log or .ulg of its flight.")
    said = read_telemetry(path, gps_order, asked)
    for note in said.notes:
        warn(note)
    return said


def _record_video(
    path: Path, said: Telemetry, offset_s: float, history: Path, bundle: Path | None, flags: CameraFlags
) -> tuple[int, list[Skipped]]:
    with open_video(path) as video:
        lens = lens_of_video(video.size_px, said.focal, flags)
        if not lens.known:
            _assumed(path.name)
        filmed = Filmed(said.track, offset_s, lens, flags)
        refuse_useless_views(filmed.sampled(video.length_s), Bundle.load(bundle), str(path))
        with progress("reading", max(video.frames, 1)) as steps:
            read = survey_video(video, filmed, steps.step)
    with _opened(history, bundle) as opened, open_video(path) as video:
        kept, skipped = _recorded(_completed(read), path.name, MOVED, frame_reader(video), opened)
    return kept, gathered(skipped, path)


def _completed(read: Survey) -> Survey:
    if read.assumed_lens:
        _assumed(read.assumed_lens)
    pairs = pairs_to_match(read)
    if not pairs:
        return complete(read)
    with progress("matching overlaps", pairs) as steps:
        ready = complete(read, steps.step)
    if ready.solution is not None:
        warn(ready.solution.summary())
    if ready.turned:
        warn(
            f"{len(ready.turned)} photos ({ready.turned[0]} and on) are turned against their recorded heading; "
            "the heading that their overlaps show is used."
        )
    return ready


def _assumed(name: str) -> None:
    warn(f"{name}: its field of view is not recorded; {ASSUMED_HFOV_DEG:g} deg is assumed, --hfov-deg says better.")


def _recorded(
    ready: Survey,
    flight: str,
    moved: float,
    read: Callable[[Surveyed], Frame],
    opened: tuple[History, Embedder],
) -> tuple[int, list[Skipped]]:
    """Keyframes added, and what was left out."""
    history, embedder = opened
    kept, skipped = 0, list(ready.skipped)
    if not ready.photos:
        return kept, skipped
    recorder = Recorder(history, embedder, ready.photos[0].camera, flight, moved=moved)
    with progress("recording", len(ready.photos)) as steps:
        for outcome in record_photos(ready, recorder, read, _known(history, flight), steps.step):
            if isinstance(outcome, Recorded):
                kept += 1
            else:
                skipped.append(outcome)
    return kept, skipped


def _known(history: History, flight: str) -> list[Keyframe]:
    """What the history already holds of this flight."""
    if flight not in history.flights():
        return []
    return [keyframe for keyframe in history.keyframes(crops=False) if keyframe.flight == flight]


def _tile_refused(tile: Tile, history: History, embedder: Embedder, flight: str) -> str:
    """Records a tile; why not, where it was not."""
    if reason := unusable(tile):
        return reason
    try:
        record_tile(tile, history, embedder, flight)
    except KeyframeRefusedError as error:
        return error.reason
    return ""


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
                reason = ALREADY if tile.name in there else _tile_refused(tile, history, embedder, flight)
                if reason:
                    skipped.append(Skipped(tile.name, reason))
                kept += not reason
                steps.step()
    return kept, skipped
