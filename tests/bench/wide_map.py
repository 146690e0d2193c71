"""A map of many square kilometres on one drone, beside one of them: ``python -m tests.bench.wide_map``.

    python -m tests.bench.wide_map [--km2 N] [--worlds N] [--map FILE ...] [--frames N] [--targets N] [--unknown N]
        [--threads N] [--keep FOLDER]

A procedural world of a square kilometre is recorded as `homing record --map --heights 80 120` does it; other worlds
and the maps fill up to ``--km2``, laid beside it again and again, each time changed (`tests.bench.wide_history`).
Frames and targets show the first world on another date: frames from 100 m with attitude 1 degree, heading 3 degrees and
height 3 % wrong; targets of 120 m a side, north up; and where scale and heading are unknown, targets of 90 to 180 m,
turned any way. The frames are asked three times: with nothing believed of where the aircraft is (``fix``), with a place
that is true to 20 m (``near``), and with one that is 300 m off and said to be true to 20 m (``astray``). The first
world alone and the whole are asked the same by a process each, on ``--threads``; times are by the clock and, ``cpu``,
the processor's, beside the bare network's for one crop, taken in between: what others do on the machine makes all of
them longer alike. ``--keep``: a folder for what is made; what is there is not made again.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from affine import Affine

from runtime.bundle import Bundle
from runtime.cli.record_map import record_map
from runtime.embedder.embedder import Embedder
from runtime.fix.fixer import Fixer
from runtime.geodesy import distance_m, offset
from runtime.history.history import History
from runtime.matching.gallery import GalleryCache
from runtime.place.locator import Locator
from runtime.place.target import Target
from runtime.record.map_record import MapOptions
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Frame, GeoPoint, ImageRGB, Measured, Pose, Vicinity, ViewKind
from sim.camera import SimulatedCamera, default_camera
from sim.render import Renderer, renderer_of
from sim.satellite import SatelliteImage
from sim.world.world import ORIGIN, World
from tests.bench.wide_history import widened

_SEED = 11  # of the world that is asked for; those that fill up have the next
_SIDE_M, _GSD_M, _RIM_M, _HEIGHT_M = 1_000.0, 0.5, 100.0, 100.0
_TARGET_M, _TARGET_PX = 120.0, 240
_SIDES_M = (90.0, 180.0)  # of targets of unknown scale and heading
_RIGHT_M = 15.0
_BELIEVED_TO_M = 20.0  # 1-sigma per axis, where the aircraft is believed to be somewhere
_ASTRAY_M = 300.0  # so far from the truth a belief is that is wrong


def write_map(world: World, path: Path) -> None:
    """A world's satellite image as a map of half a metre a pixel."""
    image = SatelliteImage(world).render((0.0, 0.0), _SIDE_M, _GSD_M)
    low, high = offset(ORIGIN, -_SIDE_M / 2, -_SIDE_M / 2), offset(ORIGIN, _SIDE_M / 2, _SIDE_M / 2)
    rows, columns = image.shape[:2]
    east, north = (high.longitude_deg - low.longitude_deg) / columns, (high.latitude_deg - low.latitude_deg) / rows
    profile = {"driver": "GTiff", "width": columns, "height": rows, "count": 3, "dtype": "uint8", "crs": "EPSG:4326"}
    at = Affine(east, 0.0, low.longitude_deg, 0.0, -north, high.latitude_deg)
    with rasterio.open(path, "w", photometric="RGB", compress="deflate", transform=at, **profile) as file:
        file.write(np.moveaxis(image, 2, 0))


def write_questions(world: World, folder: Path, frames: int, targets: int) -> None:
    """What a drone's camera shows of a world on another date, what its telemetry claims, and the truth; and targets."""
    renderer, rng = renderer_of(world, "flight"), np.random.default_rng(5)
    camera, reach_m, asked = SimulatedCamera(renderer, default_camera(), 1), _SIDE_M / 2 - _RIM_M, []
    for number in range(frames):
        at = rng.uniform(-reach_m, reach_m, 2).tolist()
        angles = [*rng.normal(0.0, math.radians(4.0), 2).tolist(), float(rng.uniform(-math.pi, math.pi))]
        image = camera.capture((*at, -_HEIGHT_M), ned_from_euler(*angles), (8.0, 0.0, 0.0))
        np.save(folder / f"frame_{number}.npy", np.asarray(image))
        wrong = np.radians(rng.normal(0.0, (1.0, 1.0, 3.0)))
        height_m = _HEIGHT_M * (1 + 0.03 * float(rng.normal()))
        asked.append({"at": at, "angles": (wrong + angles).tolist(), "height_m": height_m})
    places = rng.uniform(-reach_m, reach_m, (targets, 2)).tolist()
    for number, at in enumerate(places):
        image = renderer.orthographic(tuple(at), _TARGET_M, _TARGET_M / _TARGET_PX)
        np.save(folder / f"target_{number}.npy", np.asarray(image, np.uint8))
        image = _turned(renderer, tuple(at), float(rng.uniform(*_SIDES_M)), float(rng.uniform(0.0, 360.0)))
        np.save(folder / f"turned_{number}.npy", image)
    (folder / "asked.json").write_text(json.dumps({"frames": asked, "targets": places}))


