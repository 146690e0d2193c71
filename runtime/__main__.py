"""`homing`, and ``python -m runtime``."""

from __future__ import annotations

import os
from typing import NoReturn

from runtime.cli.missing import start


def main() -> NoReturn:
    """The console script `homing`."""
    # Read when NumPy is first imported. What computes has threads of its own; OpenBLAS's spin between products, which
    # took a fix 10 ms of 66 and half of its processor time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    start("homing", "runtime.cli.main", "cpu")


if __name__ == "__main__":
    main()
