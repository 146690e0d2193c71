"""Which world is flown: a map as it is, a procedural one as it was accepted, on dates neither too easy nor too hard.

What is laid out stays; seasons, suns, sensors and every texture are drawn anew. Pairs of dates are tried in order and
the first accepted one is taken, so that a seed always leads to the same world. What some seeds lead to is recorded
beside this file, with the figures that were measured: they need not be measured again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from runtime.errors import HardnessError
from sim.hardness import HardnessReport, hardness
from sim.world.world import AnyWorld

MOST_DATES = 12  # pairs tried before a world is given up; one world in ten needs a second

RECORDED = Path(__file__).parent / "measured_worlds.json"  # written by ``python -m tests.bench.hardness --write``

PROCEDURAL = "procedural"

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


def recorded(seed: int, path: Path = RECORDED) -> HardnessReport | None:
    """What was measured of a seed's world of the usual size, on the pair of dates that was accepted; None: nothing."""
    figures = json.loads(path.read_text(encoding="utf-8")).get(str(seed))
    return None if figures is None else HardnessReport(**figures)


def record(seed: int, report: HardnessReport, path: Path = RECORDED) -> None:
    """Write a measurement into the record."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept[str(seed)] = asdict(report)
    lines = (f'"{number}": {json.dumps(kept[number])}' for number in sorted(kept, key=int))
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def judged_world(
    name: str, seed: int, tell: Callable[[str], None], judge: Judge | None = None, measure: bool = False
) -> tuple[AnyWorld, HardnessReport | None]:
    """The world of ``--world`` that is flown, and its hardness: a real map is as it is, any other is accepted.

    A procedural world on record is taken as it was accepted; any other is measured, a real map only if asked for.

    Raises:
        HardnessError: no pair of dates makes the world acceptable.
    """
    if name == PROCEDURAL:
        on_record = None if measure or judge is not None else recorded(seed)
        if on_record is None:
            if judge is None:
                tell("measure how hard the world is, which is not on record: half a minute")
            return accepted(lambda dates: open_world(name, seed, dates), tell, judge or hardness)
        tell(f"hardness on record, dates {on_record.dates}: {on_record}")
        return open_world(name, seed, on_record.dates), on_record
    world = open_world(name, seed)
    if not measure and judge is None:
        tell("hardness of the map: not measured; --measure does it")
        return world, None
    report = (judge or hardness)(world)
    tell(f"hardness: {report}")
    return world, report


def open_world(name: str, seed: int, dates: int = 0) -> AnyWorld:
    """The world of ``--world``, a procedural one on its pair of dates of that number."""
    if name == PROCEDURAL:
        from sim.world.world import World

        return World.generate(seed, dates=dates)
    from sim.world.geotiff import GeoTiffWorld

    return GeoTiffWorld.open(Path(name), seed)
