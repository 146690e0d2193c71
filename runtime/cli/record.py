"""`homing record`: photos, a map, or video with telemetry into a flight history."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from runtime.bundle import Bundle
from runtime.cli.film import FilmFile
from runtime.cli.flight_log import read_camera, read_photo_log
from runtime.cli.left_out import tell
from runtime.cli.output import progress, warn
from runtime.cli.record_images import record_images
from runtime.cli.record_map import record_map
from runtime.cli.recording import by_terrain, completed, opened, recorded
from runtime.cli.source_options import check_options
from runtime.errors import ImageError
from runtime.record.map_plan import HEIGHTS_M, MOST_TILES
from runtime.record.map_record import MapOptions
from runtime.record.recorder import MOVED
from runtime.record.surveyed import ALREADY, reasons_of, refuse_useless_views
from runtime.sources.logs.choice import Asked
from runtime.sources.photo import CameraFlags
from runtime.sources.subtitles.order import Order
from runtime.sources.video import Filmed
from runtime.survey.survey import Skipped, Survey
from runtime.survey.video import frame_reader, gathered, survey_video
from runtime.terrain import Datum

_INTERRUPTED = 130  # as the shell counts SIGINT


def record(
    context: typer.Context,
    history: Annotated[Path, typer.Option(help="The flight history; made where there is none.")],
    images: Annotated[Path | None, typer.Option(help="A folder of photos with GPS tags, or with --telemetry.")] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Read the photos of the folders in it too.")] = False,
    map_file: Annotated[Path | None, typer.Option("--map", help="A georeferenced map, or a URL of one.")] = None,
    tile_m: Annotated[float | None, typer.Option(help="Side of a tile of the map.")] = None,
    stride_m: Annotated[float | None, typer.Option(help="From one tile to the next.")] = None,
    max_tiles: Annotated[int, typer.Option(min=1, help="A map that needs more tiles is refused.")] = MOST_TILES,
    heights: Annotated[
        tuple[float, float], typer.Option(metavar="LOW HIGH", help="Above ground in metres, of flights over the map.")
    ] = HEIGHTS_M,
    jobs: Annotated[int, typer.Option(min=0, help="Processes that embed a map; 0: one for each core.")] = 0,
    cluster: Annotated[str | None, typer.Option(help="A Dask scheduler whose workers embed a map, or: local.")] = None,
    update: Annotated[bool, typer.Option("--update", help="Embed what has changed of a map anew.")] = False,
    video: Annotated[Path | None, typer.Option(help="A video of the flight.")] = None,
    bag: Annotated[Path | None, typer.Option(help="A ROS 1 or ROS 2 bag with pictures and positions.")] = None,
    image_topic: Annotated[str | None, typer.Option(help="Whose pictures of the bag, where there are several.")] = None,
    telemetry: Annotated[Path | None, typer.Option(help="The flight's .SRT, .tlog, .BIN, .log or .ulg.")] = None,
    vehicle: Annotated[int | None, typer.Option(help="Which vehicle of a .tlog; the longest flight's.")] = None,
    boot: Annotated[int | None, typer.Option(help="Which boot in the log, from 1; the longest.")] = None,
    time_offset_s: Annotated[float | None, typer.Option(help="From the pictures' clock to the log's.")] = None,
    gps_order: Annotated[Order | None, typer.Option(help="Order in subtitles' GPS(..., ...) that do not tell.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="The bundle; the one shipped by default.")] = None,
    camera_pitch_deg: Annotated[float | None, typer.Option(help="-90 looks straight down.")] = None,
    hfov_deg: Annotated[float | None, typer.Option(help="Field of view across the image's width.")] = None,
    camera: Annotated[Path | None, typer.Option(help="Its calibration: a .json, or a .toml with [camera].")] = None,
    height_agl_m: Annotated[float | None, typer.Option(help="Height above ground.")] = None,
    heading_deg: Annotated[float | None, typer.Option(help="Where the image's top points, from true north.")] = None,
    terrain: Annotated[Path | None, typer.Option(help="The ground's heights: a raster of any kind.")] = None,
    terrain_heights: Annotated[Datum, typer.Option(help="What they are above: the sea, or WGS-84's ellipsoid.")]
    = Datum.ORTHOMETRIC,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Record a flight, or a map, into a history; adding to one that is there is fine."""
    check_options(context)
    flags = CameraFlags(camera_pitch_deg, hfov_deg, height_agl_m, heading_deg, read_camera(camera))
    asked = Asked(vehicle, boot)
    levelled = partial(by_terrain, terrain, terrain_heights)
    try:
        if images is not None:
            used = [path for path in (telemetry, camera) if path is not None]
            log_of = partial(read_photo_log, telemetry, asked, time_offset_s)
            kept, skipped = record_images(images, history, bundle, flags, recursive, log_of, used, levelled)
        elif map_file is not None:
            kept, skipped = record_map(
                map_file, history, bundle, MapOptions(tile_m, stride_m, max_tiles, heights, jobs, update, cluster)
            )
        else:
            film = FilmFile(video, bag, image_topic)
            filmed = film.filmed(telemetry, gps_order, asked, time_offset_s, flags)
            kept, skipped = _record_film(film, filmed, history, bundle, levelled)
    except KeyboardInterrupt:
        warn(f"Interrupted; what was recorded is kept in {history}, and the same command goes on from there.")
        raise typer.Exit(_INTERRUPTED) from None
    tell(history, kept, skipped, as_json)
    if kept == 0 and not any(one.reason == ALREADY for one in skipped):
        raise ImageError(f"Nothing could be recorded: {reasons_of(skipped)}.")


def _record_film(
    film: FilmFile, filmed: Filmed, history: Path, bundle: Path | None, levelled: Callable[[Survey], Survey]
) -> tuple[int, list[Skipped]]:
    with film.open() as frames:
        refuse_useless_views(filmed.sampled(frames.length_s), Bundle.load(bundle), str(film.path))
        with progress("reading", max(frames.frames, 1)) as steps:
            read = survey_video(frames, filmed, steps.step)
    with opened(history, bundle) as target, film.open() as frames:
        kept, skipped = recorded(completed(levelled(read)), film.path.name, MOVED, frame_reader(frames), target)
    return kept, gathered(skipped, film.path)
