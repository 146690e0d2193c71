"""A map of many square kilometres on one drone, beside one of them: ``python -m tests.bench.wide_map``.

    python -m tests.bench.wide_map [--km2 N] [--frames N] [--targets N] [--unknown N] [--side M]
        [--filler HISTORY] [--ways N] [--keep FOLDER]

A procedural world is recorded as `homing record --map --heights 80 120` does it. Another map's history (`--filler`), or
that of a second world, fills up to `--km2`: laid beside the first again and again, each time turned or mirrored in one
of `--ways` (places, maps and crops: so chance has as many layouts of it to offer, however often they are laid), with its
vectors changed as places differ, a + s (b - c) of three. Frames and targets show the first world on another
date: frames with attitude 1 degree, heading 3 degrees and height 3 % wrong, targets of 120 m a side. The first world
alone and the whole are asked by a process each, on one thread; times are the processor's.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.cli.record_map import record_map
from runtime.embedder.embedder import Embedder
from runtime.fix.fixer import Fixer
from runtime.geodesy import distance_m, north_east_array_m, offset
from runtime.history.history import History
from runtime.history.spatial_maps import map_of, pack
from runtime.matching.coarse import unit
from runtime.matching.gallery import GalleryCache
from runtime.place.locator import Locator
from runtime.place.target import Target
from runtime.record.map_record import MapOptions
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Frame, GeoPoint, Measured, Pose
from sim.camera import SimulatedCamera, default_camera
from sim.render import renderer_of
from sim.satellite import cut, whole_image
from sim.world.world import ORIGIN, World
from sim.world_cache import WorldCache

_SEEDS = (1, 2)  # of the world that is asked for, and of that which fills up
_WHOLE_M = 1_000.0  # of a world's satellite image
_GSD_M, _RIM_M, _HEIGHT_M = 0.5, 100.0, 100.0
_TARGET_M, _TARGET_PX = 120.0, 240
_RIGHT_M = 15.0
_CHANGE = (0.1, 0.6)  # s


def write_map(seed: int, side_m: float, path: Path) -> None:
    """The middle of a world's satellite image as a map."""
    size = round(side_m / _GSD_M)
    image = cut(whole_image(World.generate(seed), WorldCache.default()), _WHOLE_M / 2, (0.0, 0.0), side_m, size)
    low, high = offset(ORIGIN, -side_m / 2, -side_m / 2), offset(ORIGIN, side_m / 2, side_m / 2)
    east, north = ((high.longitude_deg - low.longitude_deg) / size, (high.latitude_deg - low.latitude_deg) / size)
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 3, "dtype": "uint8", "crs": "EPSG:4326"}
    at = Affine(east, 0.0, low.longitude_deg, 0.0, -north, high.latitude_deg)
    with rasterio.open(path, "w", photometric="RGB", compress="deflate", transform=at, **profile) as file:
        file.write(np.moveaxis(image, 2, 0))


def filled(first: Path, filler: Path, out: Path, km2: float, side_m: float, ways: int = 8) -> None:
    """A history of ``first``, of that side, with ``filler`` laid around it until it has so many square kilometres."""
    shutil.copy(first, out)
    with sqlite3.connect(out) as connection:
        connection.execute("ATTACH ? AS other", (str(filler),))
        source = _Filler(connection, side_m, ways)
        for number in range(round((km2 - side_m**2 / 1e6) / source.km2)):
            source.lay(number + 1)
        connection.commit()


