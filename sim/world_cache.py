"""What is prepared of a world and a date, kept on disk: made once, and made again when it is damaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from runtime.machine import cache_directory
from sim.kept_files import KeptFiles, digest_of

Arrays = Mapping[str, npt.NDArray[Any]]

MOST_BYTES = 1 << 30  # about eight worlds of 900 m
_PARTS = ("numpy", "opencv-python-headless", "numba", "trimesh")  # whose arithmetic the content depends on
_SOURCES = tuple(Path(__file__).parent / name for name in ("render.py", "satellite.py", "raster", "world"))


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
        files = KeptFiles(self.folder, self.most_bytes, ".npz", digest_of(_SOURCES, _PARTS))
        kept = files.read(key, _arrays)
        if kept is not None:
            return kept
        made = make()
        files.keep(key, lambda file: np.savez(file, **made))  # type: ignore[arg-type, unused-ignore]
        return made


def _arrays(raw: IO[bytes]) -> Arrays:
    with np.load(raw, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}  # each is read whole, and its checksum compared
