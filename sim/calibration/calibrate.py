"""Calibrates pairs of views of a bundle on simulated seeds, each judged by a fit on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.errors import StorageError
from sim.calibration import report
from sim.calibration.answers import answers_of
from sim.calibration.model import Table as Fitted
from sim.calibration.model import fit, left_out, threshold_of
from sim.calibration.progress import Progress
from sim.calibration.questions import Counts

SEEDS = (100000, 100001, 100002, 100003, 100012)  # from 100000 up: never those of a scenario that is judged


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A pair's table, fitted on all seeds, and what its like accept on seeds left out of their fit."""

    table: Fitted
    acceptance: Table
    honesty: list[str]


def answer(pair: str, bundle: Bundle, folder: Path, seeds: Sequence[int], progress: Progress) -> None:
    """Only compute the answers to some seeds' questions, so that several processes can share the work.

    Raises:
        StorageError: the folder cannot be written.
    """
    _make(folder)
    for seed in seeds:
        answers_of(pair, seed, folder, Embedder(bundle, threads=1), Counts(), progress)


def calibrate(pair: str, bundle: Bundle, folder: Path, progress: Progress) -> Calibrated:
    """Ask, fit, choose the threshold. What was computed for a seed stays in the folder, and is not computed again.

    Raises:
        StorageError: the folder cannot be written.
        BundleError: the bundle tells right places from wrong ones too badly for any threshold.
    """
    _make(folder)
    embedder = Embedder(bundle, threads=1)
    answers = {seed: answers_of(pair, seed, folder, embedder, Counts(), progress) for seed in SEEDS}
    threshold = threshold_of(answers)
    judges = left_out(answers, threshold)
    title = f"{pair}: accepted at a probability of {threshold:g}, each seed by a fit on the others"
    table = fit([one for own in answers.values() for one in own], threshold) | {"seeds": list(SEEDS)}
    return Calibrated(table, report.acceptance(answers, judges, title), report.honesty(answers, judges))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"folder {folder} cannot be made: {error.strerror}; give another with --out.") from error
