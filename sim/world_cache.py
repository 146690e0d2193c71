"""What is prepared of a world and a date, kept on disk: made once, bounded in bytes, and made again when damaged.

A file is written under a name of its own and then renamed, so that a kill leaves nothing that could be taken for whole;
each carries checksums. Its name is a digest of all that its content depends on, the simulator's source among it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.machine import cache_directory

Arrays = Mapping[str, npt.NDArray[Any]]

MOST_BYTES = 1 << 30  # about eight worlds of 900 m
_PARTS = ("numpy", "opencv-python-headless", "numba", "trimesh")  # whose arithmetic the content depends on
_SOURCES = ("render.py", "satellite.py", "raster", "world")
_DRAFT = ".draft"


@dataclass(frozen=True, slots=True)
class WorldCache:
    """A folder of arrays by key; what was used longest ago goes first when it holds more than `most_bytes`."""

    folder: Path
    most_bytes: int = MOST_BYTES

    @classmethod
    def default(cls) -> WorldCache:
        """The one in the user's cache directory."""
        return cls(cache_directory() / "worlds")

    def arrays(self, key: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays of a key: read if they are there and whole, else made, and kept if the disk allows."""
        path = self.folder / f"{hashlib.sha256(f'{_code()} {key}'.encode()).hexdigest()[:32]}.npz"
        kept = _read(path)
        if kept is not None:
            return kept
        made = make()
        with suppress(OSError):  # a full or read-only disk costs the next run its time, not this one its result
            self._write(path, made)
        return made

    def _write(self, path: Path, made: Arrays) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=_DRAFT)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **made)  # type: ignore[arg-type, unused-ignore]
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        self._make_room(path)

    def _make_room(self, newest: Path) -> None:
        """Remove what was used longest ago, the newest last; drafts that a kill left count and go too."""
        files = sorted((p for p in self.folder.iterdir() if p != newest), key=lambda p: p.stat().st_mtime, reverse=True)
        left = self.most_bytes - newest.stat().st_size
        for path in files:
            left -= path.stat().st_size
            if left < 0:
                path.unlink(missing_ok=True)


def _read(path: Path) -> Arrays | None:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}  # each is read whole, and its checksum compared
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        with suppress(OSError):
            path.unlink()
        return None
    with suppress(OSError):
        os.utime(path)
    return arrays


@lru_cache(maxsize=1)
def _code() -> str:
    """A digest of the source that draws worlds, and of the versions of what it calculates with."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        path = Path(__file__).parent / name
        for file in [path] if path.is_file() else sorted(path.glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest() + " ".join(f"{part} {_version(part)}" for part in _PARTS)


def _version(part: str) -> str:
    try:
        return version(part)
    except ImportError:  # another build of OpenCV
        return "unknown"
