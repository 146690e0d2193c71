"""What every test shares: one thread for each process, a cache of its own, and the order of the files."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from runtime.machine import usable_cores

# Processes keep every core busy, so each computes in one thread, as do those that it starts. The libraries read these
# when they are first imported.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ[_variable] = "1"

# What one process compiles, the next finds compiled: the suite starts hundreds of them, each with the same imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No example has a deadline: how long one takes is the machine's affair.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@contextmanager
def _cache_at(path: Path) -> Iterator[Path]:
    before = os.environ.get("HOMING_CACHE")
    os.environ["HOMING_CACHE"] = str(path)
    yield path
    if before is None:
        del os.environ["HOMING_CACHE"]
    else:
        os.environ["HOMING_CACHE"] = before


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Engines, parity records and prepared worlds go to one temporary directory, for all processes that run tests and
    for those that a test starts."""
    own = tmp_path_factory.getbasetemp()  # of a process that runs tests: those of one run lie side by side
    path = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    path.mkdir(exist_ok=True)
    with _cache_at(path):
        yield


@pytest.fixture
def own_cache(tmp_path: Path) -> Iterator[Path]:
    """An empty cache for one test."""
    with _cache_at(tmp_path / "cache") as path:
        yield path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: some tests wait, for a socket or for a clock."""
    return usable_cores() + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests come first, then the largest ones, so that the processes end together."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    bytes_of = {path: path.stat().st_size for path in {item.path for item in items}}
    items.sort(key=lambda item: (-slow[item.path], -bytes_of[item.path]))


def pytest_collection_finish() -> None:
    """What is imported and collected stays: to look through it again and again takes a process a twentieth of its
    time, and while it collects two fifths."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def pytest_configure() -> None:
    """Nothing that is imported or collected is garbage. A shell starts what it runs in the background with Ctrl-C
    ignored, and every process that a test interrupts would inherit that."""
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
