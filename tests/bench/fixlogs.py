"""Our sequence filter on another system's measured fixes, beside that system's own filter.

    python -m tests.bench.fixlogs [--fit N]

The logs are of FVL-SAR (Aalborg) on nine UAV-VisLoc flights and on VPAIR: for each image the measured position, where
one was found, the truth, and what its extended Kalman filter said. There is no odometry in them. A UAV-VisLoc flight is
a row of straight runs; the other filter is given position, course and speed at the start of each, and ours the same.
VPAIR is one long flight of an aeroplane whose heading the log gives: its velocity turns with it.

Every flight is filtered with the assumptions that did best on all others, of N drawn ones (``--fit N`` draws them anew,
a dozen seconds each; the two logs of VPAIR are one flight). Best: the mean logarithmic score of the true positions by
the Gaussians that the filter gives, which asks for accuracy and for honest sigmas at once (Good, J. Royal Statistical
Society B 14, 1952). 68 and 95 % of a Gaussian lie inside the ellipses of 1.51 and 2.45 sigma.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from runtime.localizer.gaussian_sum import GaussianSum
from runtime.localizer.parameters import Bounds, FilterParameters, FixModel, MotionModel
from runtime.localizer.sequence_filter import SequenceFilter
from runtime.localizer.state import POSITION, VELOCITY, known
from runtime.localizer.updates import Place
from tests.bench.real_photos import DATA

Array = NDArray[np.float64]
LOGS = DATA / "fixlogs"
_START_SIGMA_M = 15.0
_SPEED_SHARE, _COURSE_RAD = 0.15, 0.3  # how well speed and course are known at the start of a run
INSIDE_68, INSIDE_95 = 2.28, 5.99  # chi-square with two degrees of freedom
_FIX_SIGMA_M = 12.0  # of each fix alone, before the filter has found how good they are
FARTHEST = 40.0  # squared sigmas that still count in a score: farther is as wrong
_STEP_S = 1.0  # from one image to the next: the cameras are released by distance, and the logs hold no times


@dataclass(frozen=True, slots=True)
class FixLog:
    """A flight of N images. Arrays (N, 2) are metres east and north of the log's own point: ``true_m``,
    ``measured_m`` (NaN where nothing was found), ``other_m``, the other filter's answer. ``heading_rad`` (N,) by the
    other filter. ``runs``: first and last-but-one index of each straight run. ``aeroplane``: heading is trusted."""

    name: str
    true_m: Array
    measured_m: Array
    other_m: Array
    heading_rad: Array
    runs: tuple[tuple[int, int], ...]
    aeroplane: bool


@dataclass(frozen=True, slots=True)
class Filtered:
    """Our answer on a flight: ``positions_m`` (N, 2), ``covariances_m2`` (N, 2, 2); ``log_likelihood`` of the fixes."""

    positions_m: Array
    covariances_m2: Array
    log_likelihood: float


def logs() -> list[FixLog]:
    """Every log at hand."""
    return [read(path) for path in sorted(LOGS.glob("*.csv"))]


def read(path: Path) -> FixLog:
    """One log; UAV-VisLoc's are in pixels of a map, each axis of its own size, and their errors in metres."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    measured, other = _columns(rows, "x_meas", "y_meas"), _columns(rows, "x_ekf", "y_ekf")
    measured_off, other_off = _columns(rows, "dx", "dy"), _columns(rows, "dx_ekf", "dy_ekf")
    both = np.isfinite(measured_off[:, 0])
    apart, apart_m = (measured - other)[both], (measured_off - other_off)[both]
    metres_per_unit = np.sum(apart * apart_m, axis=0) / np.sum(apart**2, axis=0)
    measured[~both] = np.nan
    aeroplane = path.name.startswith("vpair")
    scale = np.array([1.0, -1.0 if aeroplane else 1.0])  # VPAIR's second axis points south
    angles = np.radians(_columns(rows, "phi_ekf_deg")[:, 0])  # on the map's pixels, which are not square
    east, north = np.sin(angles) * abs(metres_per_unit[0]), np.cos(angles) * abs(metres_per_unit[1])
    numbers = np.array([int(Path(row["drone_image"]).stem.rpartition("_")[2]) for row in rows])
    cuts = [0, *(np.nonzero(np.diff(numbers) > 1)[0] + 1).tolist(), len(rows)]
    return FixLog(
        name=path.stem.replace("uavvisloc_results_", "UAV-VisLoc ").replace("vpair_", "VPAIR ").replace("_", " "),
        true_m=(other * metres_per_unit - other_off) * scale,
        measured_m=measured * metres_per_unit * scale,
        other_m=other * metres_per_unit * scale,
        heading_rad=np.arctan2(east, north),
        runs=tuple(zip(cuts[:-1], cuts[1:], strict=True)),
        aeroplane=aeroplane,
    )


