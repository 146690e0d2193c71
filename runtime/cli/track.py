"""`homing track`: a recorded flight followed by its camera alone, beside what its telemetry says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from runtime.bundle import Bundle
from runtime.cli.film import FilmFile
from runtime.cli.flight_log import read_camera, read_photo_log
from runtime.cli.output import emit, progress, say, warn
from runtime.cli.source_options import check_options
from runtime.counted import counted
from runtime.embedder.embedder import Embedder
from runtime.errors import ImageError
from runtime.fix.fixer import Fixer
from runtime.history.history import History
from runtime.localizer.vision import VisionLocalizer
from runtime.reasons import with_examples
from runtime.sources.folder import photo_folder
from runtime.sources.logs.choice import Asked
from runtime.sources.photo import CameraFlags
from runtime.sources.subtitles.order import Order
from runtime.sources.video import Filmed
from runtime.survey.survey import Skipped
from runtime.track.moments import Moment, of_photos, of_video
from runtime.track.tracker import Tracked, Tracker, TrackSummary
from runtime.values import GeoPoint, TrackingState

_Flight = AbstractContextManager[Iterator[Moment | Skipped]]  # its frames, while its file is open
_THREADS = 2
_FEATURES_BYTES = 512 << 20  # a desk has it
_NOTHING = 3  # exit status where no frame was tracked, as of `homing fix` without a fix


def track(
    context: typer.Context,
    history: Annotated[Path, typer.Option(help="The flight history to follow against: of another flight.")],
    images: Annotated[Path | None, typer.Option(help="A folder of one flight's photos.")] = None,
    video: Annotated[Path | None, typer.Option(help="A video of the flight.")] = None,
    bag: Annotated[Path | None, typer.Option(help="A ROS 1 or ROS 2 bag with pictures and positions.")] = None,
    image_topic: Annotated[str | None, typer.Option(help="Whose pictures of the bag, where there are several.")] = None,
    telemetry: Annotated[Path | None, typer.Option(help="The flight's .SRT, .tlog, .BIN, .log or .ulg.")] = None,
    vehicle: Annotated[int | None, typer.Option(help="Which vehicle of a .tlog; the longest flight's.")] = None,
    boot: Annotated[int | None, typer.Option(help="Which boot in the log, from 1; the longest.")] = None,
    time_offset_s: Annotated[float | None, typer.Option(help="From the pictures' clock to the log's.")] = None,
    gps_order: Annotated[Order | None, typer.Option(help="Order in subtitles' GPS(..., ...) that do not tell.")] = None,
    rate_hz: Annotated[float, typer.Option(min=0.1, max=60, help="Frames of a video a second, at most.")] = 10.0,
    fix_every_s: Annotated[float, typer.Option(min=0, max=60, help="From one frame that is fixed to the next.")] = 0.5,
    bundle: Annotated[Path | None, typer.Option(help="The bundle; the one shipped by default.")] = None,
    camera_pitch_deg: Annotated[float | None, typer.Option(help="-90 looks straight down.")] = None,
    hfov_deg: Annotated[float | None, typer.Option(help="Field of view across the image's width.")] = None,
    camera: Annotated[Path | None, typer.Option(help="Its calibration: a .json, or a .toml with [camera].")] = None,
    height_agl_m: Annotated[float | None, typer.Option(help="Height above ground.")] = None,
    heading_deg: Annotated[float | None, typer.Option(help="Where the image's top points, from true north.")] = None,
    report: Annotated[Path | None, typer.Option(help="A page with the map and the errors over time.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a frame, then the summary.")] = False,
) -> None:
    """Follow a recorded flight by its camera alone, and say how far it lies from its tags or telemetry."""
    check_options(context)
    flags = CameraFlags(camera_pitch_deg, hfov_deg, height_agl_m, heading_deg, read_camera(camera))
    asked = Asked(vehicle, boot)
    loaded = Bundle.load(bundle)
    with History.open(history, embedding_space_id=loaded.embedding_space_id) as opened:
        if images is not None:
            paths = photo_folder(images).images
            log = read_photo_log(telemetry, asked, time_offset_s, paths)
            flight: _Flight = nullcontext(of_photos(paths, flags, log))
            length = len(paths)
        else:
            film = FilmFile(video, bag, image_topic)
            filmed = film.filmed(telemetry, gps_order, asked, time_offset_s, flags)
            with film.open() as file:
                length = round(file.length_s * rate_hz)
            flight = _frames(film, filmed, rate_hz)
        embedder = Embedder(loaded, threads=_THREADS)
        with flight as moments:
            tracked = _followed(moments, opened, embedder, fix_every_s, length, as_json)
        points = [keyframe.ground for keyframe in opened.keyframes(crops=False)]
    summary = TrackSummary.of(tracked)
    if as_json:
        emit(_summary_record(summary))
    else:
        say("\n".join([_lead(summary), *(f"  {what}: {value}" for what, value in _facts(summary).items())]))
    if report is not None:
        _write_report(report, tracked, summary, points)
    if summary.tracking_share == 0.0:
        raise typer.Exit(_NOTHING)


@contextmanager
def _frames(film: FilmFile, filmed: Filmed, rate_hz: float) -> Iterator[Iterator[Moment | Skipped]]:
    with film.open() as frames:
        yield of_video(frames, filmed, rate_hz)


def _followed(
    moments: Iterator[Moment | Skipped],
    history: History,
    embedder: Embedder,
    fix_every_s: float,
    length: int,
    as_json: bool,
) -> list[Tracked]:
    tracked: list[Tracked] = []
    skipped: list[tuple[str, str]] = []
    tracker: Tracker | None = None
    with progress("following", max(1, length)) as steps:
        for moment in moments:
            steps.step()
            if isinstance(moment, Skipped):
                skipped.append((moment.image, moment.reason))
                continue
            if tracked and moment.frame.t_ns <= tracked[-1].t_ns:
                skipped.append((moment.frame.source, "is earlier than the one before it"))
                continue
            if tracker is None:
                fixer = Fixer(history, embedder, moment.camera, as_tagged=True, features_bytes=_FEATURES_BYTES)
                tracker = Tracker(fixer, VisionLocalizer(), fix_every_s)
            tracked.append(tracker.step(moment))
            if as_json:
                emit(_record(tracked[-1]))
    for reason in with_examples(skipped):
        warn(f"{counted(reason.count, 'picture')} left out ({reason.example} for one): {reason.sentence}.")
    if not tracked:
        raise ImageError("Nothing could be followed: no picture of the flight is of use.")
    return tracked


def _record(one: Tracked) -> dict[str, Any]:
    """The line of ``--json``."""
    estimate, at, said = one.estimate, one.estimate.position, one.said
    error = one.error_ne_m
    return {
        "image": one.name,
        "t_ns": one.t_ns,
        "state": estimate.state.value,
        "latitude_deg": at.latitude_deg if at else None,
        "longitude_deg": at.longitude_deg if at else None,
        "covariance_m2": estimate.covariance_m2 if at else None,
        "velocity_ned_m_s": estimate.velocity_ned_m_s,
        "reason": estimate.reason,
        "said_latitude_deg": said.point.latitude_deg if said else None,
        "said_longitude_deg": said.point.longitude_deg if said else None,
        "error_north_m": error[0] if error else None,
        "error_east_m": error[1] if error else None,
        "fix": one.fix.decision.value if one.fix else None,
        "odometry_faults": [fault.value for fault in one.odometry.faults],
    }


def _summary_record(summary: TrackSummary) -> dict[str, Any]:
    return {
        "frames": summary.frames,
        "fixes": summary.fixes,
        "fixes_tried": summary.tried,
        "tracking_share": summary.tracking_share,
        "position_error_m": _percentiles(summary.errors_m),
        "fix_error_m": _percentiles(summary.fix_errors_m),
        "inside_1sigma": summary.inside_68,
        "inside_2sigma": summary.inside_95,
        "first_fix_s": summary.first_s,
    }


def _percentiles(errors_m: tuple[float, ...]) -> dict[str, float] | None:
    if not errors_m:
        return None
    middle, high, most = np.percentile(errors_m, [50, 95, 99]).tolist()
    return {"median": middle, "p95": high, "p99": most, "max": errors_m[-1]}


def _lead(summary: TrackSummary) -> str:
    tracking = f"{TrackingState.TRACKING.value} in {summary.tracking_share:.0%} of them"
    first = "" if summary.first_s is None else f", first after {summary.first_s:.1f} s"
    return f"{counted(summary.frames, 'frame')} followed, {summary.fixes} of {summary.tried} fixes; {tracking}{first}."


def _facts(summary: TrackSummary) -> dict[str, str]:
    """What is known of the errors, by what it is called."""
    facts = {}
    for what, errors_m in (("the estimate", summary.errors_m), ("the fixes alone", summary.fix_errors_m)):
        if found := _percentiles(errors_m):
            facts[f"{what}, from tags or telemetry"] = (
                f"median {found['median']:.1f} m, 95 % within {found['p95']:.1f} m, worst {found['max']:.1f} m"
            )
    if summary.inside_68 is not None and summary.inside_95 is not None:
        facts["inside the ellipses of 68 and 95 %"] = f"{summary.inside_68:.0%} and {summary.inside_95:.0%}"
    return facts


def _write_report(path: Path, tracked: list[Tracked], summary: TrackSummary, history: list[GeoPoint]) -> None:
    from runtime.report.track import TrackRow, write_track_report  # matplotlib takes half a second to load

    rows = [
        TrackRow(
            (one.t_ns - tracked[0].t_ns) * 1e-9,
            one.estimate,
            one.fix,
            one.said,
            math.hypot(*one.error_ne_m) if one.error_ne_m is not None else None,
        )
        for one in tracked
    ]
    write_track_report(path, _lead(summary), _facts(summary), rows, history)
    warn(f"The report is {path}.")
