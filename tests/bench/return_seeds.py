"""The scenario ``return`` over seeds: ``python -m tests.bench.return_seeds [--seeds 1-10] [--out DIR]`` prints a table.

Seeds 1 to 10 are for reporting; whatever was chosen was chosen on seeds from 100000 on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = ("seed", "result", "targets", "out of coverage", "arrival [m]", "fix median/p95/max [m]",
           "commands w/o authority", "exposure to fix p50/p99 [ms]", "simulated [s]", "wall [s]")  # fmt: skip


def fly(seed: int, out: Path, world: str) -> dict[str, Any]:
    """One run of `homing-sim return --json` as a process of its own."""
    command = [sys.executable, "-m", "sim", "return", "--seed", str(seed), "--out", str(out), "--world", world]
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True, env=os.environ.copy())
    if done.returncode not in (0, 3):
        raise SystemExit(f"seed {seed} ended with status {done.returncode}.")
    return dict(json.loads(done.stdout))


def row(seed: int, result: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table."""
    failed = [name for name, passed in result["checks"].items() if not passed]
    fix, latency = result["fix_error_m"], result["latency_ms"]
    return (
        str(seed),
        result["result"] + (f" ({', '.join(failed)})" if failed else ""),
        str(result["targets_accepted"]),
        str(result["strangers_accepted"]),
        str(result["arrival_error_m"]),
        "/".join(str(fix[key]) for key in ("median", "p95", "max")),
        str(result["commands_without_authority"]),
        "/".join(str(latency[key]) for key in ("p50", "p99")),
        str(result["simulated_s"]),
        str(result["wall_s"]),
    )


def main() -> None:
    """Fly and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1-10", help="a range, or numbers with commas between")
    parser.add_argument("--out", type=Path, default=Path("out/seeds"))
    parser.add_argument("--world", default="procedural")
    arguments = parser.parse_args()
    first, dash, last = arguments.seeds.partition("-")
    seeds = range(int(first), int(last) + 1) if dash else [int(one) for one in arguments.seeds.split(",")]
    table = Table(*COLUMNS, title="homing-sim return")
    outside = passed = 0
    for seed in seeds:
        result = fly(seed, arguments.out / str(seed), arguments.world)
        outside += result["strangers_accepted"]
        passed += result["result"] == "PASS"
        table.add_row(*row(seed, result))
        print(json.dumps({"seed": seed, **result}), file=sys.stderr, flush=True)
    Console(width=200).print(table)
    print(f"{passed} of {len(seeds)} PASS; {outside} out-of-coverage queries accepted of {30 * len(seeds)}")


if __name__ == "__main__":
    main()
