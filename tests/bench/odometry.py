"""Visual odometry on three real flights, beside SIFT with a similarity on the same frames.

    python -m tests.bench.odometry [--flight cuav|gopro|ariel]

The frames are one or so a second, so that the first guess is by correlation or descriptors more often than in flight.
Truth is the flight's own GPS. Each step is compared over the way since its reference. Where nobody wrote a heading
(`gopro`, `ariel`), the first picture's top is north and one turn for the whole flight is fitted, so that what the
pictures lose of the heading on the way stays in the direction error. Heights are above the take-off point, or, on
`gopro`, one constant that fits: there the ground's height is not known. So a second column takes one factor on all
lengths out, which a filter that estimates the scale would.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from runtime.camera_model import CameraModel, body_from_mount
from runtime.cli.flight_log import read_camera
from runtime.geodesy import north_east_m
from runtime.odometry.odometer import Odometer
from runtime.rotations import ned_from_euler
from runtime.sources.logged import photo_log, read_logged
from runtime.sources.photo import CameraFlags, read_photo
from runtime.sources.telemetry import read_telemetry
from runtime.values import Attitude, Frame, GeoPoint, Measured, Pose, yaw_of

FLIGHTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "flights"
_CUAV_DELAY_S = 0.25  # the names are that late: there the pictures turn as the log's attitude does
_GOPRO_HEIGHT_M = 150.0  # above ground at the first photo: nobody wrote it, and 150 m fits the lengths
_ARIEL_FOCAL_35MM = 24.0
_LEAST_M = 1.0  # a shorter way says nothing in per cent or of a direction


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame, its pose, its camera, and (2,) north and east by GPS."""

    camera: CameraModel
    frame: Frame
    pose: Pose
    true_m: np.ndarray


def cuav() -> Iterator[Sample]:
    """Straight down from an aeroplane at 81 m, with an ArduPilot log."""
    pictures = sorted((FLIGHTS / "cuav").glob("*Z.jpg"))
    flags = CameraFlags(calibrated=read_camera(FLIGHTS / "cuav" / "camera.json"))
    track = read_telemetry(FLIGHTS / "cuav" / "flight.tlog").track
    log, origin = photo_log(FLIGHTS, track, pictures, -_CUAV_DELAY_S), None
    for index, picture in enumerate(pictures):
        photo = read_logged(picture, flags, index, log)
        assert photo.tag is not None
        origin = origin or photo.tag.point
        yield Sample(photo.camera, photo.frame, photo.pose, np.array(north_east_m(origin, photo.tag.point)))


def gopro() -> Iterator[Sample]:
    """From an unstabilised wing at 22 m/s; no attitude."""
    first: tuple[GeoPoint, float] | None = None
    for index, path in enumerate(sorted((FLIGHTS / "gopro").glob("*.JPG"))):
        photo = read_photo(path)
        assert photo.tag is not None and photo.pose.altitude_amsl_m is not None
        first = first or (photo.tag.point, photo.pose.altitude_amsl_m.value)
        height_m = photo.pose.altitude_amsl_m.value - first[1] + _GOPRO_HEIGHT_M
        t_ns = index * 10**9
        pose = Pose(t_ns, height_agl_m=Measured(height_m, 0.1 * height_m, "gps"))
        frame = Frame(photo.frame.image, t_ns, path.name, index)
        yield Sample(photo.camera, frame, pose, np.array(north_east_m(first[0], photo.tag.point)))


def ariel() -> Iterator[Sample]:
    """Camera 45 degrees down over hills; neither heading nor gimbal in the telemetry."""
    focal_px = _ARIEL_FOCAL_35MM / math.hypot(36, 24) * math.hypot(1024, 768)
    camera = CameraModel(1024, 576, focal_px, focal_px, 512, 288, body_from_camera=body_from_mount(-45.0))
    origin: GeoPoint | None = None
    with (FLIGHTS / "ariel" / "truth.csv").open() as table:
        for index, row in enumerate(csv.DictReader(table)):
            at, height_m = GeoPoint(float(row["latitude_deg"]), float(row["longitude_deg"])), float(row["rel_alt_m"])
            origin = origin or at
            pose = Pose(
                index * 10**9, height_agl_m=Measured(height_m, 0.08 * height_m, "srt"),
                attitude=Attitude(ned_from_euler(0.0, 0.0, 0.0)),
            )  # fmt: skip
            frame = Frame(_rgb(FLIGHTS / "ariel" / "frames" / row["frame"]), index * 10**9, row["frame"], index)
            yield Sample(camera, frame, pose, np.array(north_east_m(origin, at)))


def _rgb(path: Path) -> np.ndarray:
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


@dataclass(frozen=True, slots=True)
class Step:
    """The way measured between two frames, by index, (2,) metres."""

    first: int
    last: int
    moved_m: np.ndarray


def by_odometer(samples: Sequence[Sample]) -> tuple[list[Step], list[float]]:
    """What the room says, and the CPU milliseconds of each frame."""
    odometer, steps, spent_ms = Odometer(samples[0].camera), [], []
    index_of = {sample.frame.t_ns: index for index, sample in enumerate(samples)}
    for index, sample in enumerate(samples):
        started_s = time.process_time()
        moved = odometer.update(sample.frame, sample.pose).displacement
        spent_ms.append((time.process_time() - started_s) * 1e3)
        if moved is not None:
            steps.append(Step(index_of[moved.from_t_ns], index, np.array([moved.north_m, moved.east_m])))
    return steps, spent_ms


