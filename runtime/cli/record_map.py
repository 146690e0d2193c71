"""`homing record --map`: a map into a history, after its cost has been said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from runtime.bundle import Bundle
from runtime.cli.output import progress, warn
from runtime.embedder.embedder import Embedder
from runtime.history.history import History
from runtime.machine import gpu_in_sight, usable_cores
from runtime.record.map_record import MapOptions, Towers, planned
from runtime.record.map_record import record_map as record_planned
from runtime.record.map_tiles import open_map
from runtime.survey.survey import Skipped


@dataclass(frozen=True, slots=True)
class Starting:
    """Starts an embedder of a bundle in any process, with one thread: each core has a process of its own."""

    bundle: Path | None

    def __call__(self) -> Embedder:
        return Embedder(Bundle.load(self.bundle), threads=1, bulk=True)


def record_map(path: Path, history_path: Path, bundle: Path | None, options: MapOptions) -> tuple[int, list[Skipped]]:
    """Keyframes added, and what was left out; the history is not touched before the map has been found fit.

    ``options.processes`` 0: as many as there are cores; a GPU is kept busy by one.
    """
    start = Starting(bundle)
    if options.processes == 0:
        options = replace(options, processes=1 if gpu_in_sight() else usable_cores())
    with open_map(path) as opened:
        embedder = start()
        plan = planned(opened, embedder, options)
        warn(plan.sentence)
        space, name = embedder.bundle.embedding_space_id, embedder.bundle.name
        with History.append(history_path, space, name) as history:
            return record_planned(opened, plan, history, Towers(embedder, start), options, progress)
