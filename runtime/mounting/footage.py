"""Pictures of a flight, and what its log says of any instant: a film or photos beside a log, or a log of Homing."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from runtime.errors import TelemetryError
from runtime.flightlog.read import Attached, read_all, read_attachments
from runtime.flightlog.start import START, FlightStart
from runtime.heights import above_flat_ground
from runtime.sources.logged import PhotoLog
from runtime.sources.track import Track
from runtime.sources.video import open_video
from runtime.values import ImageRGB, NavState
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.link.lines import link_names
from runtime.vehicle.vehicle import Vehicle

_WHOLE_FLIGHT_S = 1e6


class Footage(Protocol):
    """Numbered pictures. ``stamps_s``: when each was stamped, ascending, on the log's clock."""

    stamps_s: list[float]

    def state(self, t_s: float) -> NavState | None:
        """What the log says of an instant; None where it says nothing."""
        ...

    def pictures(self, wanted: Collection[int]) -> Iterator[tuple[int, ImageRGB]]:
        """Those of these numbers that can be read, in order."""
        ...


class Film:
    """A video with a log; ``offset_s``: the log's time at the video's time zero. Raises ImageError."""

    def __init__(self, path: Path, track: Track, offset_s: float) -> None:
        self._path, self._track = path, track
        with open_video(path) as film:
            self.stamps_s = [t_s + offset_s for _, t_s in film.times()]

    def state(self, t_s: float) -> NavState | None:
        """As `Footage` has it."""
        return self._track.at(t_s)

    def pictures(self, wanted: Collection[int]) -> Iterator[tuple[int, ImageRGB]]:
        """As `Footage` has it."""
        with open_video(self._path) as film:
            for number, _ in film.times():
                image = film.image() if number in wanted else None
                if image is not None:
                    yield number, image


class Photos:
    """Pictures with a log of their time. Raises TelemetryError where the log has no date."""

    def __init__(self, log: PhotoLog) -> None:
        self._track, start_s = log.track, log.track.utc_start_s
        if start_s is None:
            raise TelemetryError(f"{log.track.name}: holds no date, by which pictures and log come together.")
        dated = sorted((time.middle_s + log.offset_s - start_s, path) for path, time in log.times.items())
        self.stamps_s, self._paths = [stamp_s for stamp_s, _ in dated], [path for _, path in dated]

    def state(self, t_s: float) -> NavState | None:
        """As `Footage` has it."""
        return self._track.at(t_s)

    def pictures(self, wanted: Collection[int]) -> Iterator[tuple[int, ImageRGB]]:
        """As `Footage` has it."""
        for number in sorted(wanted):
            image = cv2.imread(str(self._paths[number]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            if image is not None:
                yield number, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


class OwnLog:
    """A flight log that keeps its frames whole; the link's bytes are heard again, as they were in the air."""

    def __init__(self, path: Path) -> None:
        """Raises TelemetryError: it is no flight log, or keeps reduced pictures alone."""
        self._path = path
        self.start = _start(path)
        self._kept: list[tuple[str, int]] = []
        self.stamps_s: list[float] = []
        self._vehicle = self._heard_again()

    def state(self, t_s: float) -> NavState | None:
        """As `Footage` has it; without a range finder the ground is taken for level."""
        state = self._vehicle.poses.at(round(t_s * 1e9))
        takeoff = None if state is None else state.pose.height_takeoff_m
        if state is None or state.pose.height_agl_m is not None or takeoff is None or takeoff.value <= 0:
            return state
        return replace(state, pose=replace(state.pose, height_agl_m=above_flat_ground(takeoff)))

    def pictures(self, wanted: Collection[int]) -> Iterator[tuple[int, ImageRGB]]:
        """As `Footage` has it."""
        numbers = {self._kept[number]: number for number in wanted}
        for item in read_all(self._path, ()):
            if isinstance(item, Attached) and (item.name, item.t_ns) in numbers and item.data:
                image = cv2.imdecode(np.frombuffer(item.data, np.uint8), cv2.IMREAD_COLOR)
                if image is not None:
                    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
                    yield numbers[item.name, item.t_ns], rgb

    def _heard_again(self) -> Vehicle:
        section = self.start.config["vehicle"]
        vehicle = Vehicle(
            VehicleConfig(
                links=link_names(len(section["uri"])),
                system_id=section["system_id"],
                component_id=section["component_id"],
                pose_buffer_s=_WHOLE_FLIGHT_S,
            )
        )
        for item in read_all(self._path, ("tick", "link", "frame")):
            if isinstance(item, Attached):
                continue
            channel, t_ns, record = item
            if channel == "tick":
                vehicle.tick(t_ns)
            elif channel == "link" and record["direction"] == "in":
                vehicle.receive(base64.urlsafe_b64decode(record["data"]), t_ns, record["link"])
            elif channel == "frame" and record.get("kept") and self._is_later(record["stamped_t_ns"]):
                self._kept.append((record["kept"], t_ns))
                self.stamps_s.append(record["stamped_t_ns"] * 1e-9)
        return vehicle

    def _is_later(self, stamped_t_ns: int) -> bool:
        return not self.stamps_s or stamped_t_ns * 1e-9 > self.stamps_s[-1]


def _start(path: Path) -> FlightStart:
    attached = read_attachments(path).get(START)
    try:
        start = None if attached is None else FlightStart.decoded(attached)
    except ValueError:
        start = None
    if start is None:
        raise TelemetryError(f"{path} does not say how it began: it was cut off, or another version wrote it.")
    if start.frames == "pictures":
        raise TelemetryError(f'{path} keeps reduced pictures alone; log such a flight with frames = "all" in [log].')
    return start
