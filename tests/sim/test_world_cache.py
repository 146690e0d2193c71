"""What is prepared of a world is the same from disk, is made again when it is damaged, and stays within its bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sim.camera import default_camera
from sim.render import Renderer, lit_scene, renderer_of
from sim.satellite import whole_image
from sim.world.world import World
from sim.world_cache import Arrays, WorldCache
from tests.sim.cameras import nadir

SEED, SIDE_M = 100_251, 60.0


def numbers(value: int, count: int = 1000) -> Arrays:
    return {"numbers": np.full(count, value)}


def never() -> Arrays:
    raise AssertionError("made again")


def test_a_view_of_a_kept_world_is_the_view_of_the_world(tmp_path: Path) -> None:
    """To the last bit, so that a run repeats an earlier one whether or not it was the first."""
    cache, camera, eye = WorldCache(tmp_path), default_camera(), (5.0, -3.0, -50.0)
    plain = Renderer(World.generate(SEED, SIDE_M).scene("flight")).perspective(camera, nadir(0.7), eye)
    for _ in range(2):  # made, then read
        kept = renderer_of(World.generate(SEED, SIDE_M), "flight", cache)
        assert np.array_equal(kept.perspective(camera, nadir(0.7), eye), plain)
    image = whole_image(World.generate(SEED, SIDE_M))
    assert all(np.array_equal(whole_image(World.generate(SEED, SIDE_M), cache), image) for _ in range(2))
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_kept_world_is_not_laid_out_again(tmp_path: Path) -> None:
    cache = WorldCache(tmp_path)
    lit_scene(World.generate(SEED, SIDE_M), "flight", cache)

    class NotLaidOut(World):
        @property
        def layout(self):  # type: ignore[no-untyped-def]
            raise AssertionError("laid out again")

    lit_scene(NotLaidOut(SEED, SIDE_M), "flight", cache)


def test_worlds_that_differ_in_anything_are_kept_apart(tmp_path: Path) -> None:
    cache = WorldCache(tmp_path)
    for world in (World.generate(SEED, 60.0), World.generate(SEED + 1, 60.0), World.generate(SEED, 60.0, dates=1)):
        lit_scene(world, "flight", cache)
    lit_scene(World.generate(SEED, 60.0), "satellite", cache)
    assert len(list(tmp_path.iterdir())) == 4
    changed = World(SEED, 60.0, World.generate(SEED, 60.0).layout)  # somebody's own layout follows from no number
    lit_scene(changed, "flight", cache)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    cache = WorldCache(tmp_path)
    cache.arrays("a", lambda: numbers(7))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes({
        "cut": whole[:middle],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "emptied": b"",
        "other": b"not an archive" * 20,
    }[damage])  # fmt: skip
    assert cache.arrays("a", lambda: numbers(7))["numbers"].tolist() == [7] * 1000
    assert cache.arrays("a", never)["numbers"].tolist() == [7] * 1000


_WRITES_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from sim.world_cache import WorldCache
cache = WorldCache(Path(sys.argv[1]), most_bytes=1 << 28)
for number in range(1000):
    print(number, flush=True)
    cache.arrays(f"{number}", lambda: {"numbers": np.full(4_000_000, number)})
"""


def test_a_killed_writer_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITES_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert writer.stdout is not None
    for _ in range(3):
        number = int(writer.stdout.readline())
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("*.draft")) and time.monotonic() < deadline:
        time.sleep(0.001)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    cache = WorldCache(tmp_path)
    for kept in range(number + 2):
        assert (cache.arrays(f"{kept}", lambda kept=kept: numbers(kept, 4_000_000))["numbers"] == kept).all()


def test_it_holds_no_more_than_its_bytes_and_lets_the_oldest_go(tmp_path: Path) -> None:
    cache = WorldCache(tmp_path, most_bytes=30_000)  # three files of 8 kB and their heads
    (tmp_path / "left by a kill.draft").write_bytes(bytes(9_000))
    os.utime(tmp_path / "left by a kill.draft", (1, 1))
    for name in ("a", "b", "c"):
        cache.arrays(name, lambda: numbers(1))
        _age(tmp_path)
    cache.arrays("a", never)  # used again
    _age(tmp_path)
    cache.arrays("d", lambda: numbers(1))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 30_000
    cache.arrays("a", never)
    cache.arrays("c", never)
    cache.arrays("d", never)
    made = []
    cache.arrays("b", lambda: made.append(1) or numbers(1))
    assert made, "what was used longest ago is gone"


def _age(folder: Path) -> None:
    """An hour passes."""
    for path in folder.iterdir():
        stat = path.stat()
        os.utime(path, (stat.st_atime - 3600, stat.st_mtime - 3600))


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = WorldCache(tmp_path / "file")
    assert cache.arrays("a", lambda: numbers(3))["numbers"][0] == 3
