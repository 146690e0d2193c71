"""How honest sigma is: the fixes and displacements that flights logged, through the filter of now, against the truth.

    python -m tests.bench.sigma LOG... [--tilts DEG...] [--reaches M...]

Each log (MCAP, of a simulated flight, which holds the truth) goes through a new localizer from its beginning, in the
order in which it came; errors count after GPS was lost, or from a quarter of a minute on where there never was any,
frame by frame, while TRACKING. Inside the ellipses of 68 and 95 % should lie 68 and 95 %, in the mean over many
flights; the mean squared error over what was said for it should be one. ``--tilts`` and ``--reaches``:
`FixModel.tilt_sigma_rad` in degrees and `FixModel.shared_reach_m`, several side by side; the best of them by the
logarithmic score of the truth is then chosen for each flight by all others.

Fixes that do not say how a tilt moves them, as those of older logs, are told it from the history that lies beside the
log's folder, where there is one.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from runtime.debrief.flown import Flown
from runtime.debrief.truth import Truth, truth_of
from runtime.fix.tilt import over_map
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.localizer.parameters import FilterParameters, FixModel
from runtime.localizer.vision import TrackingLimits, VisionLocalizer
from runtime.values import Decision, Displacement, Fix, GeoPoint, Hypothesis, Odometry, TrackingState, ViewKind
from tests.bench.fixlogs import FARTHEST, INSIDE_68, INSIDE_95

_FOUND_NS = 15_000_000_000  # a filter that starts from nothing has found its place by then
Measured = Fix | Odometry
Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a log holds: its ``measured`` in the order in which navigation took them, the ``truth``, and from when on
    errors count."""

    measured: tuple[Measured, ...]
    truth: Truth
    from_ns: int


def replayed(log: Path) -> Replayed:
    """A log read.

    Raises:
        SystemExit: it holds no truth.
    """
    flown = Flown.open(log)
    truth = truth_of(flown)
    if truth is None:
        raise SystemExit(f"{log} holds no truth.")
    lost = [t_ns for t_ns, record in flown.records["navigation"] if record["gps"] == "lost"]
    taken = tuple(measurements(flown, _recorded_slopes(log)))
    return Replayed(taken, truth, lost[0] if lost else taken[0].t_ns + _FOUND_NS)


def _recorded_slopes(log: Path) -> dict[int, Array]:
    """(2, 2) by keyframe: how the same tilt moved it when it was recorded."""
    path = log.parent.parent / "history.db"
    if not path.is_file():
        return {}
    with History.open(path) as history:
        known = [(one.keyframe_id, one.pose) for one in history.keyframes(ViewKind.DRONE, crops=False)]
        tiles = [one.keyframe_id for one in history.keyframes(ViewKind.SATELLITE, crops=False)]
    seen = {
        keyframe_id: over_map(pose.heading.value, pose.height_agl_m.value)
        for keyframe_id, pose in known
        if pose.heading is not None and pose.height_agl_m is not None
    }
    return {**dict.fromkeys(tiles, np.zeros((2, 2))), **seen}


def measurements(flown: Flown, recorded: Mapping[int, Array]) -> Iterator[Measured]:
    """Fixes and odometry of a log, in the order in which navigation took them."""
    records = [(t_ns, channel, one) for channel in ("fix", "odometry") for t_ns, one in flown.records[channel]]
    poses = {record["exposed_t_ns"]: record for _, record in flown.records["pose"]}
    for _, channel, record in sorted(records, key=lambda item: item[0]):
        if channel == "odometry":
            yield _odometry(record)
        else:
            yield _fix(record, poses.get(record["exposed_t_ns"]), recorded)


def _fix(record: Mapping[str, Any], pose: Mapping[str, Any] | None, recorded: Mapping[int, Array]) -> Fix:
    t_ns = record["exposed_t_ns"]
    found = tuple(_told(_hypothesis(one), pose, recorded) for one in record["hypotheses"])
    if record["decision"] != Decision.FIX.value:
        return Fix.none(t_ns, record["reason"], found)
    return Fix.at(t_ns, found[0], record["reason"], found)


def _hypothesis(record: Mapping[str, Any]) -> Hypothesis:
    places = {name: GeoPoint(**record[name]) for name in ("aircraft", "ground")}
    matrices = {name: tuple(map(tuple, record[name])) for name in ("covariance_m2", "tilt_slopes_m") if name in record}
    return Hypothesis(**{**record, **places, **matrices, "keyframe_ids": tuple(record["keyframe_ids"])})


