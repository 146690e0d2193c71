"""The film that a command reads, a video with its telemetry or a bag, opened as often as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.cli.flight_log import read_flight
from runtime.cli.output import warn
from runtime.cli.recording import assumed
from runtime.errors import UsageError
from runtime.sources.bag.bag import open_bag
from runtime.sources.logs.choice import Asked
from runtime.sources.photo import CameraFlags
from runtime.sources.subtitles.order import Order
from runtime.sources.telemetry import Telemetry
from runtime.sources.video import Film, Filmed, lens_of_video, open_video


@dataclass(frozen=True, slots=True)
class FilmFile:
    """``video`` or ``bag``, one of the two; ``topic`` of a bag's pictures."""

    video: Path | None
    bag: Path | None
    topic: str | None = None

    @property
    def path(self) -> Path:
        """The file, or a bag's folder."""
        path = self.video or self.bag
        assert path is not None
        return path

    @contextmanager
    def open(self) -> Iterator[Film]:
        """Its frames, from the first on."""
        if self.bag is not None:
            with open_bag(self.bag, self.topic) as bag:
                yield bag
        else:
            with open_video(self.path) as video:
                yield video

    def filmed(
        self, telemetry: Path | None, order: Order | None, asked: Asked, offset_s: float | None, flags: CameraFlags
    ) -> Filmed:
        """What is known of it beforehand; what had to be chosen, left out or assumed is said on stderr.

        Raises:
            UsageError: a video without telemetry, or an option that a bag has no use for.
            TelemetryError: nothing says where it was taken.
        """
        if self.bag is not None and telemetry is None:
            return self._of_bag(asked, order, offset_s, flags)
        said = read_flight(telemetry, order, asked)
        with self.open() as film:
            lens = lens_of_video(film.size_px, said.focal, flags)
        if not lens.known:
            assumed(self.path.name)
        return Filmed(said.track, offset_s or 0.0, lens, flags)

    def _of_bag(self, asked: Asked, order: Order | None, offset_s: float | None, flags: CameraFlags) -> Filmed:
        if asked != Asked() or order is not None:
            raise UsageError("--vehicle, --boot and --gps-order speak of a log: give it with --telemetry.")
        assert self.bag is not None
        with open_bag(self.bag, self.topic) as bag:
            track, notes = bag.track()
            if flags.hfov_deg is None and flags.calibrated is None:
                flags = replace(flags, calibrated=bag.lens())
        for note in notes:
            warn(note)
        with open_bag(self.bag, self.topic) as bag:
            lens = lens_of_video(bag.size_px, Telemetry(track).focal, flags)
        if not lens.known:
            assumed(self.path.name)
        return Filmed(track, offset_s or 0.0, lens, flags)
