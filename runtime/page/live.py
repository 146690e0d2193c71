"""What a page is told twice a second, as server-sent events: all of the present, and of the past what is new."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from runtime.computer import ComputerLoad
from runtime.finite import finite
from runtime.page.board import Board
from runtime.page.targets import Targets
from runtime.values import Snapshot

SCHEMA = 1
PERIOD_S = 0.5
_RETRY_MS = 1000  # after which a browser that lost the connection tries again


def computer_record(load: ComputerLoad) -> dict[str, Any]:
    """How the computer is doing, as the page is told."""
    disk = load.disk
    return {
        "temperature_c": load.temperature_c,
        "disk_free_bytes": None if disk is None else disk.free_bytes,
        "disk_share_free": None if disk is None else round(disk.share_free, 3),
        "resident_bytes": load.resident_bytes,
        "load": load.waiting,
    }


class LiveFeed:
    """One viewer's: it knows what that viewer has been told. Nothing is queued for one who is slow: he is told the
    newest when he is ready for more."""

    def __init__(self, board: Board, targets: Targets, load: Callable[[], ComputerLoad | None]) -> None:
        self._board, self._targets, self._load = board, targets, load
        self._event_seq = self._track_seq = 0
        self._generation = self._targets_version = -1
        self._first = True

    async def events(self) -> AsyncIterator[bytes]:
        """Messages as they go over the wire, for as long as somebody listens."""
        yield f"retry: {_RETRY_MS}\n\n".encode()
        while True:
            yield b"data: " + json.dumps(self.message(), separators=(",", ":")).encode() + b"\n\n"
            await asyncio.sleep(PERIOD_S)

    def message(self) -> dict[str, Any]:
        """The next message: the present, and what is new of events, track and targets."""
        board, snapshot = self._board, self._board.snapshot
        first, self._first = self._first, False
        return {
            "schema": SCHEMA,
            "first": first,  # of a stream: it tells everything again
            "age_s": board.age_s(),
            "now_s": board.now_s(),
            "computer": computer_record(self._load() or ComputerLoad()),
            "events": self._new_events(),
            "track": self._new_track(),
            **self._new_targets(),
            **({} if snapshot is None else self._present(snapshot)),
        }

    def _new_events(self) -> list[dict[str, Any]]:
        new = [event for event in self._board.events if event.seq > self._event_seq]
        if new:
            self._event_seq = new[-1].seq
        return [
            {
                "seq": event.seq,
                "t_s": round(event.t_ns * 1e-9, 3),
                "severity": event.severity,
                "text": self._targets.without_paths(event.text),
            }
            for event in new
        ]

    def _new_track(self) -> dict[str, Any]:
        """``anew``: all that was drawn before is to be forgotten."""
        track = self._board.track
        anew = track.generation != self._generation
        if anew:
            self._generation, self._track_seq = track.generation, 0
        new = [point for point in track.points if point.seq > self._track_seq]
        if new:
            self._track_seq = new[-1].seq
        return {"anew": anew, "points": [point.as_json() for point in new]}

    def _new_targets(self) -> dict[str, Any]:
        if self._targets.version == self._targets_version:
            return {}
        self._targets_version = self._targets.version
        return {"targets": [finite(target.as_json()) for target in self._targets.kept]}

    def _present(self, snapshot: Snapshot) -> dict[str, Any]:
        matched = snapshot.matched
        status = finite(snapshot.status)
        if status["pending_target"] is not None:
            status["pending_target"] = self._targets.named(status["pending_target"])
        return {
            "status": status,
            "rates_hz": self._board.rates_hz,
            "frame": None if snapshot.frame is None else snapshot.frame.index,
            "matched": None
            if matched is None
            else {"frame": matched.frame.index, "keyframe": matched.fix.keyframe_id},
        }
