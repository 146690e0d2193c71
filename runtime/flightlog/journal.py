"""What may be written to a flight log: by the daemon, and by what stands between the two and looks on."""

from __future__ import annotations

from typing import Protocol

from runtime.flightlog.flightlog import LogState
from runtime.flightlog.inputs import Direction, FrameRecord
from runtime.flightlog.record import Record
from runtime.values import ImageRGB


class Journal(Protocol):
    """The flight log; nothing in it raises in flight."""

    @property
    def state(self) -> LogState:
        """What was written and what was lost."""
        ...

    def write(self, t_ns: int, record: Record) -> None:
        """Writes one record."""
        ...

    def frame(self, t_ns: int, record: FrameRecord, image: ImageRGB) -> None:
        """Writes the record of a frame, and keeps the frame itself where whole frames are kept."""
        ...

    def link(self, link: str, data: bytes, t_ns: int, direction: Direction) -> None:
        """Writes bytes of a link, as they were read or sent."""
        ...
