"""`homing calibrate flight`: how a camera sits in the body and how late its frames are stamped, from a flight."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from runtime.camera_model import CameraModel, mount_of
from runtime.cli.flight_log import read_camera, read_flight, read_photo_log
from runtime.cli.output import emit, progress, say, warn
from runtime.config.sections import CameraSection
from runtime.counted import counted
from runtime.errors import UsageError
from runtime.mounting.adjustment import Adjusted, Adjustment, turned_by
from runtime.mounting.chosen import chosen_pairs, seen_pairs
from runtime.mounting.drawn import draw_mount
from runtime.mounting.footage import Film, Footage, OwnLog, Photos
from runtime.mounting.judged import enough_pairs, shown
from runtime.report.figures import write_png
from runtime.rotations import quaternion
from runtime.sources.folder import photo_folder
from runtime.sources.logs.choice import Asked
from runtime.whole_file import write_whole

_KEEPS = ("tilt", "turn", "delay")


def flight(
    log: Annotated[Path | None, typer.Argument(help='A flight log, an .mcap of [log] frames = "all".')] = None,
    video: Annotated[Path | None, typer.Option(help="Or a film of a flight, with --telemetry.")] = None,
    images: Annotated[Path | None, typer.Option(help="Or a folder of its pictures, with --telemetry.")] = None,
    telemetry: Annotated[Path | None, typer.Option(help="The flight's .tlog, .BIN, .log or .ulg.")] = None,
    vehicle: Annotated[int | None, typer.Option(help="Which vehicle of a .tlog; the longest flight's.")] = None,
    boot: Annotated[int | None, typer.Option(help="Which boot in the log, from 1; the longest.")] = None,
    time_offset_s: Annotated[float | None, typer.Option(help="From the pictures' clock to the log's.")] = None,
    camera: Annotated[
        Path | None, typer.Option(help="The lens, and about how it is mounted: a .toml with [camera]; else the log's.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="tilt, turn or delay: leave it as it is; may be given again.")
    ] = None,
    most_pairs: Annotated[int, typer.Option(min=16, max=2000, help="Of pictures that are laid on each other.")] = 200,
    out: Annotated[Path, typer.Option(help="Where the camera goes, as a [camera] section.")] = Path("camera.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Solve a camera's mount and delay from a flight with turns; what the flight does not show is refused."""
    keeps = _kept(keep or [])
    footage = _footage(log, video, images, telemetry, Asked(vehicle, boot), time_offset_s)
    begun = _camera(footage, camera)
    pairs = chosen_pairs(footage, most_pairs)
    with progress("pairs", max(1, len(pairs))) as steps:
        found = []
        for seen in seen_pairs(footage, pairs, begun):
            steps.step()
            if seen is not None:
                found.append(seen)
    free = np.array(["tilt" not in keeps] * 2 + ["turn" not in keeps, "delay" not in keeps, True, True])
    adjustment = Adjustment(found, footage.state, begun.body_from_camera, begun.delay_s, free)
    enough_pairs(len(adjustment.pairs), len(footage.stamps_s))
    adjusted = adjustment.solve()
    shown(adjusted, keeps)
    picture = out.with_name(f"{out.stem}_mount.png")
    _write(out, begun, adjusted)
    write_png(draw_mount(adjusted), picture)
    record = _record(begun, adjusted, keeps)
    if as_json:
        emit({**record, "pairs": len(adjustment.pairs), "out": str(out), "picture": str(picture)})
        return
    _say(record, out, picture, len(adjustment.pairs))


def _kept(words: list[str]) -> frozenset[str]:
    wrong = [word for word in words if word not in _KEEPS]
    if wrong or set(words) == set(_KEEPS):
        raise UsageError(f"--keep takes {', '.join(_KEEPS)}, and not all of them.")
    return frozenset(words)


def _footage(
    log: Path | None, video: Path | None, images: Path | None, telemetry: Path | None, asked: Asked,
    offset_s: float | None,
) -> Footage:  # fmt: skip
    if sum(one is not None for one in (log, video, images)) != 1:
        raise UsageError("give one of a flight log, --video and --images.")
    if log is not None:
        if telemetry is not None:
            raise UsageError("a flight log of Homing holds its telemetry; leave --telemetry out.")
        return OwnLog(log)
    if telemetry is None:
        raise UsageError("--video and --images need --telemetry, the log of their flight.")
    if images is not None:
        found = read_photo_log(telemetry, asked, offset_s, photo_folder(images).images)
        assert found is not None
        return Photos(found)
    assert video is not None
    track = read_flight(telemetry, None, asked).track
    if track.stabilised:
        raise UsageError("a gimbal holds this camera: it has no mount in the body, and its log says how it looked.")
    return Film(video, track, offset_s or 0.0)


