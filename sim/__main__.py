"""`homing-sim`, and ``python -m sim``."""

from __future__ import annotations

from typing import NoReturn

from runtime.cli.missing import start


def main() -> NoReturn:
    """The console script `homing-sim`."""
    start("homing-sim", "sim.cli.main", "cpu,sim")


if __name__ == "__main__":
    main()
