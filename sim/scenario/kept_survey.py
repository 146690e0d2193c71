"""A survey that was flown once, kept on disk: its history, its log and its track, for whoever flies over it later.

Simulated flights repeat to the byte, so what is kept is what would be flown. The key names all that a survey depends
on; of the machine it says nothing, for the folder is the machine's own.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

import runtime
import sim
from runtime.bundle import MANIFEST, Bundle
from runtime.machine import cache_directory
from sim.kept_files import KeptFiles, digest_of
from sim.scenario.aircraft import Truth

MOST_BYTES = 1 << 30  # twenty-five surveys of 40 MB
_SOURCES = tuple(Path(package.__path__[0]) for package in (runtime, sim))
_PARTS = (  # whose arithmetic or whose bytes a survey depends on
    "numpy", "scipy", "opencv-python", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu", "numkong", "numba",
    "trimesh", "pymap3d", "pymavlink", "mcap", "zstandard", "rasterio",
)  # fmt: skip
_HISTORY, _LOGS, _ABOUT, _TRACK = "history.db", "logs/", "about.json", "track"


@dataclass(frozen=True, slots=True)
class FlownSurvey:
    """What is left of a survey beside its history and its logs: the true track, how often GPS was accused, and the
    commands of a daemon that had no authority for any."""

    track: list[Truth]
    false_alarms: int = 0
    commands: int = 0

    @property
    def in_order(self) -> bool:
        """Whether nothing went wrong; no other survey is kept."""
        return not self.false_alarms and not self.commands


@dataclass(frozen=True, slots=True)
class KeptSurveys:
    """A folder of surveys by what they depend on; what was used longest ago goes first."""

    folder: Path
    most_bytes: int = MOST_BYTES
    fresh: bool = False  # what is kept is not taken, but flown anew and kept again

    @classmethod
    def default(cls, fresh: bool = False) -> KeptSurveys:
        """The one in the user's cache directory."""
        return cls(cache_directory() / "surveys", fresh=fresh)

    def path(self, depends_on: Sequence[str]) -> Path:
        """Where a survey lies, if it is there."""
        return self._files.path(_key(depends_on))

    def take(self, depends_on: Sequence[str], history: Path, logs: Path) -> FlownSurvey | None:
        """Puts the history and the logs of a survey where they are wanted; None where it has to be flown."""
        if self.fresh:
            return None
        return self._files.read(_key(depends_on), lambda raw: _unpacked(raw, history, logs))

    def keep(self, depends_on: Sequence[str], history: Path, logs: Sequence[Path], flown: FlownSurvey) -> None:
        """Keeps a survey that has been closed."""
        self._files.keep(_key(depends_on), lambda raw: _pack(raw, history, logs, flown))

    @property
    def _files(self) -> KeptFiles:
        return KeptFiles(self.folder, self.most_bytes, ".zip", digest_of(_SOURCES, _PARTS))


def bundle_digest(bundle: Bundle) -> str:
    """Of the manifest, which names the hash of every other file."""
    return hashlib.sha256((bundle.path / MANIFEST).read_bytes()).hexdigest()


def _key(depends_on: Sequence[str]) -> str:
    return "\n".join((sys.version, *depends_on))


def _pack(raw: IO[bytes], history: Path, logs: Sequence[Path], flown: FlownSurvey) -> None:
    about = {key: value for key, value in asdict(flown).items() if key != _TRACK}
    track = np.array([(step.t_ns, *step.ground, step.height_m) for step in flown.track], _STEP)
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_ABOUT, json.dumps(about))
        archive.writestr(_TRACK, track.tobytes())
        archive.write(history, _HISTORY)
        for log in logs:
            archive.write(log, _LOGS + log.name)


_STEP = np.dtype([("t_ns", "<i8"), ("north", "<f8"), ("east", "<f8"), ("height_m", "<f8")])


def _unpacked(raw: IO[bytes], history: Path, logs: Path) -> FlownSurvey:
    """All files are read, and their checksums compared, before the first is put where it is wanted."""
    with zipfile.ZipFile(raw) as archive, tempfile.TemporaryDirectory(dir=history.parent) as folder:
        about: dict[str, Any] = json.loads(archive.read(_ABOUT))
        steps = np.frombuffer(archive.read(_TRACK), _STEP).tolist()
        track = [Truth(t_ns, (north, east), height_m) for t_ns, north, east, height_m in steps]
        flown = FlownSurvey(track, **about)
        archive.extractall(folder)
        logs.mkdir(parents=True, exist_ok=True)
        for log in (Path(folder) / _LOGS).iterdir():
            log.replace(logs / log.name)
        (Path(folder) / _HISTORY).replace(history)
    return flown