class _Filler:
    """Another map's rows, to be laid many times."""

    def __init__(self, connection: sqlite3.Connection, side_m: float, ways: int) -> None:
        self._connection, self._ways, self._rng = connection, ways, np.random.default_rng(3)
        columns = [row[1] for row in connection.execute("PRAGMA other.table_info(keyframe)")]
        self._keyframes = connection.execute("SELECT * FROM other.keyframe ORDER BY id").fetchall()
        self._at = columns.index("ground_latitude_deg"), columns.index("ground_longitude_deg")
        ground = np.array([[row[self._at[0]], row[self._at[1]]] for row in self._keyframes])
        middle = GeoPoint(*(float(value) for value in (ground.min(axis=0) + ground.max(axis=0)) / 2))
        self._ne_m = np.asarray(north_east_array_m(middle, *ground.T)).reshape(-1, 2)
        self._cuts = {row[0]: row[1:] for row in connection.execute("SELECT * FROM other.cut")}
        tile_m = max(cut[3] for cut in self._cuts.values()) / 1e3
        reach_m = np.abs(self._ne_m).max() + tile_m / 2
        self._apart_m = max(2 * reach_m, side_m / 2 + reach_m) + tile_m
        picture = connection.execute("SELECT * FROM other.picture").fetchone()
        self.km2 = picture[4] ** 2 * picture[5] * picture[6] / 1e6
        self._picture = connection.execute("SELECT max(id) + 1 FROM picture").fetchone()[0]
        marks = ", ".join("?" * len(picture))
        connection.execute(f"INSERT INTO picture VALUES ({marks})", (self._picture, *picture[1:]))
        fields = "level, cell_row, cell_column, fingerprint, image"
        cells = connection.execute(f"SELECT {fields} FROM other.cell").fetchall()
        connection.executemany(
            f"INSERT INTO cell (picture_id, {fields}) VALUES (?, ?, ?, ?, ?, ?)", [(self._picture, *c) for c in cells]
        )
        self._embeddings = self._read()

    def _read(self) -> dict[int, tuple[list[Any], NDArray[np.float32], list[list[bytes]]]]:
        """By rung: the other columns of each keyframe, its vectors, and its maps in eight ways."""
        rungs = {}
        for (rung,) in self._connection.execute("SELECT DISTINCT footprint_mm FROM main.embedding").fetchall():
            rows = self._connection.execute(
                "SELECT embedding_space_id, view, vector, map_channels, map_rows, map_columns, map "
                "FROM other.embedding WHERE footprint_mm = ? ORDER BY keyframe_id", (rung,),
            ).fetchall()  # fmt: skip
            vectors = np.stack([np.frombuffer(row[2], np.float16).astype(np.float32) for row in rows])
            maps = [map_of(row[3:], True) for row in rows]
            ways = [[row[6] for row in rows]]
            ways += [[pack(_laid(one, way)).data for one in maps if one is not None] for way in range(1, self._ways)]
            rungs[rung] = ([(*row[:2], *row[3:6]) for row in rows], vectors, ways)
        return rungs

    def lay(self, number: int) -> None:
        """Once more, on the ``number``-th square of a spiral around the first."""
        row, column = _spiral(number)
        way = number % self._ways
        ne_m = _turned(self._ne_m, way) + np.array([row, column]) * self._apart_m
        first = self._connection.execute("SELECT max(id) + 1 FROM keyframe").fetchone()[0]
        keyframes, cuts = [], []
        for n, keyframe in enumerate(self._keyframes):
            place, changed = offset(ORIGIN, *ne_m[n]), list(keyframe)
            changed[0], changed[self._at[0]], changed[self._at[1]] = first + n, place.latitude_deg, place.longitude_deg
            keyframes.append(changed)
            _, north_mm, east_mm, side_mm, turn_rad, side_px = self._cuts[keyframe[0]]
            apart_mm = self._rng.integers(-9_000, 9_000, 2)  # no two keyframes may show the same square
            turn_rad += (way % 4) * math.pi / 2
            cuts.append((first + n, self._picture, north_mm + int(apart_mm[0]), east_mm + int(apart_mm[1]), side_mm,
                         turn_rad, side_px))  # fmt: skip
        marks = ", ".join("?" * len(keyframes[0]))
        self._connection.executemany(f"INSERT INTO keyframe VALUES ({marks})", keyframes)
        self._connection.executemany("INSERT OR IGNORE INTO cut VALUES (?, ?, ?, ?, ?, ?, ?)", cuts)
        for rung, (fields, vectors, ways) in self._embeddings.items():
            a, b, c = (self._rng.permutation(len(vectors)) for _ in range(3))
            share = self._rng.uniform(*_CHANGE, (len(vectors), 1)).astype(np.float32)
            changed_vectors = unit(vectors[a] + share * (vectors[b] - vectors[c])).astype(np.float16)
            rows = [
                (first + n, field[0], field[1], rung, 0, changed_vectors[n].tobytes(), *field[2:], ways[way][n])
                for n, field in enumerate(fields)
            ]
            self._connection.executemany("INSERT INTO embedding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _laid(one: NDArray[np.float32], way: int) -> NDArray[np.float32]:
    seen = one[..., ::-1] if way >= 4 else one
    return np.ascontiguousarray(np.rot90(seen, way % 4, axes=(-2, -1)))


def _turned(ne_m: NDArray[np.float64], way: int) -> NDArray[np.float64]:
    """Places as `_laid` moves them: mirrored east to west, then turned by quarters from east to north."""
    north, east = ne_m.T
    east = -east if way >= 4 else east
    for _ in range(way % 4):
        north, east = east, -north
    return np.stack([north, east], axis=1)


def _spiral(number: int) -> tuple[int, int]:
    """The square (row, column) that is reached after so many steps around (0, 0)."""
    row = column = 0
    step, way, left, turns = 1, 0, 1, 0
    for _ in range(number):
        row, column = row + (0, 1, 0, -1)[way], column + (1, 0, -1, 0)[way]
        left -= 1
        if left == 0:
            way, turns = (way + 1) % 4, turns + 1
            step += turns % 2 == 0
            left = step
    return row, column


def frames(count: int, reach_m: float) -> list[tuple[Frame, Pose, GeoPoint]]:
    """What a drone's camera shows of the first world on another date, what telemetry claims, and the truth."""
    world, rng = World.generate(_SEEDS[0]), np.random.default_rng(5)
    camera = SimulatedCamera(renderer_of(world, "flight", WorldCache.default()), default_camera(), 1)
    made = []
    for number in range(count):
        north, east = rng.uniform(-reach_m, reach_m, 2)
        (roll, pitch), yaw = rng.normal(0, math.radians(4.0), 2), rng.uniform(-math.pi, math.pi)
        image = camera.capture((north, east, -_HEIGHT_M), ned_from_euler(roll, pitch, yaw), (8.0, 0.0, 0.0))
        wrong = np.radians(rng.normal(0, 1, 3)) * [1, 1, 3]
        attitude = Attitude(ned_from_euler(roll + wrong[0], pitch + wrong[1], yaw + wrong[2]), math.radians(3.0), "sim")
        height = Measured(_HEIGHT_M * (1 + 0.03 * float(rng.normal())), 0.03 * _HEIGHT_M, "sim")
        frame = Frame(np.asarray(image), number, "simulated", number)
        made.append((frame, Pose(number, height, attitude), offset(ORIGIN, north, east)))
    return made


def targets(count: int, reach_m: float) -> list[tuple[Target, GeoPoint]]:
    """Pictures from above of the first world on another date."""
    world, rng, made = World.generate(_SEEDS[0]), np.random.default_rng(6), []
    renderer = renderer_of(world, "flight", WorldCache.default())
    for _ in range(count):
        north, east = rng.uniform(-reach_m, reach_m, 2)
        image = renderer.orthographic((north, east), _TARGET_M, _TARGET_M / _TARGET_PX)
        target = Target(np.asarray(image, np.uint8), _TARGET_M / _TARGET_PX, True, None, "target")
        made.append((target, offset(ORIGIN, north, east)))
    return made


def write_questions(folder: Path, frame_count: int, target_count: int, reach_m: float) -> None:
    """Frames and targets, made once for all histories."""
    shots, pictures = frames(frame_count, reach_m), targets(target_count, reach_m)
    np.savez(
        folder / "questions.npz", frames=np.stack([one[0].image for one in shots]),
        targets=np.stack([one[0].image for one in pictures]),
    )  # fmt: skip
    poses = [(one[1].height_agl_m, one[1].attitude, one[2]) for one in shots]
    np.save(folder / "poses.npy", np.array([poses, None], dtype=object), allow_pickle=True)
    np.save(folder / "places.npy", np.array([(one[1].latitude_deg, one[1].longitude_deg) for one in pictures]))


def asked(history: Path, folder: Path, unknown: int) -> dict[str, Any]:
    """How right, how fast, and how large."""
    shown, poses = np.load(folder / "questions.npz"), np.load(folder / "poses.npy", allow_pickle=True)[0]
    pictures, places = shown["targets"], [GeoPoint(*row) for row in np.load(folder / "places.npy")]
    answer: dict[str, Any] = {"before_mb": _memory_mb("VmRSS")}
    bundle = Bundle.load()
    embedder = Embedder(bundle, threads=1)
    with History.open(history, embedding_space_id=bundle.embedding_space_id) as opened:
        galleries = GalleryCache(opened)
        fixer = Fixer(opened, embedder, default_camera(), galleries=galleries)
        locator = Locator(opened, embedder, galleries=galleries)
        answer["keyframes"] = len(opened)
        taken, right, wrong = [], 0, 0
        for number, (image, (height, attitude, truth)) in enumerate(zip(shown["frames"], poses, strict=True)):
            frame, pose = Frame(image, number, "simulated", number), Pose(number, height, attitude)
            if not number:
                began = time.process_time()
                fixer.fix(frame, pose)
                answer["first_fix_s"] = time.process_time() - began
            began = time.process_time()
            fix = fixer.fix(frame, pose)
            taken.append(1e3 * (time.process_time() - began))
            if fix.aircraft is not None:
                near = distance_m(fix.aircraft, truth) <= _RIGHT_M
                right, wrong = right + near, wrong + (not near)
        answer |= {"frames": len(taken), "fixed_right": right, "fixed_wrong": wrong}
        answer |= {"fix_p50_ms": float(np.median(taken)), "fix_p95_ms": float(np.percentile(taken, 95))}
        answer["after_fixes_mb"] = _memory_mb("VmRSS")
        for name, count in (("known", len(pictures)), ("unknown", unknown)):
            seconds, first = [], 0
            for picture, truth in zip(pictures[:count], places, strict=False):
                target = Target(picture, _TARGET_M / _TARGET_PX, True, None, "target")
                if name == "unknown":
                    target = replace(target, gsd_m=None, north_up=False)
                began = time.process_time()
                place = locator.locate(target, any_heading=name == "unknown")
                seconds.append(time.process_time() - began)
                first += bool(place.candidates) and distance_m(place.candidates[0].ground, truth) <= _RIGHT_M
            if seconds:
                answer |= {f"locate_{name}": len(seconds), f"locate_{name}_first": first}
                answer[f"locate_{name}_p50_s"] = float(np.median(seconds))
    return answer | {"resident_mb": _memory_mb("VmRSS"), "peak_mb": _memory_mb("VmHWM")}


def _memory_mb(what: str) -> float:
    return int(Path("/proc/self/status").read_text().split(f"{what}:")[1].split()[0]) / 1024


def main() -> None:
    """Make, record, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--km2", type=float, default=100.0)
    parser.add_argument("--side", type=float, default=800.0, help="of the worlds' maps, in metres")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--unknown", type=int, default=20, help="of the targets, with scale and heading unknown too")
    parser.add_argument("--filler", type=Path, help="a map's history, instead of a second world's")
    parser.add_argument("--ways", type=int, default=8, help="1 to 8; packing each takes seconds")
    parser.add_argument("--keep", type=Path, help="a folder for what is made; what is there already is not made again")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(asked(options.child, options.keep, options.unknown)))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = options.keep or Path(place)
        folder.mkdir(exist_ok=True)
        for seed in _SEEDS[: 1 if options.filler else 2]:
            path, history = folder / f"{seed}.tif", folder / f"{seed}.db"
            if not (folder / f"{seed}.done").exists():
                write_map(seed, options.side, path)
                record_map(path, history, None, MapOptions(heights_m=(80.0, 120.0), processes=1, most_tiles=10**6))
                (folder / f"{seed}.done").touch()
        if not (folder / "places.npy").exists():
            write_questions(folder, options.frames, options.targets, options.side / 2 - _RIM_M)
        first, wide = folder / f"{_SEEDS[0]}.db", folder / "wide.db"
        if not wide.exists():
            filled(first, options.filler or folder / f"{_SEEDS[1]}.db", wide, options.km2, options.side, options.ways)
        for history in (first, wide):
            print(f"{history.stem}: {history.stat().st_size / 1e6:.0f} MB", flush=True)
            command = [sys.executable, "-m", "tests.bench.wide_map", "--child", str(history), "--keep", str(folder)]
            run = subprocess.run([*command, "--unknown", str(options.unknown)], check=False, stdout=subprocess.PIPE)
            print(run.stdout.decode().strip(), flush=True)


if __name__ == "__main__":
    main()
