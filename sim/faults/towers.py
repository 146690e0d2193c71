"""An engine that runs a tower until something is wrong with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.embedder.engine import Engine
from runtime.values import Maps, Vectors


class FaultyEngine:
    """An `Engine` around another. ``no_numbers``: it gives NaN; ``no_memory``: there is none left for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.batch = engine.name, engine.batch
        self.no_numbers = self.no_memory = False

    def run(self, crops: NDArray[np.uint8]) -> tuple[Vectors, Maps | None]:
        """See `Engine.run`."""
        if self.no_memory:
            raise MemoryError("cannot allocate 96 MB")
        vectors, maps = self._engine.run(crops)
        if not self.no_numbers:
            return vectors, maps
        return np.full_like(vectors, np.nan), None if maps is None else np.full_like(maps, np.nan)
