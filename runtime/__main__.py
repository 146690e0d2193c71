"""`homing`, and ``python -m runtime``."""

from __future__ import annotations

from typing import NoReturn

from runtime.cli.missing import start


def main() -> NoReturn:
    """The console script `homing`."""
    start("homing", "runtime.cli.main", "cpu")


if __name__ == "__main__":
    main()
