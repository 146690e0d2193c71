"""A flight log that is watched: every record goes to the log first, and what is to be seen of it to a board."""

from __future__ import annotations

import logging

from runtime.flightlog.flightlog import LogState
from runtime.flightlog.inputs import Direction, FrameRecord
from runtime.flightlog.journal import Journal
from runtime.flightlog.record import Record
from runtime.page.board import Board
from runtime.values import ImageRGB

_LOG = logging.getLogger(__name__)


class WatchedJournal:
    """Takes the place of a flight log; nothing in it raises in flight, the board's errors included."""

    def __init__(self, journal: Journal, board: Board) -> None:
        self._journal, self._board = journal, board
        self._failed = False

    @property
    def state(self) -> LogState:
        """The log's own."""
        return self._journal.state

    def write(self, t_ns: int, record: Record) -> None:
        """Writes one record."""
        self._journal.write(t_ns, record)
        self._watch(t_ns, record)

    def frame(self, t_ns: int, record: FrameRecord, image: ImageRGB) -> None:
        """Writes the record of a frame."""
        self._journal.frame(t_ns, record, image)
        self._watch(t_ns, record)

    def link(self, link: str, data: bytes, t_ns: int, direction: Direction) -> None:
        """Writes bytes of a link."""
        self._journal.link(link, data, t_ns, direction)

    def _watch(self, t_ns: int, record: Record) -> None:
        try:
            self._board.write(t_ns, record)
        except Exception as error:  # what is only shown must not end the flight
            if not self._failed:
                _LOG.error("status page: %s cannot be shown: %s", type(record).__name__, error, exc_info=error)
            self._failed = True
