"""How honest sigma is: the fixes and displacements that flights logged, through the filter of now, against the truth.

    python -m tests.bench.sigma LOG... [--floor-shares S...]

Of each log (MCAP, of a simulated flight, which holds the truth) everything from half a minute before its GPS was lost
goes through a new localizer, in the order in which it came; errors count after the loss, frame by frame, while
TRACKING. Inside the ellipses of 68 and 95 % should lie 68 and 95 %, in the mean over many flights; the mean squared
error over what was said for it should be one. ``--floor-shares``: `FixModel.floor_share`, several side by side.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from runtime.debrief.flown import Flown
from runtime.debrief.truth import Truth, truth_of
from runtime.geodesy import north_east_m
from runtime.localizer.parameters import FilterParameters, FixModel
from runtime.localizer.vision import TrackingLimits, VisionLocalizer
from runtime.values import Decision, Displacement, Fix, GeoPoint, Hypothesis, Odometry, TrackingState
from tests.bench.fixlogs import INSIDE_68, INSIDE_95

_BEFORE_NS = 30_000_000_000  # a filter that starts from nothing has found its place by then
Measured = Fix | Odometry


def measurements(flown: Flown, from_ns: int) -> Iterator[Measured]:
    """Fixes and odometry of a log, of exposures from an instant on, in the order in which navigation took them."""
    records = [(t_ns, channel, one) for channel in ("fix", "odometry") for t_ns, one in flown.records[channel]]
    for _, channel, record in sorted(records, key=lambda item: item[0]):
        if record["exposed_t_ns"] >= from_ns:
            yield _fix(record) if channel == "fix" else _odometry(record)


def _fix(record: Mapping[str, Any]) -> Fix:
    t_ns, found = record["exposed_t_ns"], tuple(_hypothesis(one) for one in record["hypotheses"])
    if record["decision"] != Decision.FIX.value:
        return Fix.none(t_ns, record["reason"], found)
    return Fix.at(t_ns, found[0], record["reason"], found)


def _hypothesis(record: Mapping[str, Any]) -> Hypothesis:
    places = {name: GeoPoint(**record[name]) for name in ("aircraft", "ground")}
    matrix = tuple(map(tuple, record["covariance_m2"]))
    return Hypothesis(**{**record, **places, "covariance_m2": matrix, "keyframe_ids": tuple(record["keyframe_ids"])})


def _odometry(record: Mapping[str, Any]) -> Odometry:
    said = record["displacement"]
    if said is not None:
        said = Displacement(**{**said, "random_covariance_m2": tuple(map(tuple, said["random_covariance_m2"]))})
    return Odometry(record["exposed_t_ns"], said)


def judged(flown: Flown, truth: Truth, parameters: FilterParameters) -> tuple[np.ndarray, np.ndarray]:
    """(N,) errors in metres and (N,) squared normalised ones of the frames after GPS was lost."""
    lost_ns = next(t_ns for t_ns, record in flown.records["navigation"] if record["gps"] == "lost")
    localizer, off, squares = VisionLocalizer(parameters, TrackingLimits(blind_s=2.5)), [], []
    for one in measurements(flown, lost_ns - _BEFORE_NS):
        if isinstance(one, Fix):
            localizer.on_fix(one, None)
            continue
        localizer.on_odometry(one)
        word, place = localizer.estimate(one.t_ns), truth.at(one.t_ns)
        if one.t_ns > lost_ns and word.state is TrackingState.TRACKING and word.position is not None and place:
            apart = np.array(north_east_m(place, word.position))
            off.append(float(np.hypot(*apart)))
            squares.append(float(apart @ np.linalg.solve(np.array(word.covariance_m2), apart)))
    return np.array(off), np.array(squares)


def main() -> None:
    """Print a line a log and share, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+", type=Path)
    parser.add_argument("--floor-shares", nargs="+", type=float, default=[FixModel().floor_share])
    options = parser.parse_args()
    found: dict[float, list[tuple[float, float, float]]] = {share: [] for share in options.floor_shares}
    for log in options.logs:
        flown = Flown.open(log)
        truth = truth_of(flown)
        if truth is None:
            raise SystemExit(f"{log} holds no truth.")
        for share in options.floor_shares:
            off_m, squares = judged(flown, truth, FilterParameters(fixes=FixModel(floor_share=share)))
            inside = float(np.mean(squares < INSIDE_68)), float(np.mean(squares < INSIDE_95))
            found[share].append((*inside, float(np.mean(squares)) / 2))
            print(f"{log}, {share:g}: {inside[0]:.0%} {inside[1]:.0%}, squares {found[share][-1][2]:.2f}, "
                  f"median {np.median(off_m):.1f} m, p95 {np.percentile(off_m, 95):.1f} m", flush=True)  # fmt: skip
    for share, figures in found.items():
        low, high, square = np.mean(figures, axis=0)
        print(f"mean of {len(figures)}, {share:g}: {low:.0%} {high:.0%}, squares {square:.2f}")


if __name__ == "__main__":
    main()
