"""`homing fix`: the position of photos or frames by sight alone, against a recorded history."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.bundle import Bundle
from runtime.cli.flight_log import read_camera, read_photo_log
from runtime.cli.output import emit, progress, say
from runtime.cli.pooled import POOL_HELP, pooled
from runtime.counted import counted
from runtime.embedder.embedder import Embedder
from runtime.errors import HomingError, ImageError
from runtime.features.network import FeatureNetwork
from runtime.fix.fixer import Fixer
from runtime.history.history import History
from runtime.place.target import MIN_SIDE_PX
from runtime.plain import PLAIN, is_plain
from runtime.sources.lens import UNCLEAR_ZOOM
from runtime.sources.logged import BEYOND, UNDATED, PhotoLog, read_logged
from runtime.sources.logs.choice import Asked
from runtime.sources.photo import CameraFlags, Photo
from runtime.values import Decision, Fix

_THREADS = 2
_FEATURES_BYTES = 512 << 20  # a desk has it, and photos of unknown pose ask for fifty keyframes each


def fix(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Photos or frames looking down.")],
    history: Annotated[Path, typer.Option(help="The flight history to fix against.")],
    bundle: Annotated[Path | None, typer.Option(help="The bundle; the one shipped by default.")] = None,
    camera_pitch_deg: Annotated[float | None, typer.Option(help="-90 looks straight down.")] = None,
    hfov_deg: Annotated[float | None, typer.Option(help="Field of view across the image's width.")] = None,
    camera: Annotated[Path | None, typer.Option(help="Its calibration: a .json, or a .toml with [camera].")] = None,
    height_agl_m: Annotated[float | None, typer.Option(help="Height above ground.")] = None,
    heading_deg: Annotated[float | None, typer.Option(help="Where the image's top points, from true north.")] = None,
    telemetry: Annotated[Path | None, typer.Option(help="The flight's .tlog, .BIN, .log or .ulg.")] = None,
    vehicle: Annotated[int | None, typer.Option(help="Which vehicle of a .tlog; the longest flight's.")] = None,
    boot: Annotated[int | None, typer.Option(help="Which boot in the log, from 1; the longest.")] = None,
    time_offset_s: Annotated[float | None, typer.Option(help="From the images' clock to the log's.")] = None,
    any_heading: Annotated[bool, typer.Option("--any-heading", help="Distrust recorded headings.")] = False,
    pool: Annotated[str | None, typer.Option(help=POOL_HELP)] = None,
    features: Annotated[Path | None, typer.Option(help="Folder of `homing-export --features`; tried last.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per image on stdout.")] = False,
) -> None:
    """Say where each image was taken. GPS tags are not looked at, names and times only beside a log."""
    flags = CameraFlags(camera_pitch_deg, hfov_deg, height_agl_m, heading_deg, read_camera(camera))
    log = read_photo_log(telemetry, Asked(vehicle, boot), time_offset_s, images)
    decisions = []
    for answer in answers(images, history, bundle, flags, any_heading, log, pool, features):
        decisions.append(answer.decision)
        emit(answer.record()) if as_json else say(answer.sentence())
    if Decision.ERROR in decisions:
        count = decisions.count(Decision.ERROR)
        others = "; the others are done" if count < len(images) else ""
        raise ImageError(f"{count} of {counted(len(images), 'image')} could not be used{others}.")
    if Decision.NO_FIX in decisions:
        raise typer.Exit(3)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one image: ``fix`` is None where ``reason`` says why it could not be used."""

    image: Path
    fix: Fix | None
    latency_ms: float | None
    reason: str

    @classmethod
    def unusable(cls, image: Path, reason: str) -> Answer:
        """The image could not be used."""
        return cls(image, None, None, reason)

    @property
    def decision(self) -> Decision:
        """FIX, NO_FIX or ERROR."""
        return Decision.ERROR if self.fix is None else self.fix.decision

    def record(self) -> dict[str, Any]:
        """The line of ``--json``."""
        found = self.fix
        aircraft, ground = (found.aircraft, found.ground) if found else (None, None)
        return {
            "image": str(self.image),
            "decision": self.decision.value,
            "latitude_deg": aircraft.latitude_deg if aircraft else None,
            "longitude_deg": aircraft.longitude_deg if aircraft else None,
            "sigma_m": found.sigma_m if found else None,
            "ground_latitude_deg": ground.latitude_deg if ground else None,
            "ground_longitude_deg": ground.longitude_deg if ground else None,
            "keyframe": found.keyframe_id if found else None,
            "inliers": found.inliers if found else 0,
            "verified": found.verified if found else 0,
            "latency_ms": self.latency_ms,
            "reason": self.reason,
        }

    def sentence(self) -> str:
        """The line for people."""
        found = self.fix
        if found is None or found.aircraft is None:
            return f"{self.image}: {self.decision.value.replace('_', ' ')}: {self.reason}"
        at = f"{found.aircraft.latitude_deg:.7f}, {found.aircraft.longitude_deg:.7f}"
        return f"{self.image}: {at} within {found.sigma_m:.1f} m (1 sigma), {self.reason}"


