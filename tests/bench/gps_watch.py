"""The watch over the satellite receiver: how soon a lie is named, and how often an honest receiver is called a liar.

    python -m tests.bench.gps_watch [--flights N] [--minutes M]

Nothing is rendered: what odometry and fixes say of a flight has the errors that were measured in flights that were
(scale and heading drawn anew for each, fixes with an error of their own and one that successive ones share, 2 % of them
anywhere), and goes through the same filter and the same watch as in flight: 10 frames, 2 fixes and 5 reports of the
receiver a second. The receiver wanders by 1.2 m an axis within a minute and scatters by 0.2 m. A tenth of the honest
flights hovers.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from tests.runtime.localizer.flights import Errors, flown
from tests.runtime.localizer.test_gps_watch import STARTS_S, watched

RATES_M_S = (0.5, 1.0, 2.0, 5.0)
STEP_M = 60.0
_HOVER_M_S = 0.3
_LIE_S = 60.0  # of a drag: 0.5 m/s comes to 30 m


def errors(random: np.random.Generator) -> Errors:
    """What one flight's odometry and fixes are off by."""
    return Errors(
        scale=float(random.normal(0.0, 0.04)), heading_rad=float(random.normal(0.0, math.radians(2.3))), wrong=0.02
    )


def honest(flights: int, seconds: float) -> int:
    """How many of so many honest flights are alarmed; each is told as it ends."""
    alarms = 0
    for number in range(flights):
        random, begun_s = np.random.default_rng([15, number]), time.process_time()
        speed_m_s = _HOVER_M_S if number % 10 == 9 else 8.0
        alarm, _ = watched(flown(random, seconds, errors(random), speed_m_s), lambda _: 0.0, number)
        alarms += alarm is not None
        said = "no alarm" if alarm is None else f"ALARM after {alarm.t_ns * 1e-9:.0f} s: {alarm.reason}"
        took_s = time.process_time() - begun_s
        print(f"honest, {speed_m_s:g} m/s, {seconds / 60:g} min: {said} ({took_s:.1f} CPU s)", flush=True)
    return alarms


def dragged(rate_m_s: float, flights: int) -> None:
    """Tells how far off the receiver was when it was doubted: median and worst."""
    found = []
    for number in range(flights):
        random = np.random.default_rng([16, number, round(10 * rate_m_s)])
        flight = flown(random, STARTS_S + _LIE_S, errors(random))
        alarm, lied_m = watched(flight, lambda since_s: rate_m_s * since_s, number)
        found.append(lied_m if alarm is not None and lied_m > 0 else math.inf)
    seconds = np.median(found) / rate_m_s
    print(f"dragged at {rate_m_s:g} m/s: alarm at {np.median(found):.1f} m ({seconds:.1f} s), worst {max(found):.1f} m")


def stepped(flights: int) -> None:
    """Tells how long after a step of the receiver it was doubted."""
    found = []
    for number in range(flights):
        random = np.random.default_rng([17, number])
        flight = flown(random, STARTS_S + 10.0, errors(random))
        alarm, lied_m = watched(flight, lambda since_s: STEP_M if since_s > 0 else 0.0, number)
        found.append(alarm.t_ns * 1e-9 - STARTS_S if alarm is not None and lied_m else math.inf)
    print(f"a step of {STEP_M:g} m: disagreement from {np.median(found):.1f} s on, at worst {max(found):.1f} s")


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flights", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    for rate_m_s in RATES_M_S:
        dragged(rate_m_s, options.flights)
    stepped(options.flights)
    alarms = honest(options.flights, 60.0 * options.minutes)
    print(f"{alarms} of {options.flights} honest flights were alarmed")


if __name__ == "__main__":
    main()
