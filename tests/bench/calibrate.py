"""Fits the calibration of an ordered pair of views on simulated seeds, and writes it into the bundle.

``python -m tests.bench.calibrate --pair drone|map|tiles --cache DIR [--write]``: satellite targets in drone histories,
drone frames on satellite tiles, or satellite targets on another satellite's tiles; seeds from 100000 up, never those of
the acceptance runs. Every seed is judged by a model fitted on the others, which is what the table shows; the model that
is written is fitted on all of them. What was computed for a seed is kept in ``--cache`` (empty it when the worlds
change); ``--only SEED...`` computes no more than that, so that several can run at once.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from runtime.bundle import DEFAULT_BUNDLE, write_calibration
from runtime.calibration import Calibration
from runtime.embedder.embedder import Embedder
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.place.locator import Locator
from runtime.values import GeoPoint, ViewKind
from tests.bench import map_site, survey_site
from tests.bench.survey_site import embedder_of

SEEDS = (100000, 100001, 100002, 100003, 100012)
FEATURES = ("sharpness", "contrast", "margin", "log_cover", "log_chances")
TARGETS, NEAR, FAR, SEARCHED = 40, 40, 80, 5
RIGHT_M = 15.0  # an accepted place further from the truth is wrong
RIDGE = 1e-3  # keeps the weights finite where the classes part cleanly
# The least, in steps of .05, at which no more than 3 in 1,000 strangers pass on seeds left out of the fit.
THRESHOLD = 0.8
# Galleries that are all about the same size say nothing of what their size does: a weight fitted to that noise would
# decide alone in every gallery of another size. What varies by less than this, in its logarithm, is left out.
LEAST_SPREAD = {"log_cover": 0.1, "log_chances": 0.1}
PAIRS = {  # query and gallery
    "drone": (ViewKind.SATELLITE, ViewKind.DRONE),
    "map": (ViewKind.DRONE, ViewKind.SATELLITE),
    "tiles": (ViewKind.SATELLITE, ViewKind.SATELLITE),
}
Row = dict[str, Any]


def rows_of(pair: str, seed: int, cache: Path, embedder: Embedder) -> list[Row]:
    """A row for each question: its features, kind, mode, error and whether the place is right."""
    kept = cache / f"{seed}.{pair}.{embedder.bundle.embedding_space_id}.json"
    if kept.exists():
        return list(json.loads(kept.read_text()))
    query, gallery = PAIRS[pair]
    site: survey_site.Site | map_site.MapSite
    questions: Iterable[survey_site.Question]
    if pair == "drone":
        site = survey_site.Site(seed, cache, embedder)
        questions = site.questions(TARGETS, NEAR, FAR, SEARCHED)
    else:
        site = map_site.MapSite(seed, cache, embedder)
        questions = (site.questions if pair == "map" else site.pictures)(TARGETS, NEAR, FAR)
    with History.open(site.history) as history:
        locator = Locator(history, embedder, view=gallery, query=query)
        sigma_m = float(np.median([one.ground_sigma_m for one in history.keyframes(crops=False)]))
        rows = [
            {"seed": seed, "ground_sigma_m": sigma_m} | _row(locator, question, site.world.origin)
            for question in questions
        ]
    kept.write_text(json.dumps(rows))
    return rows


def _row(locator: Locator, question: survey_site.Question, origin: GeoPoint) -> Row:
    found = locator.features(question.target, any_heading=question.mode == "heading")
    row: Row = {"kind": question.kind, "mode": question.mode}
    if found is None:
        return row | {"features": None, "error_m": None, "right": False}
    north, east = north_east_m(origin, found[1])
    error_m = float(np.hypot(north - question.truth[0], east - question.truth[1]))
    right = question.kind == "target" and error_m <= RIGHT_M
    return row | {"features": found[0], "error_m": error_m, "right": right}


def fit(rows: list[Row]) -> Row:
    """A logistic model by maximum likelihood with a small ridge; every mode counts by its number of rows."""
    known = [row for row in rows if row["features"] is not None]
    values = np.array([[row["features"][name] for name in FEATURES] for row in known])
    right = np.array([row["right"] for row in known])
    mean, scale = values.mean(axis=0), values.std(axis=0)
    even = scale < [LEAST_SPREAD.get(name, 0.0) for name in FEATURES]
    scale[even] = 1.0
    units = np.where(even, 0.0, (values - mean) / scale)  # its weight is then 0

    def loss(weights: NDArray[np.float64]) -> float:
        logit = units @ weights[:-1] + weights[-1]
        return float(np.logaddexp(0, np.where(right, -logit, logit)).mean() + RIDGE / 2 * (weights[:-1] ** 2).sum())

    best = minimize(loss, np.zeros(len(FEATURES) + 1)).x
    return {
        "model": "logistic",
        "features": list(FEATURES),
        "mean": mean.round(6).tolist(),
        "scale": scale.round(6).tolist(),
        "weights": best[:-1].round(4).tolist(),
        "bias": round(float(best[-1]), 4),
    }


def with_errors(table: Row, rows: list[Row]) -> Row:
    """The table with its threshold and the error of the right places that it accepts."""
    model = Calibration.of(table | {"threshold": THRESHOLD, "sigma_m": 0.0, "ground_sigma_m": 0.0})
    assert model is not None
    accepted = [row for row in rows if row["right"] and model.probability(row["features"]) >= THRESHOLD]
    errors = np.array([row["error_m"] for row in accepted])
    return table | {
        "threshold": THRESHOLD,
        "sigma_m": round(float(np.sqrt((errors**2).mean() / 2)), 2),
        "ground_sigma_m": round(float(np.median([row["ground_sigma_m"] for row in rows])), 2),
    }


def report(table: Row, rows: list[Row], title: str) -> None:
    """What the threshold accepts, by mode and seed, and how honest the probability and the sigma are."""
    model = Calibration.of(table)
    assert model is not None
    print(f"\n{title}: accepted at probability >= {model.threshold:.3f}")
    print(f"{'seed':>7} {'mode':<8} {'targets':>9} {'near':>7} {'far':>7} {'wrong':>6} {'median m':>9}", end="")
    print(f" {'p95 m':>6} {'max m':>6}")
    for seed, mode in sorted({(row["seed"], row["mode"]) for row in rows}, key=lambda key: (key[1], key[0])):
        mine = [row for row in rows if (row["seed"], row["mode"]) == (seed, mode)]
        print(f"{seed:>7} {mode:<8} {_line(model, mine)}")
    for mode in sorted({row["mode"] for row in rows}):
        print(f"{'all':>7} {mode:<8} {_line(model, [row for row in rows if row['mode'] == mode])}")
    known = [row for row in rows if row["features"]]
    p = np.array([model.probability(row["features"]) for row in known])
    right = np.array([row["right"] for row in known])
    print(f"Brier score {((p - right) ** 2).mean():.4f}; reliability:", end="")
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.01)):
        inside = (p >= low) & (p < high)
        share = f"{right[inside].mean():.2f}" if inside.any() else "-"
        print(f"  [{low:g}, {min(high, 1):g}) n {inside.sum()} right {share}", end="")
    errors = np.array([row["error_m"] for row in known])[right & (p >= model.threshold)]
    print(f"\nerrors within so many sigma of {model.sigma_m:g} m, and by a Rayleigh distribution:", end="")
    for k in (1, 2, 3):
        print(f"  {k}: {(errors <= k * model.sigma_m).mean():.2f} ({1 - np.exp(-k * k / 2):.2f})", end="")
    print()


def _line(model: Calibration, rows: list[Row]) -> str:
    accepted = [row for row in rows if row["features"] and model.probability(row["features"]) >= model.threshold]
    counts = [
        f"{sum(row['kind'] == kind for row in accepted)}/{sum(row['kind'] == kind for row in rows)}"
        for kind in ("target", "near", "far")
    ]
    errors = [row["error_m"] for row in accepted if row["right"]] or [float("nan")]
    wrong = sum(not row["right"] for row in accepted)
    return (
        f"{counts[0]:>9} {counts[1]:>7} {counts[2]:>7} {wrong:>6} {np.median(errors):>9.1f} "
        f"{np.percentile(errors, 95):>6.1f} {max(errors):>6.1f}"
    )


def main() -> None:
    """Compute what is not cached, fit, choose, report, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pair", choices=list(PAIRS), default="drone", help="the gallery")
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--cache", type=Path, default=Path("build/calibrate"))
    parser.add_argument("--write", action="store_true", help="put the table into the bundle")
    parser.add_argument("--only", type=int, nargs="+", help="compute these seeds and stop")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    embedder = embedder_of(arguments.bundle)
    if arguments.only:
        for seed in arguments.only:
            print(seed, len(rows_of(arguments.pair, seed, arguments.cache, embedder)), "questions", flush=True)
        return
    rows = {seed: rows_of(arguments.pair, seed, arguments.cache, embedder) for seed in SEEDS}
    for left_out in SEEDS:
        others = [row for seed in SEEDS if seed != left_out for row in rows[seed]]
        report(with_errors(fit(others), others), rows[left_out], f"seed {left_out}, judged by the others")
    every = [row for seed in SEEDS for row in rows[seed]]
    table = with_errors(fit(every), every) | {"seeds": list(SEEDS)}
    report(table, every, "the model that ships, on what it was fitted on")
    print(json.dumps(table))
    if arguments.write:
        write_calibration(arguments.bundle, *PAIRS[arguments.pair], table)
        print(f"written to {arguments.bundle}")


if __name__ == "__main__":
    main()