def _turned(renderer: Renderer, at: tuple[float, float], side_m: float, heading_deg: float) -> ImageRGB:
    """A target of that side about a place, whose upper edge points to a heading."""
    image = renderer.orthographic(at, math.sqrt(2.0) * side_m, side_m / _TARGET_PX)
    middle = (image.shape[1] / 2 - 0.5, image.shape[0] / 2 - 0.5)
    turn = np.asarray(cv2.getRotationMatrix2D(middle, heading_deg, 1.0), np.float64)
    turn[:, 2] += np.subtract(_TARGET_PX / 2 - 0.5, middle)
    return np.asarray(cv2.warpAffine(np.asarray(image, np.uint8), turn, (_TARGET_PX, _TARGET_PX)), np.uint8)


def asked(history: Path, folder: Path, frames: int, targets: int, unknown: int, threads: int) -> dict[str, Any]:
    """How right, how fast, and how large."""
    questions = json.loads((folder / "asked.json").read_text())
    bundle = Bundle.load()
    embedder = Embedder(bundle, threads=threads)
    with History.open(history, embedding_space_id=bundle.embedding_space_id) as opened:
        galleries = GalleryCache(opened)
        locator = Locator(opened, embedder, galleries=galleries)
        answer = {"keyframes": len(opened), "mb_before": _memory_mb("VmRSS")}
        network = _Network(embedder)
        for name, astray_m in (("fix", None), ("near", 0.0), ("astray", _ASTRAY_M)):
            fixer = Fixer(opened, embedder, default_camera(), galleries=galleries)  # that keeps nothing of the last
            answer |= _fixed(fixer, questions["frames"][:frames], folder, network, name, astray_m)
        answer |= {"mb_after_fixes": _memory_mb("VmRSS")}
        answer |= _located(locator, questions["targets"][:targets], folder, False, network)
        answer |= _located(locator, questions["targets"][:unknown], folder, True, network)
        return answer | {"mb_resident": _memory_mb("VmRSS"), "mb_peak": _memory_mb("VmHWM")}