def _columns(rows: list[dict[str, str]], *names: str) -> Array:
    return np.array([[_number(row[name]) for name in names] for row in rows])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def filtered(log: FixLog, parameters: FilterParameters) -> Filtered:
    """Our filter's answer on a flight, run by run, each from the start that the other filter was given."""
    positions, covariances = np.full_like(log.true_m, np.nan), np.full((len(log.true_m), 2, 2), np.nan)
    evidence, speed_m_s, level_logs = 0.0, _given_speed_m_s(log), None
    for first, end in log.runs:
        run = SequenceFilter(parameters)
        course = log.heading_rad[first]
        run.start(0, _start(log.other_m[first], course, speed_m_s, level_logs, parameters))
        for index in range(first, end):
            t_ns = round((index - first) * _STEP_S * 1e9)
            if log.aeroplane and index > first:
                turn = math.remainder(log.heading_rad[index] - log.heading_rad[index - 1], math.tau)
                run.turned(t_ns, turn)
            if index > first and np.isfinite(log.measured_m[index, 0]):
                run.fixed(t_ns, [Place(log.measured_m[index, ::-1], np.eye(2) * _FIX_SIGMA_M**2)])
            ruling = run.ruling(t_ns)
            assert ruling is not None
            positions[index] = ruling.mean[POSITION][::-1]
            covariances[index] = ruling.covariance[POSITION, POSITION][::-1, ::-1]
        evidence += run.log_evidence
        end_belief, end_state = run.belief(t_ns), run.ruling(t_ns)
        assert end_belief is not None and end_state is not None
        speed_m_s = float(np.hypot(*end_state.mean[VELOCITY]))
        shares = np.bincount(end_belief.levels, end_belief.weights, len(parameters.fixes.prior_logs))
        level_logs = np.log(shares + 1e-6)
    return Filtered(positions, covariances, evidence)


def _given_speed_m_s(log: FixLog) -> float:
    """The speed that the other filter was started with: its step from image to image before its first fix."""
    first, end = log.runs[0]
    fixed = np.nonzero(np.isfinite(log.measured_m[first + 1 : end, 0]))[0]
    last = first + max(1, int(fixed[0]) if len(fixed) else end - first - 1)
    steps = np.hypot(*np.diff(log.other_m[first : last + 1], axis=0).T)
    return float(np.median(steps)) / _STEP_S


def _start(
    east_north_m: Array, course_rad: float, speed_m_s: float, level_logs: Array | None, parameters: FilterParameters
) -> GaussianSum:
    along = np.array([math.cos(course_rad), math.sin(course_rad)])
    across = np.array([-along[1], along[0]])
    spread = np.outer(along, along) * (_SPEED_SHARE * speed_m_s) ** 2
    spread += np.outer(across, across) * (_COURSE_RAD * speed_m_s) ** 2
    belief = known(parameters, east_north_m[::-1], _START_SIGMA_M, speed_m_s * along, spread)
    return belief if level_logs is None else replace(belief, log_weights=level_logs)




# Of drawn assumptions: the least and the most, drawn evenly on a logarithmic scale.
_DRAWN = {
    "acceleration_psd": (0.04, 0.4),  # m2/s3, with an image a second
    "shared_sigma_m": (8.0, 25.0),
    "shared_reach_m": (200.0, 1500.0),
    "level_change": (0.003, 0.1),
    "wrong": (0.02, 0.12),
    "floor_m": (2.0, 14.0),
    "level_log_sigma": (0.5, 1.2),
    "shared_log_sigma": (0.6, 1.6),
}
_LEVELS, _SHARED_LEVELS = (0.5, 1.0, 2.0), (0.2, 1.0, 3.0)
_CARRIED_AWAY, _AREA_M2 = 1e-3, 4e6
# What 31 draws chose.
_MOST = {
    "acceleration_psd": 0.05902,
    "shared_sigma_m": 8.335,
    "shared_reach_m": 234.1,
    "level_change": 0.007967,
    "wrong": 0.09022,
    "floor_m": 9.506,
    "level_log_sigma": 0.6458,
    "shared_log_sigma": 1.311,
}
_FOR_05 = {
    "acceleration_psd": 0.05273,
    "shared_sigma_m": 24.51,
    "shared_reach_m": 353.5,
    "level_change": 0.01437,
    "wrong": 0.09612,
    "floor_m": 7.033,
    "level_log_sigma": 0.8149,
    "shared_log_sigma": 0.9252,
}
_FOR_02 = {
    "acceleration_psd": 0.1286,
    "shared_sigma_m": 9.417,
    "shared_reach_m": 321.6,
    "level_change": 0.01899,
    "wrong": 0.04554,
    "floor_m": 11.33,
    "level_log_sigma": 1.145,
    "shared_log_sigma": 1.385,
}
_OTHERS = {"UAV-VisLoc 02": _FOR_02, "UAV-VisLoc 05": _FOR_05}


