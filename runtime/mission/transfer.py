"""The mission protocol from our side: one transfer at a time, without sockets or a clock.

https://mavlink.io/en/services/mission.html. What is not answered in time is said again, a few times; an item is sent
for every time that it is asked for, in either form, and always as integers. The autopilot's own mission changes when
its last word comes, and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.mavlink.dialect import mavlink
from runtime.mission.items import MissionItem, as_message, of_message

ANSWER_NS = 1_500_000_000  # the protocol's: for a count, a list, the first request
ITEM_NS = 250_000_000  # and for an item
_TRIES = 6  # the first time and five times again
_PATIENCE_NS = 8_000_000_000  # of an upload under way: ArduPilot gives up after as long
_MISSION = mavlink.MAV_MISSION_TYPE_MISSION
_MAX_ITEMS = 4096  # more than any autopilot keeps


@dataclass(frozen=True, slots=True)
class Ended:
    """``why`` it failed, in words; None where it went well, with the ``items`` that a download brought."""

    why: str | None
    items: tuple[MissionItem, ...] = ()


class Transfer(Protocol):
    """One exchange; over when ``ended`` is there."""

    ended: Ended | None

    def take(self, message: Any, t_ns: int) -> list[Any]:
        """What to send after a message of the autopilot that is meant for us."""

    def tick(self, t_ns: int) -> list[Any]:
        """What to send, or to give up, now that it is ``t_ns``."""


class _Asking:
    """Says the last thing again until something comes of it."""

    def __init__(self, target: tuple[int, int], what: str) -> None:
        self.target = target
        self.ended: Ended | None = None
        self._what = what
        self._last: list[Any] = []
        self._tries = 0
        self._due_ns = self._wait_ns = 0

    def _say(self, message: Any, t_ns: int, wait_ns: int) -> list[Any]:
        self._last, self._tries = [message], 1
        self._wait_ns, self._due_ns = wait_ns, t_ns + wait_ns
        return self._last

    def tick(self, t_ns: int) -> list[Any]:
        """The last thing again, when it is due."""
        if self.ended is not None or t_ns < self._due_ns:
            return []
        if self._tries >= _TRIES:
            self.ended = Ended(f"the autopilot does not answer {self._what}")
            return []
        self._tries += 1
        self._due_ns = t_ns + self._wait_ns
        return self._last

    def _refused(self, message: Any) -> None:
        self.ended = Ended(f"the autopilot answers {self._what} with {result_name(message.type)}")


class Upload(_Asking):
    """MISSION_COUNT, then each item as it is asked for, then the autopilot's word."""

    def __init__(self, items: Sequence[MissionItem], target: tuple[int, int], t_ns: int) -> None:
        super().__init__(target, f"to {len(items)} items")
        self._items = items
        self._asked_ns: int | None = None
        self.first = self._say(
            mavlink.MAVLink_mission_count_message(*target, len(items), _MISSION), t_ns, ANSWER_NS
        )

    def take(self, message: Any, t_ns: int) -> list[Any]:
        """An item for each request of either form."""
        name = message.get_type()
        if self.ended is not None or getattr(message, "mission_type", _MISSION) != _MISSION:
            return []
        if name in ("MISSION_REQUEST", "MISSION_REQUEST_INT") and 0 <= message.seq < len(self._items):
            self._asked_ns = t_ns
            return self._say(as_message(self._items[message.seq], message.seq, self.target), t_ns, ANSWER_NS)
        if name == "MISSION_ACK":
            if message.type == mavlink.MAV_MISSION_ACCEPTED:
                self.ended = Ended(None)
            elif message.type != mavlink.MAV_MISSION_INVALID_SEQUENCE:  # of an item that came twice: it asks again
                self._refused(message)
        return []

    def tick(self, t_ns: int) -> list[Any]:
        """Where it has begun to ask, it is the autopilot that asks again; what it missed may be our last item."""
        if self.ended is None and self._asked_ns is not None and t_ns - self._asked_ns > _PATIENCE_NS:
            self.ended = Ended("the autopilot stopped asking for items")
        return super().tick(t_ns)


class Download(_Asking):
    """MISSION_REQUEST_LIST, its count, then one item after the other, and our word that it is done."""

    def __init__(self, target: tuple[int, int], t_ns: int) -> None:
        super().__init__(target, "what its mission is")
        self._count: int | None = None
        self._items: list[MissionItem] = []
        self.first = self._say(mavlink.MAVLink_mission_request_list_message(*target, _MISSION), t_ns, ANSWER_NS)

    def take(self, message: Any, t_ns: int) -> list[Any]:
        """The next request after each item in its turn."""
        name = message.get_type()
        if self.ended is not None or getattr(message, "mission_type", _MISSION) != _MISSION:
            return []
        if name == "MISSION_COUNT" and self._count is None:
            if message.count > _MAX_ITEMS:
                self.ended = Ended(f"the autopilot says that its mission has {message.count} items")
                return []
            self._count = message.count
            return self._next(t_ns)
        if name in ("MISSION_ITEM_INT", "MISSION_ITEM") and self._count is not None and message.seq == len(self._items):
            self._items.append(of_message(message))
            return self._next(t_ns)
        if name == "MISSION_ACK" and message.type != mavlink.MAV_MISSION_ACCEPTED:
            self._refused(message)
        return []

    def _next(self, t_ns: int) -> list[Any]:
        number = len(self._items)
        if number == self._count:
            self.ended = Ended(None, tuple(self._items))
            return [mavlink.MAVLink_mission_ack_message(*self.target, mavlink.MAV_MISSION_ACCEPTED, _MISSION)]
        request = mavlink.MAVLink_mission_request_int_message(*self.target, number, _MISSION)
        return self._say(request, t_ns, ITEM_NS)


class Clear(_Asking):
    """MISSION_CLEAR_ALL of the mission alone: fences and rally points stay."""

    def __init__(self, target: tuple[int, int], t_ns: int) -> None:
        super().__init__(target, "to forget its mission")
        self.first = self._say(mavlink.MAVLink_mission_clear_all_message(*target, _MISSION), t_ns, ANSWER_NS)

    def take(self, message: Any, t_ns: int) -> list[Any]:
        """The autopilot's word."""
        if self.ended is None and message.get_type() == "MISSION_ACK" and message.mission_type == _MISSION:
            if message.type == mavlink.MAV_MISSION_ACCEPTED:
                self.ended = Ended(None)
            else:
                self._refused(message)
        return []


def result_name(number: int) -> str:
    """MAV_MISSION_RESULT's name without prefix."""
    entry = mavlink.enums["MAV_MISSION_RESULT"].get(number)
    return f"RESULT {number}" if entry is None else str(entry.name).removeprefix("MAV_MISSION_")
