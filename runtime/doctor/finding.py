"""What a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

MARKS = {"ok": "✓", "note": "·", "absent": "–", "warning": "!", "wrong": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """``state``: ok, note (nothing rests on it), absent (does not apply here), warning (it flies, not as preferred) or
    wrong (it does not fly). ``todo``: what to do about it; empty where nothing is to be done, or ``found`` says it."""

    what: str
    state: str
    found: str
    todo: str = ""

    @property
    def line(self) -> str:
        """For people."""
        return f"{MARKS[self.state]} {self.what:20} {self.found}" + (f"; {self.todo}" if self.todo else "")
