"""How hard the simulated worlds are: ``python -m tests.bench.hardness [--seeds 1-10] [--world FILE.tif] [--write]``.

The measure is `sim.hardness`'s, on 200 drone views and 500 satellite crops; a world that is not accepted is followed by
what is flown instead of it: the same ground on the next pair of dates. --write records the accepted ones, so that
`homing-sim return` need not measure them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from sim.hardness import HardnessReport, hardness, table
from sim.world_choice import open_world, record, tried


def main() -> int:
    """Measure and print; 3 when a seed leads to no accepted world."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1-10", help="a range, or numbers with commas between")
    parser.add_argument("--world", type=Path, default=None, help="a GeoTIFF instead of procedural worlds")
    parser.add_argument("--write", action="store_true", help="record the accepted worlds for `homing-sim return`")
    arguments = parser.parse_args()
    first, dash, last = arguments.seeds.partition("-")
    seeds = range(int(first), int(last) + 1) if dash else [int(one) for one in arguments.seeds.split(",")]
    rows, refused = [], 0
    for seed in seeds:
        reports = _reports(seed, arguments.world)
        for report in reports:
            print(f"seed {seed}: {report}", file=sys.stderr, flush=True)
        rows += [(f"seed {seed}", report) for report in reports]
        refused += not reports[-1].accepted
        if arguments.write and arguments.world is None and reports[-1].accepted:
            record(seed, reports[-1])
    Console(width=120).print(table(rows))
    return 3 if refused else 0


def _reports(seed: int, tif: Path | None) -> list[HardnessReport]:
    if tif is not None:
        return [hardness(open_world(str(tif), seed))]
    return [report for _, report in tried(lambda dates: open_world("procedural", seed, dates))]


if __name__ == "__main__":
    sys.exit(main())