def _camera(footage: Footage, camera: Path | None) -> CameraModel:
    given = read_camera(camera)
    if given is not None:
        return given
    if not isinstance(footage, OwnLog):
        raise UsageError("--camera is needed: the calibrated lens, and pitch_deg of about how it looks.")
    return CameraSection.model_validate(footage.start.config["camera"]).model()


def _record(begun: CameraModel, adjusted: Adjusted, keeps: frozenset[str]) -> dict[str, Any]:
    pitch, roll, yaw = mount_of(quaternion(adjusted.body_from_camera))
    tilted, turned = turned_by(adjusted, begun.body_from_camera)
    left_over = np.degrees(np.sqrt((adjusted.left_over_rad**2).mean(axis=0)))
    return {
        "pitch_deg": pitch, "roll_deg": roll, "yaw_deg": yaw, "delay_s": adjusted.delay_s,
        "tilt_sigma_deg": None if "tilt" in keeps else math.degrees(adjusted.tilt_sigma_rad),
        "turn_sigma_deg": None if "turn" in keeps else math.degrees(adjusted.turn_sigma_rad),
        "delay_sigma_s": None if "delay" in keeps else adjusted.delay_sigma_s,
        "tilted_by_deg": math.degrees(tilted), "turned_by_deg": math.degrees(turned),
        "delayed_by_s": adjusted.delay_s - begun.delay_s, "left_over_deg": left_over.tolist(), "kept": sorted(keeps),
    }  # fmt: skip


def _say(record: dict[str, Any], out: Path, picture: Path, pairs: int) -> None:
    def known(key: str, unit: str, factor: float = 1.0) -> str:
        return "kept" if record[key] is None else f"± {record[key] * factor:.2f} {unit}"

    angles = ", ".join(f"{key} {record[key]:.2f}" for key in ("pitch_deg", "roll_deg", "yaw_deg"))
    say(f"{out}: {angles}, delay_s {record['delay_s']:.3f}, by {counted(pairs, 'pair')} of pictures")
    say(f"tilt       {record['tilted_by_deg']:.2f} deg from what was configured, {known('tilt_sigma_deg', 'deg')}")
    say(f"turn       {record['turned_by_deg']:.2f} deg from what was configured, {known('turn_sigma_deg', 'deg')}")
    say(f"delay      {record['delayed_by_s'] * 1e3:+.0f} ms from what was configured, "
        f"{known('delay_sigma_s', 'ms', 1e3)}")  # fmt: skip
    north, east, down = record["left_over_deg"]
    say(f"left over  {north:.2f}, {east:.2f}, {down:.2f} deg about north, east and down, from picture to picture")
    say(f"picture    {picture}")
    warn("copy pitch_deg, roll_deg, yaw_deg and delay_s into [camera] of the configuration, or give this to --camera.")


def _write(out: Path, begun: CameraModel, adjusted: Adjusted) -> None:
    pitch, roll, yaw = mount_of(quaternion(adjusted.body_from_camera))
    distortion = ", ".join(f"{value:.6f}" for value in begun.distortion)
    lines = [
        "# A camera with its mount and delay, solved from a flight; the lens is as it was given. For [camera] of",
        "# the daemon's configuration, and for --camera of record, fix and track.",
        "[camera]",
        f"width_px = {begun.width_px}",
        f"height_px = {begun.height_px}",
        f"fx_px = {begun.fx_px:.3f}",
        f"fy_px = {begun.fy_px:.3f}",
        f"cx_px = {begun.cx_px:.3f}",
        f"cy_px = {begun.cy_px:.3f}",
        f"distortion = [{distortion}]",
        f"pitch_deg = {pitch:.3f}   # 1-sigma of the tilt {math.degrees(adjusted.tilt_sigma_rad):.2f}",
        f"roll_deg = {roll:.3f}",
        f"yaw_deg = {yaw:.3f}   # 1-sigma of the turn {math.degrees(adjusted.turn_sigma_rad):.2f}",
        f"delay_s = {adjusted.delay_s:.4f}   # 1-sigma {adjusted.delay_sigma_s:.4f}",
    ]
    write_whole(out, "".join(f"{line}\n" for line in lines).encode())
