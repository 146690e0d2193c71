"""Files that cost much to make, kept on disk: each made once, all bounded in bytes, and made again when damaged.

A file is written under a name of its own and then renamed, so that a kill leaves nothing that could be taken for whole,
and whoever has one open keeps it though another program replaces or removes it. Its name is a digest of all that its
content depends on, the source that makes it among it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import IO, TypeVar

Content = TypeVar("Content")

_DRAFT = ".draft"
# What a broken archive raises: it may also seem to be encrypted, or compressed in a way of its own.
_DAMAGED = (ValueError, TypeError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """A folder of files by key; what was used longest ago goes first when it holds more than ``most_bytes``.

    ``made_by`` is part of every key: see `digest_of`.
    """

    folder: Path
    most_bytes: int
    suffix: str
    made_by: str

    def path(self, key: str) -> Path:
        """Where the file of a key lies, if it is there."""
        return self.folder / f"{hashlib.sha256(f'{self.made_by} {key}'.encode()).hexdigest()[:32]}{self.suffix}"

    def read(self, key: str, read: Callable[[IO[bytes]], Content]) -> Content | None:
        """What ``read`` makes of the file of a key; None where there is none. A damaged file is removed.

        ``read`` has to compare checksums: what it raises of a file that is not whole is taken for damage.
        """
        path = self.path(key)
        try:
            with path.open("rb") as raw:
                content = read(raw)
        except OSError:
            return None
        except _DAMAGED:
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return content

    def keep(self, key: str, write: Callable[[IO[bytes]], None]) -> None:
        """Keep what ``write`` writes; a full or read-only disk costs the next run its time, not this one its result."""
        with suppress(OSError):
            self._write(self.path(key), write)

    def _write(self, path: Path, write: Callable[[IO[bytes]], None]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=_DRAFT)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
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


@lru_cache(maxsize=8)
def digest_of(sources: Sequence[Path], parts: Sequence[str]) -> str:
    """A digest of Python sources (files, and folders with all below them), and the versions of ``parts``, which are
    distributions."""
    digest = hashlib.sha256()
    for source in sources:
        for file in [source] if source.is_file() else sorted(source.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest() + " ".join(f"{part} {_version(part)}" for part in parts)


def _version(part: str) -> str:
    try:
        return version(part)
    except ImportError:  # another build, as of OpenCV
        return "unknown"
