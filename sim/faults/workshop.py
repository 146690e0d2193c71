"""What the rows of the matrix share: ground, towers, a history, and flights that are under way when a fault begins."""

from __future__ import annotations

import shutil
from pathlib import Path

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.embedder.onnx_cpu import OnnxCpu
from sim.faults.flight import FaultFlight, Plan
from sim.faults.ground import Ground
from sim.faults.memory import remember
from sim.faults.towers import FaultyEngine

SEED = 1


class Workshop:
    """Makes each of them once, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ground = Ground(SEED)
        self.engines: list[FaultyEngine] = []
        self.embedder = Embedder(Bundle.load(), engines=self._engine)
        self.history = folder / "history.db"
        if not self.history.exists():
            remember(self.history, self.ground, self.embedder)
        self._under_way: dict[bool, FaultFlight] = {}

    def plan(self, name: str, *, gps: bool = False) -> Plan:
        """A flight of its own, with a copy of the history in a folder of its own."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        history = Path(shutil.copy(self.history, folder / "history.db"))
        return Plan(folder, self.ground, self.embedder, history, gps, SEED, engines=self.engines)

    def under_way(self, *, gps: bool = False) -> FaultFlight:
        """A flight to a target, engaged and on its way; the same for everybody, so only for a copy of this process."""
        if gps not in self._under_way:
            flight = FaultFlight(self.plan("gps" if gps else "sight", gps=gps))
            flight.run(flight.under_way())
            self._under_way[gps] = flight
        return self._under_way[gps]

    def _engine(self, model: Path) -> FaultyEngine:
        engine = FaultyEngine(OnnxCpu().start(model, threads=1))
        self.engines.append(engine)
        return engine
