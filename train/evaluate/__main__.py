"""`homing-evaluate`, and ``python -m train.evaluate``."""

from __future__ import annotations

from typing import NoReturn

from runtime.cli.missing import start


def main() -> NoReturn:
    """The console script `homing-evaluate`."""
    start("homing-evaluate", "train.evaluate.cli", "cpu,train")


if __name__ == "__main__":
    main()