class _Network:
    """The towers alone: what a crop takes, asked for between the questions."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder, side = embedder, embedder.bundle.input_size_px
        self._crop = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
        self._watch = _Watch()

    def ask(self) -> None:
        """Once."""
        with self._watch:
            self._embedder.embed(ViewKind.DRONE, self._crop)

    def p50(self, beside: str) -> dict[str, float]:
        """Of those since it was last asked for."""
        watch, self._watch = self._watch, _Watch()
        return watch.p50(f"{beside}_network")


class _Watch:
    """What takes how long, by the clock and of the processors."""

    def __init__(self) -> None:
        self._taken: list[tuple[float, float]] = []

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        clock, processor = self._began
        self._taken.append((time.perf_counter() - clock, time.process_time() - processor))

    def p50(self, name: str) -> dict[str, float]:
        """Medians, in ms, and the slowest of twenty by the clock."""
        clock, processor = 1e3 * np.transpose(self._taken)
        found = {"ms": np.median(clock), "cpu_ms": np.median(processor), "p95_ms": np.percentile(clock, 95)}
        return {f"{name}_{key}": float(value) for key, value in found.items()}


def _fixed(
    fixer: Fixer, frames: list[dict[str, Any]], folder: Path, network: _Network, name: str, astray_m: float | None
) -> dict[str, Any]:
    """``astray_m``: how far to the east of the truth the aircraft is believed to be; None: nothing is believed."""
    watch, right, wrong, by_layout = _Watch(), 0, 0, 0
    errors_m = np.random.default_rng(7).normal(0.0, _BELIEVED_TO_M, (len(frames), 2))
    for number, asked_for in enumerate(frames):
        frame = Frame(np.load(folder / f"frame_{number}.npy"), number, "simulated", number)
        attitude = Attitude(ned_from_euler(*asked_for["angles"]), math.radians(3.0), "sim")
        height = Measured(asked_for["height_m"], 0.03 * _HEIGHT_M, "sim")
        pose = Pose(number, height_agl_m=height, attitude=attitude)
        network.ask()
        near = None
        if astray_m is not None:
            believed_m = np.add(asked_for["at"], errors_m[number]) + (0.0, astray_m)
            near = Vicinity(offset(ORIGIN, *believed_m.tolist()), _BELIEVED_TO_M)
        with watch:
            fix = fixer.fix(frame, pose, vicinity=near)
        by_layout += "layout" in fix.reason
        if fix.aircraft is not None:
            near = distance_m(fix.aircraft, offset(ORIGIN, *asked_for["at"])) <= _RIGHT_M
            right, wrong = right + near, wrong + (not near)
    counts = {name: len(frames), "right": right, "wrong": wrong, "by_layout": by_layout}
    counts = {key if key == name else f"{name}_{key}": value for key, value in counts.items()}
    return counts | watch.p50(name) | network.p50(name)


def _located(
    locator: Locator, places: list[list[float]], folder: Path, unknown: bool, network: _Network
) -> dict[str, Any]:
    """``unknown``: scale and heading are."""
    watch, first, name = _Watch(), 0, "unknown" if unknown else "known"
    for number, at in enumerate(places):
        gsd_m = None if unknown else _TARGET_M / _TARGET_PX
        image = np.load(folder / f"{'turned' if unknown else 'target'}_{number}.npy")
        target = Target(image, gsd_m, not unknown, None, "target")
        network.ask()
        with watch:
            place = locator.locate(target, any_heading=unknown)
        first += bool(place.candidates) and _near(place.candidates[0].ground, at)
    return {name: len(places), f"{name}_first": first, **watch.p50(name), **network.p50(name)} if places else {}


def _near(ground: GeoPoint, at: list[float]) -> bool:
    return distance_m(ground, offset(ORIGIN, *at)) <= _RIGHT_M


def _memory_mb(what: str) -> float:
    return int(Path("/proc/self/status").read_text().split(f"{what}:")[1].split()[0]) / 1024


def _recorded(path: Path, folder: Path) -> Path:
    """The history of a map, ready for a flight at 80 to 120 m."""
    history = folder / f"{path.stem}.db"
    if not history.exists():
        draft = folder / f"{path.stem}.draft.db"
        draft.unlink(missing_ok=True)
        record_map(path, draft, None, MapOptions(heights_m=(80.0, 120.0), processes=1, most_tiles=10**6))
        draft.rename(history)
    return history


def _made(folder: Path, options: argparse.Namespace) -> tuple[Path, Path]:
    """The history of the first world, and the wide one."""
    maps = [folder / f"world_{_SEED + number}.tif" for number in range(1 + options.worlds)]
    for number, path in enumerate(maps):
        missing = not path.exists(), not number and not (folder / "asked.json").exists()
        world = World.generate(_SEED + number, _SIDE_M) if any(missing) else None
        if world is not None and missing[0]:
            write_map(world, path)
        if world is not None and missing[1]:
            write_questions(world, folder, options.frames, options.targets)
        _recorded(path, folder)
    first, *fillers = (_recorded(path, folder) for path in [*maps, *options.map])
    wide = folder / "wide.db"
    if not wide.exists():
        draft = folder / "wide.draft.db"
        widened(first, fillers, draft, options.km2, ORIGIN)
        draft.rename(wide)
    return first, wide


def main() -> None:
    """Make, record, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--km2", type=float, default=100.0)
    parser.add_argument("--worlds", type=int, default=3, help="that fill up")
    parser.add_argument("--map", type=Path, action="append", default=[], help="another map that fills up")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--unknown", type=int, default=50, help="of the targets, with scale and heading unknown too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        answer = asked(options.child, options.keep, options.frames, options.targets, options.unknown, options.threads)
        print(json.dumps({key: value if isinstance(value, int) else round(value, 2) for key, value in answer.items()}))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = options.keep or Path(place)
        folder.mkdir(exist_ok=True)
        for history in _made(folder, options):
            print(f"{history.stem}: {history.stat().st_size / 1e6:.0f} MB", flush=True)
            counts = [f"--{name}={getattr(options, name)}" for name in ("frames", "targets", "unknown", "threads")]
            command = [sys.executable, "-m", "tests.bench.wide_map", "--child", str(history), "--keep", str(folder)]
            run = subprocess.run([*command, *counts], check=False, stdout=subprocess.PIPE)
            print(run.stdout.decode().strip(), flush=True)


if __name__ == "__main__":
    main()
