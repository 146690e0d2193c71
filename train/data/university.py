"""University-1652 as it is distributed, and anything laid out the same.

Zheng, Wei and Yang, "University-1652: a multi-view multi-source benchmark for drone-based geo-localization", ACM MM
2020::

    train/{drone,satellite,street,google}/<place>/*
    test/{query_drone,gallery_drone,query_satellite,gallery_satellite,query_street,gallery_street}/<place>/*

Copies differ by a picture or two and have empty class folders: nothing here counts on a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.errors import UsageError
from train.data.views import Picture, pictures_in

GROUND = "street"  # what the data set calls the ground view


@dataclass(frozen=True, slots=True)
class University:
    """The data set under ``root``; nothing is read before it is asked for."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> University:
        """Raises UsageError when the folder is not laid out like University-1652; the message says what is missing."""
        if not root.is_dir():
            raise UsageError(f"{root} is no folder: give the folder that holds train/ and test/.")
        if not any((root / part).is_dir() for part in ("train", "test")):
            inner = sorted(p.name for p in root.iterdir() if (p / "train").is_dir() or (p / "test").is_dir())
            advice = f"did you mean {root / inner[0]}?" if inner else "give the folder that holds train/ and test/."
            raise UsageError(f"{root} is not laid out like University-1652; {advice}")
        return cls(root)

    def train(self, view: str) -> list[Picture]:
        """The training pictures of a view.

        Raises:
            UsageError: there is no such view here.
        """
        return self._pictures("train", view)

    def query(self, view: str) -> list[Picture]:
        """The test's queries of a view; see `train`."""
        return self._pictures("test", f"query_{view}")

    def gallery(self, view: str) -> list[Picture]:
        """The test's gallery of a view; see `train`."""
        return self._pictures("test", f"gallery_{view}")

    def _pictures(self, part: str, name: str) -> list[Picture]:
        folder = self.root / part / name
        if not folder.is_dir():
            parent = self.root / part
            there = sorted(p.name for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []
            have = f"only {', '.join(there)}" if there else f"no {part}/"
            raise UsageError(f"{self.root} has no {part}/{name}: it has {have}.")
        return pictures_in(folder)
