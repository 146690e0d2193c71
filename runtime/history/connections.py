"""Connections that read a history: one for each call under way, so that none waits for another or for the writer.

In WAL mode a reader sees the last commit from before it began, and neither blocks the writer nor is blocked by it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import HistoryError
from runtime.history.file import connect


class ReadingConnections:
    """Lends connections that only read, from any thread; as many stay open as were ever lent at once."""

    def __init__(self, path: Path, first: sqlite3.Connection | None = None) -> None:
        """``first``: one that is open already; it is owned, and closed, from here on."""
        self._path = path
        self._lock = threading.Lock()
        self._idle = [] if first is None else [first]
        self._closed = False

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """A connection for one call, in autocommit mode.

        Raises:
            HistoryError: the history has been closed.
        """
        connection = self._taken()
        try:
            yield connection
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Closes the idle ones now, and each that is lent when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _taken(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise HistoryError(f"history {self._path} has been closed; open it again.")
            if self._idle:
                return self._idle.pop()
        return connect(self._path, write=False)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()
