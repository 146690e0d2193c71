"""`homing-train`, and ``python -m train``."""

from __future__ import annotations

from typing import NoReturn

from runtime.cli.missing import start


def main() -> NoReturn:
    """The console script `homing-train`."""
    start("homing-train", "train.fit", "cpu,train")


if __name__ == "__main__":
    main()
