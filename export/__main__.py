"""`homing-export`, and ``python -m export``."""

from __future__ import annotations

from typing import NoReturn

from runtime.cli.missing import start


def main() -> NoReturn:
    """The console script `homing-export`."""
    start("homing-export", "export.export", "cpu,export")


if __name__ == "__main__":
    main()
