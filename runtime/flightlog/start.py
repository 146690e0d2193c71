"""What a flight began with: kept in its log, so that the flight can be replayed and its figures be read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

START = "flight.json"  # the attachment's name


@dataclass(frozen=True, slots=True)
class FlightStart:
    """What a daemon was given when it started.

    ``config``: every key in force, its secrets left out. ``versions`` of what computes, by name. ``engine``: what runs
    the towers. ``flight``: what live keyframes are filed under. ``history_keyframes``, ``history_last_id``,
    ``history_newest``: how many there were, the newest one's id, and what tells it from others. ``jobs_inline``: jobs
    were done where they were started, as under a simulated clock. ``frames``: how whole frames are kept, by the name
    of `[log] frames`.
    """

    config: dict[str, Any]
    versions: dict[str, str]
    engine: dict[str, Any] | None
    flight: str
    dry_run: bool
    history_keyframes: int
    history_last_id: int
    history_newest: str = ""
    jobs_inline: bool = False
    frames: str = "pictures"

    def encoded(self) -> bytes:
        """JSON."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def decoded(cls, data: bytes) -> FlightStart:
        """From `encoded`, of this version or of another; what this one does not know is left out.

        Raises:
            ValueError: it is something else.
        """
        said = json.loads(data)
        known = {field.name for field in fields(cls)}
        try:
            return cls(**{key: value for key, value in said.items() if key in known})
        except (AttributeError, TypeError) as error:
            raise ValueError(str(error)) from error
