"""Which rooms of what flies are tested with JetPack's OpenCV and NumPy as well."""

from __future__ import annotations

from pathlib import Path

import pytest

# They call OpenCV, or keep and compare arrays whose types NumPy 1 and 2 promote differently.
_ROOMS = {
    "camera", "embedder", "fix", "history", "matching", "place", "record", "sources", "survey", "test_view.py",
}  # fmt: skip

# What SQLite does on a damaged disk and between threads depends on neither library, nor how an engine is built, nor
# what a log, a subtitle or a packet of tags says.
_OTHERS = {
    "test_damage.py", "test_threads.py", "test_engine_build.py", "test_dataflash.py", "test_tlog.py", "test_ulog.py",
    "test_excursions.py", "test_recorded_logs.py", "subtitles", "xmp",
}  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if not item.path.is_relative_to(here):
            continue
        parts = item.path.relative_to(here).parts
        if parts[0] in _ROOMS and _OTHERS.isdisjoint(parts):
            item.add_marker("jetpack")
