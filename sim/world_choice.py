"""Only worlds within the rule of `sim.hardness` are flown: one that is too easy or too hard is seen on other dates.

What is laid out stays; seasons, suns, sensors and every texture are drawn anew. Pairs of dates are tried in order and
the first accepted one is taken, so that a seed always leads to the same world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from runtime.errors import HardnessError
from sim.hardness import HardnessReport, hardness
from sim.world.world import AnyWorld

MOST_DATES = 12  # pairs tried before a world is given up; one world in ten needs a second

Make = Callable[[int], AnyWorld]  # the world on its n-th pair of dates
Judge = Callable[[AnyWorld], HardnessReport]
Judged = tuple[AnyWorld, HardnessReport]


def tried(make: Make, judge: Judge = hardness) -> Iterator[Judged]:
    """One pair of dates after the other; ends with the first that is accepted, or after `MOST_DATES`."""
    for dates in range(MOST_DATES):
        world = make(dates)
        report = replace(judge(world), dates=dates)
        yield world, report
        if report.accepted:
            return


def accepted(make: Make, tell: Callable[[str], None], judge: Judge = hardness) -> Judged:
    """The first accepted world and its hardness; `tell` hears the figures of every one tried.

    Raises:
        HardnessError: none was accepted.
    """
    for world, report in tried(make, judge):
        tell(f"hardness on dates {report.dates}: {report}")
        if report.accepted:
            return world, report
    raise HardnessError(
        f"the world is too easy or too hard on {MOST_DATES} pairs of dates ({report}); take another seed."
    )