def _told(one: Hypothesis, pose: Mapping[str, Any] | None, recorded: Mapping[int, Array]) -> Hypothesis:
    """A verified place with its slopes, where the log did not say them."""
    slopes = [recorded[keyframe_id] for keyframe_id in one.keyframe_ids if keyframe_id in recorded]
    said = any(map(any, one.tilt_slopes_m)) or one.log_likelihood_ratio <= 0
    if said or not slopes or pose is None or not pose["height_agl_m"]:
        return one
    matrix = over_map(pose["heading_rad"], pose["height_agl_m"]) - np.mean(slopes, axis=0)
    (nf, nr), (ef, er) = matrix.tolist()
    return replace(one, tilt_slopes_m=((nf, nr), (ef, er)))


def _odometry(record: Mapping[str, Any]) -> Odometry:
    said = record["displacement"]
    if said is not None:
        said = Displacement(**{**said, "random_covariance_m2": tuple(map(tuple, said["random_covariance_m2"]))})
    return Odometry(record["exposed_t_ns"], said)


@dataclass(frozen=True, slots=True)
class Judged:
    """Of one flight: (N,) ``off_m``, (N,) ``squares``, normalised, and (N,) ``said_m``, sigmas an axis."""

    off_m: Array
    squares: Array
    said_m: Array

    @property
    def figures(self) -> tuple[float, ...]:
        """Shares inside both ellipses, mean square, median and 95th percentile in metres, mean sigma, score."""
        scores = -0.5 * np.minimum(self.squares, FARTHEST) - 2.0 * np.log(self.said_m)
        median_m, p95_m = np.percentile(self.off_m, [50, 95])
        inside = float(np.mean(self.squares < INSIDE_68)), float(np.mean(self.squares < INSIDE_95))
        return (*inside, float(np.mean(self.squares)) / 2, median_m, p95_m, float(self.said_m.mean()), scores.mean())


def judged(flight: Replayed, parameters: FilterParameters) -> Judged:
    """The filter's answers to a flight against its truth."""
    localizer = VisionLocalizer(parameters, TrackingLimits(blind_s=2.5))
    off, squares, said = [], [], []
    for one in flight.measured:
        if isinstance(one, Fix):
            localizer.on_fix(one, None)
            continue
        localizer.on_odometry(one)
        word, place = localizer.estimate(one.t_ns), flight.truth.at(one.t_ns)
        if one.t_ns > flight.from_ns and word.state is TrackingState.TRACKING and word.position is not None and place:
            apart, covariance = np.array(north_east_m(place, word.position)), np.array(word.covariance_m2)
            off.append(float(np.hypot(*apart)))
            squares.append(float(apart @ np.linalg.solve(covariance, apart)))
            said.append(float(np.linalg.det(covariance)) ** 0.25)
    return Judged(np.array(off), np.array(squares), np.array(said))


def _line(figures: Sequence[float]) -> str:
    low, high, square, median_m, p95_m, said_m, score = figures
    return (f"{low:.0%} {high:.0%}, squares {square:.2f}, median {median_m:.2f} m, p95 {p95_m:.2f} m, "
            f"said {said_m:.2f} m, score {score:.3f}")  # fmt: skip


def main() -> None:
    """Print a line a log and variant, the means, and what each flight gets by what the others chose."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+", type=Path)
    model = FixModel()
    parser.add_argument("--tilts", nargs="+", type=float, default=[math.degrees(model.tilt_sigma_rad)])
    parser.add_argument("--reaches", nargs="+", type=float, default=[model.shared_reach_m])
    options = parser.parse_args()
    variants = [(tilt, reach) for tilt in options.tilts for reach in options.reaches]
    table = np.zeros((len(options.logs), len(variants), 7))
    for row, log in enumerate(options.logs):
        flight = replayed(log)
        for column, (tilt_deg, reach_m) in enumerate(variants):
            fixes = replace(model, tilt_sigma_rad=math.radians(tilt_deg), shared_reach_m=reach_m)
            table[row, column] = judged(flight, FilterParameters(fixes=fixes)).figures
            print(f"{log}, {tilt_deg:.2g} deg, {reach_m:g} m: {_line(table[row, column])}", flush=True)
    for column, (tilt_deg, reach_m) in enumerate(variants):
        print(f"mean of {len(table)}, {tilt_deg:.2g} deg, {reach_m:g} m: {_line(table[:, column].mean(axis=0))}")
    if len(variants) > 1 and len(table) > 1:
        others = (table[:, :, -1].sum(axis=0) - table[:, :, -1]).argmax(axis=1)
        print(f"each by all others' choice: {_line(table[np.arange(len(table)), others].mean(axis=0))}")


if __name__ == "__main__":
    main()
