"""What runs a tower: an engine, and the backend that starts one; each backend is one small file beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.values import Maps, Vectors


class Engine(Protocol):
    """Runs one tower. ``name`` says by what and on what; ``batch`` is how many crops it takes at best at once.

    An engine need not stand two threads in `run` at once: `Embedder` lets them in one by one.
    """

    name: str
    batch: int

    def run(self, crops: NDArray[np.uint8]) -> tuple[Vectors, Maps | None]:
        """(N, S, S, 3) uint8 RGB, N at most ``batch``, to (N, D) float32 and (N, C, h, w) float32 or None.

        The arrays are the caller's: no later run writes into them.
        """
        ...


class Backend(Protocol):
    """One way to run towers. ``precisions`` are those it should be given, best first."""

    name: str
    precisions: tuple[str, ...]

    def missing(self) -> str | None:
        """What this computer lacks for it and what to install, None where nothing is missing. Starts nothing."""
        ...

    def identity(self) -> dict[str, str]:
        """Everything beside the file that its numbers depend on: library, version, device, driver."""
        ...

    def start(self, model: Path, threads: int) -> Engine:
        """An engine of a model file.

        Raises:
            EngineError: it does not start here; the sentence says why and what to do.
            BundleError: the file is no tower.
        """
        ...