def assumptions(drawn: Mapping[str, float]) -> FilterParameters:
    """The parameters that a draw stands for."""
    fixes = {name: value for name, value in drawn.items() if name != "acceleration_psd"}
    return FilterParameters(
        MotionModel(drawn["acceleration_psd"], speed_sigma_m_s=80.0),
        fixes=FixModel(carried_away=_CARRIED_AWAY, area_m2=_AREA_M2, levels=_LEVELS,
            shared_levels=_SHARED_LEVELS, **fixes),
        bounds=Bounds(replay_s=0.5),
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one flight: metres of all frames (ours, theirs) and of the frames with a fix (ours, the fixes); shares inside
    the two ellipses, and the mean logarithmic score of the truth."""

    ours_m: Array
    theirs_m: Array
    at_fixes_m: Array
    fixes_m: Array
    inside_68: float
    inside_95: float
    score: float

    def text(self) -> str:
        """One line of the table: medians and 95th percentiles, then shares."""
        pairs = (self.ours_m, self.theirs_m, self.at_fixes_m, self.fixes_m)
        numbers = " ".join("{:6.1f} {:6.1f}".format(*np.percentile(one, [50, 95])) for one in pairs)
        return f"{numbers}   {self.inside_68:4.0%} {self.inside_95:4.0%}"


def figures(log: FixLog, answer: Filtered) -> Figures:
    """How far off a flight's answers are, and how well that was known."""
    off = answer.positions_m - log.true_m
    squares = np.einsum("ni,nij,nj->n", off, np.linalg.inv(answer.covariances_m2), off)
    spreads = np.linalg.slogdet(answer.covariances_m2)[1]
    fixed = np.isfinite(log.measured_m[:, 0])
    ours = np.hypot(*off.T)
    return Figures(
        ours_m=ours,
        theirs_m=np.hypot(*(log.other_m - log.true_m).T),
        at_fixes_m=ours[fixed],
        fixes_m=np.hypot(*(log.measured_m - log.true_m)[fixed].T),
        inside_68=float(np.mean(squares < INSIDE_68)),
        inside_95=float(np.mean(squares < INSIDE_95)),
        score=float(np.mean(-0.5 * np.minimum(squares, FARTHEST) - 0.5 * spreads)),
    )


def fitted(draws: int) -> dict[str, dict[str, float]]:
    """For each flight, of ``draws`` drawn assumptions, those that score best on all others."""
    points = qmc.Sobol(len(_DRAWN), seed=2).random(draws)
    drawn = [
        {name: low * (high / low) ** share for share, (name, (low, high)) in zip(point, _DRAWN.items(), strict=True)}
        for point in points.tolist()
    ]
    flights = logs()
    scores = np.zeros((draws, len(flights)))
    for number, one in enumerate(drawn):
        scores[number] = [figures(log, filtered(log, assumptions(one))).score for log in flights]
        print(f"drawn {number + 1} of {draws}: mean score {scores[number].mean():.3f}", flush=True)
    places = [log.name.split()[0] + ("" if log.aeroplane else log.name) for log in flights]
    weights = np.array([1.0 / places.count(place) for place in places])
    return {
        log.name: drawn[int(np.argmax(scores @ (weights * np.array([other != place for other in places]))))]
        for log, place in zip(flights, places, strict=True)
    }


def _shipped() -> dict[str, dict[str, float]]:
    """What an earlier fit chose for each flight."""
    return {log.name: _OTHERS.get(log.name, _MOST) for log in logs()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Our filter on another system's fixes.")
    parser.add_argument("--fit", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    chosen = fitted(arguments.fit) if arguments.fit else _shipped()
    if arguments.fit:
        for name, drawn in chosen.items():
            print(f'    "{name}": {{' + ", ".join(f'"{key}": {value:.4g}' for key, value in drawn.items()) + "},")
    print(f"{'':32s} {'ours':>13s} {'their filter':>13s} {'ours at fixes':>13s} {'their fixes':>13s}   68 % 95 %")
    flights = []
    for log in logs():
        found = figures(log, filtered(log, assumptions(chosen[log.name])))
        flights.append(found)
        print(f"{log.name:32s} {found.text()}", flush=True)
    inside = [np.mean([getattr(found, name) for found in flights]) for name in ("inside_68", "inside_95")]
    print(f"{'mean of the flights':32s} {'':55s}   {inside[0]:4.0%} {inside[1]:4.0%}")


if __name__ == "__main__":
    main()
