"""Versions of the bundle in one folder, one of them in use, and the way back to the one before.

``current`` is a link that the configuration names as ``[bundle] path``; it changes in one step, so that a daemon that
starts at any instant finds a whole bundle. ``previous`` is what `BundleStore.roll_back` goes back to.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from runtime.bundle import MANIFEST, Bundle
from runtime.errors import BundleError, StorageError

CURRENT, PREVIOUS = "current", "previous"
_HASH_DIGITS = 8


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """``version``: its folder's name, of the bundle's own name and its manifest's hash."""

    version: str
    path: Path
    current: bool
    previous: bool


class BundleStore:
    """The folder; it is made when the first bundle comes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, bundle: Bundle) -> str:
        """Copies a bundle that has been loaded, and so is whole, into the store; its version. Nothing uses it yet.

        Raises:
            StorageError: the store cannot be written; nothing is left half-copied.
        """
        version = version_of(bundle)
        target, partial = self.folder / version, self.folder / f".{version}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(bundle.path, partial, symlinks=False)
                partial.rename(target)
        except (OSError, shutil.Error) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise StorageError(f"bundle {version} cannot be put into {self.folder}: {error}.") from None
        return version

    def use(self, version: str) -> None:
        """Makes a stored version the current one; the one that was becomes the previous.

        Raises:
            BundleError: there is no such version, or it is no longer whole.
            StorageError: the links cannot be changed.
        """
        if version not in {stored.version for stored in self.stored()}:
            raise BundleError(f"{self.folder} holds no bundle {version}; `homing bundle list` names them.")
        Bundle.load(self.folder / version)
        now = self._linked(CURRENT)
        if now == version:
            return
        if now is not None:
            self._link(PREVIOUS, now)
        self._link(CURRENT, version)

    def roll_back(self) -> str:
        """Makes the previous version the current one, and the other way round; the version that is current now.

        Raises:
            BundleError: there is no previous one, or it is no longer whole.
            StorageError: the links cannot be changed.
        """
        before = self._linked(PREVIOUS)
        if before is None:
            raise BundleError(f"{self.folder} holds no bundle to go back to.")
        self.use(before)
        return before

    def stored(self) -> list[StoredBundle]:
        """Every version, by name."""
        now, before = self._linked(CURRENT), self._linked(PREVIOUS)
        paths = sorted(path for path in self.folder.glob("*") if not path.is_symlink() and (path / MANIFEST).is_file())
        return [
            StoredBundle(path.name, path, path.name == now, path.name == before)
            for path in paths
            if not path.name.startswith(".")
        ]

    def _linked(self, name: str) -> str | None:
        link = self.folder / name
        return Path(os.readlink(link)).name if link.is_symlink() else None

    def _link(self, name: str, version: str) -> None:
        draft = self.folder / f".{name}.{os.getpid()}"
        try:
            draft.unlink(missing_ok=True)
            draft.symlink_to(version, target_is_directory=True)
            draft.replace(self.folder / name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise StorageError(f"{self.folder / name} cannot be changed: {error.strerror or error}.") from None


def version_of(bundle: Bundle) -> str:
    """Name and hash: of two bundles with one name, and of one that was trained anew, the versions differ."""
    digest = hashlib.sha256((bundle.path / MANIFEST).read_bytes()).hexdigest()[:_HASH_DIGITS]
    name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in bundle.name).strip(".")
    return f"{name or 'bundle'}-{digest}"
