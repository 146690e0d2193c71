"""What a map costs, as it was recorded before and as it is: ``python -m tests.bench.map_scale``.

    python -m tests.bench.map_scale [--side M] [--map FILE ...]

The middle of each map, ``--side`` metres wide, is recorded twice in one run: a crop for each tile, a quarter of it
apart, embedded at every footprint and with its spatial maps in half precision, by one process; and as `homing record
--map --heights 80 120` does it, by a process a core. Megabytes and seconds are of a square kilometre of that middle: it
is dearer than a wide map, since its rim has as many tiles as the ground within, and starting processes counts too.
Without --map: a procedural world's and a real one.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import rasterio
from rasterio.windows import Window

from runtime.bundle import Bundle
from runtime.cli.record_map import record_map
from runtime.embedder.embedder import Embedder
from runtime.history.history import History
from runtime.machine import usable_cores
from runtime.record.map_plan import grid_of
from runtime.record.map_record import MapOptions
from runtime.record.map_tiles import open_map, record_tile, tiles_of, unusable
from sim.satellite import write_geotiff
from sim.world.world import World

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = DATA / "flights" / "ariel" / "map.tif"  # of half a metre a pixel
HEIGHTS_M = (80.0, 120.0)


def middle_of(path: Path, side_m: float, out: Path) -> Path:
    """The middle of a map as a file of its own."""
    with open_map(path) as opened:
        gsd_m = opened.gsd_m
    with rasterio.open(path) as whole:
        side = min(round(side_m / gsd_m), whole.width, whole.height)
        window = Window((whole.width - side) // 2, (whole.height - side) // 2, side, side)
        profile = {**whole.profile, "width": side, "height": side, "transform": whole.window_transform(window)}
        profile |= {"driver": "GTiff", "tiled": False}
        with rasterio.open(out, "w", **{k: v for k, v in profile.items() if not k.startswith("block")}) as cut:
            cut.write(whole.read(window=window))
    return out


def as_before(path: Path, history: Path) -> None:
    """A crop and all footprints for each tile."""
    embedder = Embedder(Bundle.load(), threads=usable_cores())
    bundle = embedder.bundle
    with open_map(path) as opened, History.create(history, bundle.embedding_space_id, bundle.name) as kept:
        for tile in tiles_of(opened, grid_of(opened.size_m, bundle, None, None, per_tile=4)):
            if not unusable(tile):
                record_tile(tile, kept, embedder, "map")


def as_now(path: Path, history: Path) -> None:
    """As the command does it."""
    record_map(path, history, None, MapOptions(heights_m=HEIGHTS_M, processes=0))


def measured(record: Callable[[Path, Path], None], path: Path, history: Path) -> tuple[float, float, float, float]:
    """Megabytes, seconds by the clock and of the processors, and keyframes, each of a square kilometre."""
    started_s, used_s = time.perf_counter(), _processors_s()
    record(path, history)
    elapsed_s, used_s = time.perf_counter() - started_s, _processors_s() - used_s
    with open_map(path) as opened, History.open(history) as kept:
        km2 = opened.size_m[0] * opened.size_m[1] / 1e6
        return history.stat().st_size / 1e6 / km2, elapsed_s / km2, used_s / km2, len(kept) / km2


def _processors_s() -> float:
    """Of this process and of those that it started and that have ended."""
    both = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in both)


def main() -> None:
    """Record, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=float, default=500.0, help="of the middle that is recorded, in metres")
    parser.add_argument("--map", type=Path, action="append", help="a map; may be given again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        maps = options.map or [_procedural(Path(folder), options.side), *([REAL] if REAL.is_file() else [])]
        print(f"{'map':20} {'recorded':>10} {'MB/km2':>8} {'s/km2':>8} {'CPU s/km2':>10} {'keyframes':>10}   ratios")
        for number, path in enumerate(maps):
            part = middle_of(path, options.side, Path(folder) / f"{number}.tif")
            before = measured(as_before, part, Path(folder) / f"{number}.before.db")
            now = measured(as_now, part, Path(folder) / f"{number}.now.db")
            ratio = ", ".join(f"{a / b:.1f}" for a, b in zip(before[:3], now[:3], strict=True))
            for name, row, said in (("before", before, ""), ("now", now, ratio)):
                print(
                    f"{path.name:20} {name:>10} {row[0]:8.1f} {row[1]:8.1f} {row[2]:10.1f} {row[3]:10.0f}   {said}",
                    flush=True,
                )


def _procedural(folder: Path, side_m: float) -> Path:
    path = folder / "procedural.tif"
    write_geotiff(World.generate(100_000, side_m + 100.0), path, side_m=side_m)
    return path


if __name__ == "__main__":
    main()