def answers(
    images: list[Path],
    history: Path,
    bundle: Path | None,
    flags: CameraFlags,
    any_heading: bool,
    log: PhotoLog | None = None,
    pool: str | None = None,
    features: Path | None = None,
) -> Iterator[Answer]:
    """One answer per image, in order; an image that cannot be used does not stop the others. Of the ``log`` of their
    flight attitude and height are used, never the position. The history is searched in memory, or by a ``pool``."""
    loaded = Bundle.load(bundle)
    network = None if features is None else FeatureNetwork.load(features, _THREADS)
    keep = os.access(history, os.W_OK) and os.access(history.absolute().parent, os.W_OK)
    with (
        History.open(history, embedding_space_id=loaded.embedding_space_id, write=keep) as opened,
        pooled(opened, pool) as searched,
    ):
        embedder = Embedder(loaded, threads=_THREADS)
        fixer: Fixer | None = None
        with progress("fixing", len(images)) as steps:
            for index, image in enumerate(images):
                try:
                    photo = _usable(read_logged(image, flags, index, log))
                except ImageError as error:
                    yield Answer.unusable(image, str(error).removeprefix(f"{image}: "))
                else:
                    fixer = fixer or Fixer(
                        opened, embedder, photo.camera,
                        persist=keep, as_tagged=True, galleries=searched, features_bytes=_FEATURES_BYTES,
                        network=network,
                    )  # fmt: skip
                    yield _answer(image, fixer, photo, any_heading)
                steps.step()


def _answer(image: Path, fixer: Fixer, photo: Photo, any_heading: bool) -> Answer:
    started_s = time.perf_counter()
    try:
        found = fixer.fix(photo.frame, photo.pose, any_heading=any_heading, retry=True, camera=photo.camera)
    except HomingError as error:
        return Answer.unusable(image, str(error))
    return Answer(image, found, (time.perf_counter() - started_s) * 1e3, found.reason)


def _usable(photo: Photo) -> Photo:
    """The photo, unless it holds nothing to match.

    Raises:
        ImageError: it is tiny, of one colour, or its field of view can be read in two ways.
    """
    if photo.lens_source == UNCLEAR_ZOOM:
        raise ImageError("its focal length may or may not count in its digital zoom: give --hfov-deg.")
    if photo.unusable in (UNDATED, BEYOND):
        raise ImageError(f"{photo.unusable}.")
    height, width = photo.frame.image.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        raise ImageError(f"{width} by {height} pixels are too few to match; give at least {MIN_SIDE_PX}.")
    if is_plain(photo.frame.image):
        raise ImageError(f"{PLAIN}.")
    return photo
