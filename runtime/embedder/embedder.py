"""Crops to embeddings, through whatever engine runs the bundle's towers; nothing is flown that fails parity."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.embedder.backends import PassedOver, backend, order_here
from runtime.embedder.engine import Backend, Engine
from runtime.embedder.parity import BARS, Bar, Comparison, compare
from runtime.embedder.parity_record import Sample, keep, passed_sample, record_path
from runtime.embedder.parity_set import parity_embeddings, parity_images, parity_sheets
from runtime.embedder.serialised import Serialised
from runtime.errors import BundleError, EngineError
from runtime.machine import default_threads
from runtime.values import Embeddings, Vectors, ViewKind

__all__ = ["Embedder", "parity_embeddings", "parity_images"]

log = logging.getLogger(__name__)

_AT_A_LATER_START = 16  # images compared once the engine has passed the whole gate on this computer


@dataclass(frozen=True, slots=True)
class EngineReport:
    """What runs the towers, for `status`; a warning for every backend that was preferred and does not run."""

    backend: str
    precision: str
    parity: float
    warnings: tuple[str, ...]


class Embedder:
    """The towers of a bundle, ready to run; towers that share a file share an engine.

    Any thread may embed at any time. An engine runs one batch at a time, and threads take turns after each: a live
    frame waits for at most one batch of each other thread, however many crops a target has.

    ``backends`` are tried in order (None: what suits this computer); each one that does not run, or fails parity, is
    in ``passed_over`` and in the log. ``precision`` None: the backend's own, so float16 on a GPU and float32 on a CPU.
    ``bulk``: for many crops at a time, not for flight. ``quiet``: not in the log, for a caller who says it himself.
    ``engines`` makes an engine of a model file in their place: the seam for others.

    Raises:
        BundleError: a tower has no such precision, cannot be run here, or fails parity.
    """

    def __init__(
        self,
        bundle: Bundle,
        threads: int | None = None,
        precision: str | None = None,
        engines: Callable[[Path], Engine] | None = None,
        backends: Sequence[str] | None = None,
        bulk: bool = False,
        quiet: bool = False,
    ) -> None:
        self.bundle, self._bulk, self._quiet = bundle, bulk, quiet
        self.passed_over: tuple[PassedOver, ...] = ()
        self._threads = default_threads() if threads is None else threads
        self._engines: dict[ViewKind, Engine] = {}
        self.precision = precision or "fp32"
        if engines is not None:
            self.parity = self._start(engines, None)
        else:
            self.parity = self._start_first(precision, backends or order_here())
        log.info("%s %s runs on %s, parity %.6f", bundle.name, self.precision, self.backend, self.parity)

    @property
    def backend(self) -> str:
        """What runs the towers, for people."""
        return ", ".join(dict.fromkeys(engine.name for engine in self._engines.values()))

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for every backend that was preferred and does not run."""
        return tuple(passed.sentence(self.backend) for passed in self.passed_over)

    @property
    def report(self) -> EngineReport:
        """What runs the towers, and every backend that was passed over, as `status` shows it."""
        return EngineReport(self.backend, self.precision, self.parity, self.warnings)

    @property
    def batch(self) -> int:
        """How many crops the engines take at best at once."""
        return min(engine.batch for engine in self._engines.values())

    def embed(self, view: ViewKind, crops: NDArray[np.uint8]) -> Embeddings:
        """(N, S, S, 3) uint8 RGB north-up crops to ``vectors`` (N, D) float32 unit rows and ``maps``.

        Raises:
            ValueError: the crops have another shape or type.
            BundleError: the bundle has no tower for this view.
            EngineError: the tower gave NaN or infinity.
        """
        found = self._computed(view, crops)
        if not np.isfinite(found.vectors).all():
            name = self._engines[view].name
            raise EngineError(f"the {view.value} tower on {name} gave no numbers; nothing can be recognised by it.")
        return found

    def _computed(self, view: ViewKind, crops: NDArray[np.uint8]) -> Embeddings:
        size = self.bundle.input_size_px
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (size, size, 3):
            raise ValueError(f"crops must be uint8 (N, {size}, {size}, 3), not {crops.dtype} {crops.shape}.")
        if view not in self._engines:
            raise BundleError(f"the bundle {self.bundle.name} has no {view.value} tower.")
        if len(crops) == 0:
            return self._nothing()
        engine = self._engines[view]
        chunks = [engine.run(crops[i : i + engine.batch]) for i in range(0, len(crops), engine.batch)]
        vectors = np.concatenate([vectors for vectors, _ in chunks])
        maps = [chunk for _, chunk in chunks if chunk is not None]
        return Embeddings(vectors, np.concatenate(maps) if maps else None)

    def _nothing(self) -> Embeddings:
        shape = self.bundle.map_shape
        maps = np.zeros((0, *shape), np.float32) if shape is not None else None
        return Embeddings(np.zeros((0, self.bundle.embedding_dim), np.float32), maps)

    def _start_first(self, precision: str | None, names: Sequence[str]) -> float:
        """The parity of the first backend that runs."""
        passed: list[PassedOver] = []
        for name in names:
            one = backend(name, self._bulk)
            self.precision = precision or _best_precision(self.bundle, one)
            try:
                parity = self._start(partial(one.start, threads=self._threads), one)
            except BundleError as error:
                if len(names) == 1:
                    raise
                passed.append(PassedOver(name, str(error)))
                continue
            self.passed_over = tuple(passed)
            for warning in () if self._quiet else self.warnings:
                log.warning("%s", warning)
            return parity
        reasons = " ".join(f"{p.backend}: {p.reason}" for p in passed)
        raise EngineError(f"the bundle {self.bundle.name} is run by none of {', '.join(names)} here. {reasons}")

    def _start(self, make: Callable[[Path], Engine], one: Backend | None) -> float:
        """Engines of every file, and the worst cosine with the reference over the parity images."""
        bundle = self.bundle
        files = {view: bundle.model(view, self.precision).file for view in bundle.views}
        by_file = {file: Serialised(make(bundle.path / file)) for file in dict.fromkeys(files.values())}
        self._engines = {view: by_file[file] for view, file in files.items()}
        once = {file: view for view, file in files.items()}.values()
        return min(self._checked(view, one) for view in once)

    def _checked(self, view: ViewKind, one: Backend | None) -> float:
        """The gate: whole at the first start on this computer, a few images at later ones."""
        reference = parity_embeddings(self.bundle, view)
        record = record_path(self.bundle, view, self.precision, one) if one is not None else None
        known = None if record is None else passed_sample(record)
        if known is not None and known.of(len(reference), self.bundle.input_size_px):
            comparison = compare(self._computed(view, known.crops).vectors, reference[known.rows])
            self._hold(view, comparison, BARS[self.precision].of_a_sample())
            return comparison.cosine_min
        vectors, sample = self._of_the_whole_set(view, len(reference))
        comparison = compare(vectors, reference)
        self._hold(view, comparison, BARS[self.precision])
        if record is not None:
            keep(record, self._engines[view].name, comparison.cosine_min, sample)
        return comparison.cosine_min

    def _of_the_whole_set(self, view: ViewKind, count: int) -> tuple[Vectors, Sample]:
        """What the tower gives for all ``count`` parity images, and a few of them; one sheet is in memory at a time."""
        few = np.unique(np.linspace(0, count - 1, _AT_A_LATER_START).astype(np.int64))
        vectors, crops, start = [], [], 0
        for sheet in parity_sheets(self.bundle):
            vectors.append(self._computed(view, sheet).vectors)
            here = few[(few >= start) & (few < start + len(sheet))]
            crops.append(sheet[here - start])
            start += len(sheet)
        if start != count:
            raise BundleError(
                f"the bundle {self.bundle.name} has {start} parity images, but {count} reference embeddings."
            )
        return np.concatenate(vectors), Sample(few, np.concatenate(crops))

    def _hold(self, view: ViewKind, comparison: Comparison, bar: Bar) -> None:
        reason = comparison.refusal(bar)
        if reason is not None:
            raise BundleError(
                f"the {self.precision} {view.value} tower of {self.bundle.name} on {self._engines[view].name} differs "
                f"from its reference: {reason}."
            )


def _best_precision(bundle: Bundle, one: Backend) -> str:
    """The backend's first choice that every tower has."""
    common = set.intersection(*(set(tower) for tower in bundle.manifest.towers.values()))
    return next((precision for precision in one.precisions if precision in common), "fp32")