def by_similarity(samples: Sequence[Sample]) -> tuple[list[Step], list[float]]:
    """SIFT on pictures of 640 pixels and a similarity from each to the next: its shift at the middle, by the height."""
    detector, matcher, before = cv2.SIFT.create(1500), cv2.BFMatcher(), None
    steps, spent_ms, yaw_rad = [], [], 0.0
    for index, sample in enumerate(samples):
        started_s = time.process_time()
        shrink = 640 / sample.frame.image.shape[1]
        small = cv2.resize(sample.frame.image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        points, described = detector.detectAndCompute(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), None)
        now = np.array([point.pt for point in points]), described
        if sample.pose.heading is not None and sample.pose.ned_from_body is not None:
            yaw_rad = yaw_of(sample.pose.ned_from_body)
        found = None if before is None else _similarity(matcher, before, now)
        if found is not None:
            height, width = small.shape[:2]
            middle = np.array([width / 2, height / 2])
            right, down = middle - (found[:, :2] @ middle + found[:, 2])  # the ground moves the other way
            turn_rad = math.atan2(found[1, 0], found[0, 0])  # of the picture; of the nose the other way
            if sample.pose.heading is None:
                yaw_rad -= turn_rad
            gsd_m = sample.pose.height_agl_m.value / (sample.camera.fx_px * width / sample.camera.width_px)
            ahead, aside = -down * gsd_m, right * gsd_m
            cosine, sine = math.cos(yaw_rad), math.sin(yaw_rad)
            moved_m = np.array([cosine * ahead - sine * aside, sine * ahead + cosine * aside])
            steps.append(Step(index - 1, index, moved_m))
        before = now
        spent_ms.append((time.process_time() - started_s) * 1e3)
    return steps, spent_ms


def _similarity(matcher, before, now) -> np.ndarray | None:
    if min(len(before[0]), len(now[0])) < 12:
        return None
    pairs = [pair for pair in matcher.knnMatch(before[1], now[1], k=2) if len(pair) == 2]
    good = [a for a, b in pairs if a.distance < 0.75 * b.distance]
    if len(good) < 12:
        return None
    here, there = before[0][[m.queryIdx for m in good]], now[0][[m.trainIdx for m in good]]
    found, mask = cv2.estimateAffinePartial2D(here, there, ransacReprojThreshold=3.0)
    return found if found is not None and int(mask.sum()) >= 12 else None


def row(name: str, samples: Sequence[Sample], steps: Sequence[Step], spent_ms: Sequence[float]) -> str:
    """Share measured, median step error as it is and with one scale taken out, direction, drift, milliseconds."""
    true = np.array([samples[step.last].true_m - samples[step.first].true_m for step in steps])
    said = np.array([step.moved_m for step in steps])
    if samples[0].pose.heading is None:
        said = _turned(said, true)
    far = np.linalg.norm(true, axis=1) > _LEAST_M
    lengths = np.linalg.norm(true[far], axis=1)
    factor = float(np.median(lengths / np.maximum(np.linalg.norm(said[far], axis=1), 1e-6)))
    error, scaled = (np.linalg.norm(each[far] - true[far], axis=1) / lengths for each in (said, factor * said))
    off = np.abs(np.angle(_complex(said[far]) / _complex(true[far])))
    summed, way_m = _summed(steps, said, samples)
    covered = len({step.last for step in steps}) / (len(samples) - 1)
    return (
        f"{name:22s} {covered:8.0%} {np.median(error):9.1%} {np.median(scaled):9.1%} {factor:7.2f} "
        f"{math.degrees(np.median(off)):7.1f} {summed[0] / way_m * 100:8.1f} {summed[1] / way_m * 100:8.1f} "
        f"{np.percentile(spent_ms, 50):6.0f} {np.percentile(spent_ms, 90):6.0f}"
    )


def _complex(rows: np.ndarray) -> np.ndarray:
    return rows[:, 0] + 1j * rows[:, 1]


def _turned(said: np.ndarray, true: np.ndarray) -> np.ndarray:
    """With the one turn that fits best."""
    turn = np.angle(np.vdot(_complex(said), _complex(true)))
    turned = _complex(said) * np.exp(1j * turn)
    return np.stack([turned.real, turned.imag], axis=1)


def _summed(steps: Sequence[Step], said: np.ndarray, samples: Sequence[Sample]) -> tuple[tuple[float, float], float]:
    """Distance from the truth at the end of all steps that follow one another, as said and by the best one factor, and
    the way flown over them."""
    last = {step.first: k for k, step in enumerate(steps)}  # the longest of each reference
    chosen = sorted(last.values())
    total = said[chosen].sum(axis=0)
    true = sum(samples[steps[k].last].true_m - samples[steps[k].first].true_m for k in chosen)
    way_m = 0.0
    for k in chosen:
        places = np.array([sample.true_m for sample in samples[steps[k].first : steps[k].last + 1]])
        way_m += float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
    factor = float(total @ true) / max(float(total @ total), 1e-9)
    return (float(np.linalg.norm(total - true)), float(np.linalg.norm(factor * total - true))), way_m


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    flights = {"cuav": cuav, "gopro": gopro, "ariel": ariel}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flight", choices=flights, action="append", help="default: all")
    options = parser.parse_args(words)
    if not FLIGHTS.is_dir():
        raise SystemExit(f"{FLIGHTS} is absent: there is nothing to measure on.")
    cv2.setNumThreads(1)
    print(f"{'':22s} measured      step    scaled  factor    deg   m/100 m  scaled    p50    p90 ms")
    for name in options.flight or flights:
        samples = list(flights[name]())
        print(row(f"{name}, odometry", samples, *by_odometer(samples)), flush=True)
        print(row("... SIFT, similarity", samples, *by_similarity(samples)), flush=True)


if __name__ == "__main__":
    main()
