"""A logistic model of the evidence, its threshold at a chosen rate of false acceptance, and how honest both are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from runtime.errors import UsageError
from runtime.matching.acceptance import Acceptance
from runtime.matching.acceptance_fit import fitted
from train.evaluate.intervals import Share
from train.evaluate.reliability.questions import OUT_OF_COVERAGE, TARGET, Evidence

FEATURES = ("similarity", "margin", "log_gallery")
_BINS = 10
Row = dict[str, Any]


def features(one: Evidence) -> dict[str, float]:
    """What the model sees of an answer."""
    return {"similarity": one.similarity, "margin": one.margin, "log_gallery": math.log(one.gallery)}


def fit(rows: Sequence[Evidence]) -> Row:
    """A table as `runtime.matching.acceptance` reads it, without a threshold yet (1: nothing is accepted).

    Raises:
        UsageError: there are only right answers, or only wrong ones.
    """
    right = np.array([row.right for row in rows])
    if len(rows) == 0 or right.all() or not right.any():
        raise UsageError("a measure of reliability needs right answers and wrong ones: give more places.")
    return fitted(FEATURES, np.array([[features(row)[name] for name in FEATURES] for row in rows]), right)


def probabilities(table: Row, rows: Sequence[Evidence]) -> NDArray[np.float64]:
    """(N,) that each answer is right."""
    model = Acceptance.of(table)
    assert model is not None
    return np.array([model.probabilities([features(row)])[0] for row in rows])


def with_threshold(table: Row, rows: Sequence[Evidence], rate: float) -> Row:
    """The table that accepts at most that share of the worst kind of out-of-coverage queries, on rows not fitted to.

    Raises:
        UsageError: a kind of out-of-coverage query is missing.
    """
    p = probabilities(table, rows)
    thresholds = []
    for kind in OUT_OF_COVERAGE:
        own = np.sort([value for value, row in zip(p, rows, strict=True) if row.kind == kind])
        if len(own) == 0:
            raise UsageError(f"the threshold needs out-of-coverage queries of the kind '{kind}': give more places.")
        accepted = math.floor(rate * len(own))
        thresholds.append(float(np.nextafter(own[len(own) - accepted - 1], 2.0)))
    return table | {"threshold": max(thresholds)}


@dataclass(frozen=True, slots=True)
class Reliability:
    """On rows used for nothing else: right places ``accepted``, ``wrong`` answers among the accepted ones to a question
    that has an answer, ``outside`` accepted by kind, the Brier score, and shares right by predicted probability."""

    accepted: Share
    wrong: Share
    outside: dict[str, Share]
    brier: float
    bins: tuple[tuple[float, Share], ...]  # mean prediction, share right

    @classmethod
    def of(cls, table: Row, rows: Sequence[Evidence]) -> Reliability:
        """Measure a finished table."""
        p = probabilities(table, rows)
        yes = p >= table["threshold"]
        right = np.array([row.right for row in rows])
        kinds = np.array([row.kind for row in rows], object)
        targets = kinds == TARGET
        outside = {kind: _share(yes, kinds == kind) for kind in OUT_OF_COVERAGE}
        which = np.minimum((p * _BINS).astype(int), _BINS - 1)
        bins = tuple(
            (float(p[which == b].mean()), _share(right, which == b)) for b in range(_BINS) if (which == b).any()
        )
        brier = float(((p - right) ** 2).mean())
        return cls(_share(yes, targets & right), _share(~right, targets & yes), outside, brier, bins)

    def as_json(self) -> Row:
        """Plain values, each share with its interval."""
        def plain(share: Share) -> Row:
            return {"share": share.value, "of": share.of, "interval_95": list(share.interval)}

        return {
            "right_accepted": plain(self.accepted), "wrong_among_accepted": plain(self.wrong),
            "strangers_accepted": {kind: plain(share) for kind, share in self.outside.items()},
            "brier": self.brier, "bins": [{"predicted": p, **plain(share)} for p, share in self.bins],
        }  # fmt: skip

    def draw(self, path: Path, title: str) -> None:
        """The reliability plot: predicted against observed, with intervals, on the diagonal if honest."""
        figure = Figure(figsize=(4.6, 4.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        predicted = [p for p, _ in self.bins]
        observed = np.array([share.value for _, share in self.bins])
        low, high = np.array([share.interval for _, share in self.bins]).T
        axes.errorbar(predicted, observed, (observed - low, high - observed), fmt="o", capsize=3)
        for p, share in self.bins:
            axes.annotate(str(share.of), (p, share.value), textcoords="offset points", xytext=(6, -10), fontsize=7)
        axes.set(xlabel="predicted probability", ylabel="share right (95 %)", title=title, xlim=(0, 1), ylim=(0, 1.02))
        figure.savefig(path, dpi=100)


def _share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Share:
    return Share(int((hits & among).sum()), int(among.sum()))
