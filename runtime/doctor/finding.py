"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass

MARKS = {"ok": "✓", "note": "·", "warning": "!", "wrong": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """``state``: ok, note (nothing rests on it), warning (it flies, not as preferred) or wrong (it does not fly)."""

    what: str
    state: str
    found: str

    @property
    def line(self) -> str:
        """For people."""
        return f"{MARKS[self.state]} {self.what:20} {self.found}"
