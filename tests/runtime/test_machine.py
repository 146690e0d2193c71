"""What this computer says of itself, from files as the kernel writes them."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.machine import temperature_c


def sensors(folder: Path, *said: str) -> Path:
    for number, text in enumerate(said):
        zone = folder / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)
    (folder / "cooling_device0").mkdir()
    return folder


@pytest.mark.parametrize(
    ("said", "hottest"),
    [
        (("41500\n", "63250\n", "-256000\n"), 63.25),  # a part that is switched off
        (("-12000\n",), -12.0),
        (("", "no number\n", "999999999\n"), None),
        ((), None),
    ],
)
def test_the_hottest_sensor_that_is_believable(tmp_path: Path, said: tuple[str, ...], hottest: float | None) -> None:
    assert temperature_c(sensors(tmp_path, *said)) == hottest


def test_a_computer_without_sensors(tmp_path: Path) -> None:
    assert temperature_c(tmp_path / "nowhere") is None


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than glibc")
def test_what_a_thread_took_in_large_blocks_is_the_systems_again_once_it_is_freed() -> None:
    program = """
import sys, threading
from runtime.machine import give_large_blocks_back
def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20
def work():
    for _ in range(3):
        blocks = []
        for _ in range(10):
            blocks += [bytearray(8 * 2**20), bytes(100_000)]  # what stays between them keeps a heap from shrinking
        kept.extend(blocks[1::2])
kept = []
if sys.argv[1] == "given":
    give_large_blocks_back()
before = resident_mb()
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(resident_mb() - before)
"""
    def grown_mb(how: str) -> int:
        ran = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=True)
        return int(ran.stdout)

    assert grown_mb("given") < 15
    if not any(grown_mb("kept") > 40 for _ in range(5)):
        pytest.skip("here nothing is kept that could be given back: the C library or the system takes it by itself")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="another C library than glibc")
def test_what_lies_free_between_blocks_that_stay_can_be_given_back() -> None:
    program = """
from runtime.machine import give_freed_memory_back
def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20
taken = [(bytearray(100_000), bytearray(1000)) for _ in range(600)]
full = resident_mb()
kept = [small for _, small in taken]
del taken
freed = resident_mb()
give_freed_memory_back()
print(full - freed, full - resident_mb())
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    freed, given = map(int, ran.stdout.split())
    assert freed < 20 < 40 < given
