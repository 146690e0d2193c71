"""What this computer is: processor, GPU, power mode, memory; read from the system, nothing is started."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_JETSON = Path("/proc/device-tree/model")
_GPU_SIGHTS = ("/dev/nvidia0", "/dev/nvhost-gpu", "/dev/nvgpu", "/proc/driver/nvidia/version")
_L4T = Path("/etc/nv_tegra_release")
_COLDEST_C, _HOTTEST_C = -60.0, 200.0  # a Jetson's zones of parts that are switched off say -256
_TOOL_WITHIN_S = 5.0
_LARGE_BYTES = 4 << 20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_ARENAS = 2  # of blocks that glibc keeps: by default eight for each core
_TIMEX_BYTES = 512  # more than struct timex takes anywhere
_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
_BEHIND = 10  # of niceness: a tenth of the time of a thread that did not stand back, where both want one core
_LEAST_PRIORITY = 19
_MOST_THREADS = 4  # more threads than that gain nothing on towers of a few milliseconds


@dataclass(frozen=True, slots=True)
class Machine:
    """What a figure was measured on."""

    system: str
    cpu: str
    cores: int
    memory_mib: int | None
    gpu: str | None
    driver: str
    power_mode: str | None

    def as_record(self) -> dict[str, object]:
        """Its fields as a JSON-able object."""
        return asdict(self)


def this_machine() -> Machine:
    """The computer that this runs on."""
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        cpu=cpu_name(),
        cores=usable_cores(),
        memory_mib=_memory_mib(),
        gpu=gpu_name(),
        driver=gpu_driver(),
        power_mode=power_mode(),
    )


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def give_large_blocks_back() -> None:
    """From now on a block of 4 MB and more goes back to the system as soon as it is freed, and threads share what is
    kept of smaller ones: each has as much to spare as all of them else.

    glibc keeps blocks of up to 32 MB once one of that size has been freed, for each thread (mallopt(3), dynamic
    threshold): after one target was looked for in a long history 380 MB stayed with the process. A frame of a camera
    is smaller, so that what comes with every frame is as quick as it was. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * _LARGE_BYTES)
        mallopt(_M_ARENA_MAX, _ARENAS)


def give_freed_memory_back() -> None:
    """What is free within the blocks that glibc keeps goes back to the system, some milliseconds for a hundred MB.

    After a place was looked for in a long history, 70 MB lay between what stayed (malloc_trim(3)).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def stand_back() -> None:
    """Lets the calling thread, and those that it starts from now on, wait behind this process's others where cores are
    short; for work that nobody waits for by the millisecond. Linux alone keeps a priority for every thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it: then it only goes on as before
            own = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(own + _BEHIND, _LEAST_PRIORITY))


def default_threads() -> int:
    """Threads for a tower: one core is left to the camera and the link where there are more than two.

    Never more than ``OMP_NUM_THREADS``, which the libraries under NumPy obey as well.
    """
    cores = usable_cores()
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    most = int(told) if told.isdecimal() and int(told) > 0 else _MOST_THREADS
    return min(cores if cores <= 2 else cores - 1, _MOST_THREADS, most)


def gpu_in_sight() -> bool:
    """Whether the system shows an NVIDIA GPU, its libraries installed or not."""
    return is_jetson() or any(Path(path).exists() for path in _GPU_SIGHTS)


def is_jetson() -> bool:
    """Whether this is one of NVIDIA's embedded computers."""
    return _L4T.exists() or "NVIDIA" in _first_line(_JETSON)


def cpu_name() -> str:
    """The processor's name as the system has it."""
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return _first_line(_JETSON) or platform.processor() or platform.machine()


def gpu_name() -> str | None:
    """The GPU's name, None where none is in sight."""
    if not gpu_in_sight():
        return None
    listed = _tool("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return (listed.splitlines() or [""])[0] or _first_line(_JETSON) or "unknown NVIDIA GPU"


def gpu_driver() -> str:
    """The driver's version, or the L4T release on a Jetson; "none" where neither is there."""
    version = _first_line(Path("/sys/module/nvidia/version"))
    return version or _first_line(_L4T) or "none"


def power_mode() -> str | None:
    """The Jetson's power mode, else the processor's frequency governor, None where neither is known."""
    said = _tool("nvpmodel", "-q")
    for line in said.splitlines():
        if "Power Mode" in line:
            return line.partition(":")[2].strip()
    governor = _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
    return f"governor {governor}" if governor else None


def temperature_c(sensors: Path = Path("/sys/class/thermal")) -> float | None:
    """The hottest of the sensors that the kernel calls thermal zones, None where there is none."""
    found = [_first_line(zone / "temp") for zone in sensors.glob("thermal_zone*")]
    degrees = [int(milli) / 1000 for milli in found if milli.lstrip("-").isdecimal()]
    return max((one for one in degrees if _COLDEST_C < one < _HOTTEST_C), default=None)


def clock_synchronised() -> bool | None:
    """Whether the kernel's clock is held by a time source (NTP, PTP, GPS); None where the system does not say."""
    state = (ctypes.c_byte * _TIMEX_BYTES)()  # all zero: nothing is set, the state alone is read
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(state))
    except (AttributeError, OSError):
        return None
    return None if answer < 0 else answer != _UNSYNCHRONISED


def cache_directory() -> Path:
    """Where what can be made again is kept: $HOMING_CACHE, else the user's cache directory."""
    named = os.environ.get("HOMING_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "homing"


def _memory_mib() -> int | None:
    for line in _text(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return None


def _tool(name: str, *arguments: str) -> str:
    """What a system tool says; nothing where it is absent or fails."""
    path = shutil.which(name)
    if path is None:
        return ""
    try:
        ran = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=_TOOL_WITHIN_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout if ran.returncode == 0 else ""


def _first_line(path: Path) -> str:
    return (_text(path).splitlines() or [""])[0].strip("\0 ")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
