"""The localizer over hundreds of simulated flights: how far off, how honest, how soon, and how often sure and wrong.

    python -m tests.bench.localizer [--flights N] [--only WORD]

Fixes have the errors that were measured: their own, one that successive ones share, one that a flight keeps; late by 45
to 400 ms; a quarter refused; wrong ones in bursts that agree among themselves (`tests/runtime/localizer/denied.py`).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from tests.runtime.localizer.denied import INSIDE_68, INSIDE_95, Conditions, Outcome, fly

FLIGHTS = {
    "2 % wrong": Conditions(wrong=0.02),
    "5 % wrong": Conditions(),
    "10 % wrong": Conditions(wrong=0.1),
    "10 % wrong, 1 Hz, bursts of 5": Conditions(wrong=0.1, fix_hz=1.0, burst=5.0),
    "fixes three times as bad as they say": Conditions(shared_m=6.0, constant_m=2.0),
    "gaps of 12 s": Conditions(gap_s=12.0),
    "half refused": Conditions(refused=0.5),
    "carried off after 30 s": Conditions(carried_s=30.0),
    "25 Hz frames": Conditions(frame_hz=25.0, seconds=30.0),
    "hovering": Conditions(speed_m_s=0.3),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flights", type=int, default=100)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    print(f"{'':38s} tracking  median   p95   p99    68%  95%   first p95  recovery p95  sure and wrong  CPU s")
    for name, conditions in FLIGHTS.items():
        if options.only not in name:
            continue
        outcome, started_s = Outcome(), time.process_time()
        for seed in range(options.flights):
            fly(seed, conditions, outcome)
        errors = np.percentile(outcome.error_m, [50, 95, 99])
        recovery = f"{_high(outcome.recovered_s):10.1f} s" if outcome.recovered_s else " " * 12
        print(
            f"{name:38s} {outcome.tracking_share:7.1%} {errors[0]:6.1f} {errors[1]:6.1f} {errors[2]:6.1f}  "
            f"{outcome.inside(INSIDE_68):5.0%} {outcome.inside(INSIDE_95):4.0%}  "
            f"{_high(outcome.first_s):7.1f} s  {recovery}  {outcome.wrong_share:10.3%}      "
            f"{time.process_time() - started_s:5.0f}",
            flush=True,
        )


def _high(seconds: list[float]) -> float:
    """The 95th percentile of what may be infinite."""
    return float(np.percentile(seconds, 95, method="lower"))


if __name__ == "__main__":
    main()
