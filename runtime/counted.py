"""Numbers with what they count, for people: 1 photo, 2 photos."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """``number`` of ``what``, which is in the plural but where there is one."""
    return f"{number} {what}" + ("" if number == 1 else "s")
