"""What an acceptance table accepts, and how honest its probabilities and its sigma are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table

from runtime.matching.acceptance import Acceptance
from sim.acceptance import model
from sim.acceptance.answers import Answer
from sim.acceptance.questions import FAR, KNOWN, NEAR, TARGET

_BINS = (0.0, 0.1, 0.5, 0.9, 1.0)


def acceptance(answers: Mapping[int, Sequence[Answer]], tables: Mapping[int, model.Table], title: str) -> Table:
    """A row for each seed and for each thing that may be unknown, then their sums; every seed under its own table."""
    columns = ("seed", "unknown", "targets", "near", "far", "wrong", "median m", "p95 m", "worst m")
    table = Table(title=title, box=None, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    modes = sorted({one.mode for own in answers.values() for one in own})
    for mode in modes:
        for seed, own in answers.items():
            mine = [one for one in own if one.mode == mode]
            if mine:
                table.add_row(str(seed), _unknown(mode), *_cells(mine, model.accepted(tables[seed], mine)))
    for mode in modes:
        everyone = [one for own in answers.values() for one in own if one.mode == mode]
        passed = [
            one for seed, own in answers.items() for one in model.accepted(tables[seed], own) if one.mode == mode
        ]
        table.add_row("all", _unknown(mode), *_cells(everyone, passed))
    return table


def _unknown(mode: str) -> str:
    return "nothing" if mode == KNOWN else mode


def _cells(asked: Sequence[Answer], accepted: Sequence[Answer]) -> list[str]:
    def share(kind: str) -> str:
        return f"{sum(one.kind == kind for one in accepted)}/{sum(one.kind == kind for one in asked)}"

    errors = [one.error_m for one in accepted if one.right and one.error_m is not None] or [math.nan]
    wrong = sum(not one.right for one in accepted)
    metres = (float(np.median(errors)), float(np.percentile(errors, 95)), max(errors))
    return [share(TARGET), share(NEAR), share(FAR), str(wrong), *(f"{value:.1f}" for value in metres)]


def honesty(answers: Mapping[int, Sequence[Answer]], tables: Mapping[int, model.Table]) -> list[str]:
    """Sentences: of how many answers with such a probability the place was right, and how many errors are within one,
    two and three sigma."""
    p, right = [], []
    for seed, own in answers.items():
        judge = Acceptance.of(tables[seed])
        assert judge is not None
        for one in own:
            if one.places:
                p.append(judge.probabilities(one.places)[0])
                right.append(one.right)
    probability, truth = np.array(p), np.array(right)
    lines = [f"Brier score {((probability - truth) ** 2).mean():.4f}."]
    for low, high in zip(_BINS[:-1], _BINS[1:], strict=True):
        inside = (probability >= low) & (probability < high)
        if inside.any():
            lines.append(f"Of {inside.sum()} answers with a probability of {low:g} to {high:g}, "
                         f"{truth[inside].mean():.2f} are right.")  # fmt: skip
    sigmas = np.array([
        one.error_m / tables[seed]["sigma_m"]
        for seed, own in answers.items()
        for one in model.accepted(tables[seed], own) if one.right and one.error_m is not None
    ])  # fmt: skip
    if len(sigmas):
        within = ", ".join(f"{k}: {(sigmas <= k).mean():.2f} ({1 - math.exp(-k * k / 2):.2f})" for k in (1, 2, 3))
        lines.append(f"Errors within so many sigma, and what a Rayleigh distribution has: {within}.")
    return lines
