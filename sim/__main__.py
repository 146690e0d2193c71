"""`homing-sim`, and ``python -m sim``."""

from __future__ import annotations

import os
from typing import NoReturn

from runtime.cli.missing import start


def main() -> NoReturn:
    """The console script `homing-sim`."""
    # As in `runtime.__main__`.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    start("homing-sim", "sim.cli.main", "cpu,sim")


if __name__ == "__main__":
    main()
