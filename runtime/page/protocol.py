"""HTTP connections that cannot hold the page up: few at a time, and none that only waits.

uvicorn reads a request for as long as it takes to come, and holds an answer for as long as nobody reads it. Here a
connection that has said nothing whole for some seconds, or has not taken what it was sent, is closed; where there are
too many, the one that has been idle for longest makes room.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 64  # a phone's browser opens six
IDLE_S = 10.0


class BoundedProtocol(H11Protocol):
    """uvicorn's own protocol under these bounds.

    ``idle_s``: for a request's head to come, and between two requests. ``stalled_s``: for a client to take at least
    something of what it was sent.
    """

    idle_s: ClassVar[float] = IDLE_S
    stalled_s: ClassVar[float] = 15.0
    look_every_s: ClassVar[float] = 1.0

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._idle_since_s = self._moved_s = self.loop.time()
        self._unsent_bytes = 0
        self._look_again: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected; where there are too many, another has to go."""
        super().connection_made(transport)
        self._look_again = self.loop.call_later(self.look_every_s, self._look)
        if len(self.connections) > MOST_CONNECTIONS:
            idle = [one for one in self.connections if isinstance(one, BoundedProtocol) and not one.busy]
            min(idle, key=lambda one: one._idle_since_s, default=self).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """A client has left."""
        if self._look_again is not None:
            self._look_again.cancel()
        super().connection_lost(exc)

    @property
    def busy(self) -> bool:
        """Whether a request has come and its answer is not out yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def drop(self) -> None:
        """Closes the connection without waiting for anybody."""
        if not self.transport.is_closing():
            self.transport.abort()

    def _look(self) -> None:
        now_s, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if self.busy:
            self._idle_since_s = now_s
        if unsent == 0 or unsent < self._unsent_bytes:
            self._moved_s = now_s
        self._unsent_bytes = unsent
        if now_s - self._idle_since_s > self.idle_s or now_s - self._moved_s > self.stalled_s:
            self.drop()
            return
        self._look_again = self.loop.call_later(self.look_every_s, self._look)
