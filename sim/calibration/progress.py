"""How long work says how far it is: by whoever runs it, on a terminal or in a log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class Counter(Protocol):
    """Of steps done."""

    def step(self) -> None:
        """One more."""


Progress = Callable[[str, int], AbstractContextManager[Counter]]  # what is done, in how many steps
