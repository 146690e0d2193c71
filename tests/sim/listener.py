"""A daemon that only listens, for tests of what a simulated flight hands to one."""

from __future__ import annotations

from runtime.events import Event, LinkBytes


class Listener:
    """Keeps every event and sends nothing."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def step(self, event: Event) -> list[LinkBytes]:
        self.events.append(event)
        return []

    def close(self, t_ns: int) -> list[LinkBytes]:
        return []
