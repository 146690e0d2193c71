"""Calibrates pairs of views of a bundle on simulated seeds, each judged by a fit on the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from runtime.bundle import Bundle
from runtime.cli.output import Progressing
from runtime.embedder.embedder import Embedder
from runtime.errors import StorageError
from sim.acceptance import report
from sim.acceptance.answers import answers_of
from sim.acceptance.model import Table as Fitted
from sim.acceptance.model import fit, left_out, threshold_of
from sim.acceptance.questions import Counts

SEEDS = (100000, 100001, 100002, 100003, 100012)  # from 100000 up: never those of a scenario that is judged


@dataclass(frozen=True, slots=True)
class PairAcceptance:
    """A pair's table, fitted on all seeds, and what its like accept on seeds left out of their fit."""

    table: Fitted
    acceptance: Table
    honesty: list[str]


def fit_acceptance(pair: str, bundle: Bundle, folder: Path, progress: Progressing) -> PairAcceptance:
    """Ask, fit, choose the threshold. What was computed for a seed stays in the folder, and is not computed again.

    Raises:
        StorageError: the folder cannot be written.
        BundleError: the bundle tells right places from wrong ones too badly for any threshold.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"folder {folder} cannot be made: {error.strerror}; give another with --out.") from error
    embedder = Embedder(bundle, threads=1)
    answers = {seed: answers_of(pair, seed, folder, embedder, Counts(), progress) for seed in SEEDS}
    threshold = threshold_of(answers)
    judges = left_out(answers, threshold)
    title = f"{pair}: accepted at a probability of {threshold:g}, each seed by a fit on the others"
    table = fit([one for own in answers.values() for one in own], threshold) | {"seeds": list(SEEDS)}
    return PairAcceptance(table, report.acceptance(answers, judges, title), report.honesty(answers, judges))
