"""Pairs of views, by the names that data sets give them, and the tower that sees each view."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.errors import UsageError
from runtime.values import ViewKind

TOWER_OF = {
    "drone": ViewKind.DRONE, "satellite": ViewKind.SATELLITE, "street": ViewKind.GROUND, "google": ViewKind.GROUND,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """Which view is asked and which answers, by the data set's names."""

    query: str
    gallery: str

    @classmethod
    def parse(cls, text: str) -> Pair:
        """``query:gallery``.

        Raises:
            UsageError: it is not that, or a view has no name here.
        """
        names = text.split(":")
        if len(names) != 2 or not all(name in TOWER_OF for name in names):
            raise UsageError(f"{text} is no pair of views: write query:gallery, each of {', '.join(TOWER_OF)}.")
        return cls(names[0], names[1])

    def __str__(self) -> str:
        return f"{self.query}_to_{self.gallery}"
