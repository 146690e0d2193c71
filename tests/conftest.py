"""What every test shares: a cache of its own, so that no test reads or writes the user's."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


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
    """Engines and parity records go to a temporary directory, which processes that a test starts inherit."""
    with _cache_at(tmp_path_factory.mktemp("cache")):
        yield


@pytest.fixture
def own_cache(tmp_path: Path) -> Iterator[Path]:
    """An empty cache for one test."""
    with _cache_at(tmp_path / "cache") as path:
        yield path


def pytest_configure() -> None:
    """A shell starts what it runs in the background with Ctrl-C ignored, and every process that a test interrupts would
    inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
