"""What one of several processes does, and the others do not."""

from __future__ import annotations

from pathlib import Path


def is_first(mark: Path) -> bool:
    """Whether nobody has asked with this file before."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
