"""Records for the tests of the log: small ones, and one that holds anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from runtime.flightlog.record import Record


@dataclass(frozen=True)
class Note(Record):
    channel: ClassVar[str] = "note"
    number: int
    text: str = ""


@dataclass(frozen=True)
class Anything(Record):
    channel: ClassVar[str] = "anything"
    what: Any
