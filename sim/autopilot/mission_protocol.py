"""The mission protocol's vehicle side: it asks with MISSION_REQUEST, and home is item 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sim.autopilot.commands import set_current
from sim.autopilot.links import Link
from sim.autopilot.plan import NAMES, Item, home_item, stored
from sim.autopilot.state import State
from sim.autopilot.vehicle import INFO, WARNING
from sim.autopilot.wire import Message, mavlink

ACK, ACK_ERROR, ACK_UNSUPPORTED, ACK_NO_SPACE, ACK_INVALID_SEQUENCE, ACK_CANCELLED = 0, 1, 3, 4, 13, 15
MISSION, FENCE, RALLY = 0, 1, 2  # MAV_MISSION_TYPE
RETRY_S, TIMEOUT_S = 1.0, 8.0
CAPACITY = 718  # items, ArduPilot's on a board with 16 kB of storage


@dataclass(slots=True)
class Upload:
    """A mission on its way in."""

    link: Link
    peer: tuple[int, int]
    count: int
    asked_s: float
    heard_s: float
    items: list[Item] = field(default_factory=list)


class MissionProtocol:
    """Uploads, read-backs and the counts of fences and rally points, which are none."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._upload: Upload | None = None
        self._handlers: dict[str, Callable[[Message, Link, tuple[int, int]], None]] = {
            "MISSION_COUNT": self._on_count,
            "MISSION_ITEM": self._on_item,
            "MISSION_ITEM_INT": self._on_item_int,
            "MISSION_CLEAR_ALL": self._on_clear_all,
            "MISSION_REQUEST_LIST": self._on_request_list,
            "MISSION_REQUEST": self._on_request,
            "MISSION_REQUEST_INT": self._on_request_int,
            "MISSION_SET_CURRENT": self._on_set_current,
        }

    def handle(self, message: Message, link: Link) -> bool:
        """Answers a message of the mission protocol; False where it is not one."""
        handler = self._handlers.get(message.get_type())
        if handler is None:
            return False
        handler(message, link, (message.get_srcSystem(), message.get_srcComponent()))
        return True

    def step(self) -> None:
        """Asks again for an item that does not come; gives up after a while."""
        upload, now = self._upload, self._state.vehicle.t_s
        if upload is None:
            return
        if now - upload.heard_s >= TIMEOUT_S:
            self._upload = None
            self._state.vehicle.say(WARNING, "Mission upload timeout")
            self._acknowledge(upload.link, upload.peer, ACK_CANCELLED, MISSION)
        elif now - upload.asked_s >= RETRY_S:
            self._ask(upload)

    def _ask(self, upload: Upload) -> None:
        upload.asked_s = self._state.vehicle.t_s
        upload.link.send(mavlink.MAVLink_mission_request_message(*upload.peer, len(upload.items), MISSION))

    def _acknowledge(self, link: Link, peer: tuple[int, int], result: int, kind: int) -> None:
        link.send(mavlink.MAVLink_mission_ack_message(*peer, result, kind))

    def _on_count(self, message: Message, link: Link, peer: tuple[int, int]) -> None:
        if message.mission_type != MISSION:
            self._acknowledge(link, peer, ACK_UNSUPPORTED, message.mission_type)
        elif message.count > CAPACITY:
            self._acknowledge(link, peer, ACK_NO_SPACE, MISSION)
        elif message.count == 0:
            self._finish(link, peer, [])
        else:
            now = self._state.vehicle.t_s
            self._upload = Upload(link, peer, message.count, now, now)
            self._ask(self._upload)

    def _on_item_int(self, message: Message, link: Link, peer: tuple[int, int]) -> None:
        self._take(message, message.x, message.y, link, peer)

    def _on_item(self, message: Message, link: Link, peer: tuple[int, int]) -> None:
        self._take(message, round(message.x * 1e7), round(message.y * 1e7), link, peer)

    def _take(self, message: Message, x: int, y: int, link: Link, peer: tuple[int, int]) -> None:
        upload = self._upload
        if upload is None or upload.link is not link:
            self._acknowledge(link, peer, ACK_ERROR, message.mission_type)
            return
        upload.heard_s = self._state.vehicle.t_s
        if message.seq != len(upload.items):
            if message.seq > len(upload.items):
                self._acknowledge(link, peer, ACK_INVALID_SEQUENCE, MISSION)
            return  # an item once more: its answer crossed our request
        if message.command not in NAMES:
            self._upload = None
            self._acknowledge(link, peer, ACK_UNSUPPORTED, MISSION)
            return
        parameters = (message.param1, message.param2, message.param3, message.param4)
        upload.items.append(stored(Item(message.command, message.frame, parameters, x, y, message.z)))
        self._state.parameters.set("MIS_TOTAL", len(upload.items))
        if len(upload.items) < upload.count:
            self._ask(upload)
        else:
            self._upload = None
            self._finish(link, peer, upload.items)

    def _finish(self, link: Link, peer: tuple[int, int], items: list[Item]) -> None:
        self._acknowledge(link, peer, ACK, MISSION)
        self._state.mission.replace(items)
        self._state.parameters.set("MIS_TOTAL", len(items))
        if items:
            self._state.vehicle.say(INFO, "Flight plan received")

    def _on_clear_all(self, message: Message, link: Link, peer: tuple[int, int]) -> None:
        if message.mission_type in (MISSION, 255):
            self._state.mission.replace([])
            self._state.parameters.set("MIS_TOTAL", 1)
        self._acknowledge(link, peer, ACK, message.mission_type)

    def _on_request_list(self, message: Message, link: Link, peer: tuple[int, int]) -> None:
        count = len(self._state.mission.items) if message.mission_type == MISSION else 0
        link.send(mavlink.MAVLink_mission_count_message(*peer, count, message.mission_type))

    def _on_request_int(self, message: Message, link: Link, peer: tuple[int, int]) -> None:
        item = self._item(message, link, peer)
        if item is not None:
            link.send(
                mavlink.MAVLink_mission_item_int_message(
                    *peer,
                    message.seq,
                    item.frame,
                    item.command,
                    0,
                    1,
                    *item.parameters,
                    item.x,
                    item.y,
                    item.z,
                    MISSION,
                )  # fmt: skip
            )

    def _on_request(self, message: Message, link: Link, peer: tuple[int, int]) -> None:
        item = self._item(message, link, peer)
        if item is not None:
            link.send(
                mavlink.MAVLink_mission_item_message(
                    *peer,
                    message.seq,
                    item.frame,
                    item.command,
                    0,
                    1,
                    *item.parameters,
                    item.x * 1e-7,
                    item.y * 1e-7,
                    item.z,
                    MISSION,
                )  # fmt: skip
            )

    def _item(self, message: Message, link: Link, peer: tuple[int, int]) -> Item | None:
        items = self._state.mission.items
        if message.mission_type != MISSION or not 0 <= message.seq < max(1, len(items)):
            self._acknowledge(link, peer, ACK_INVALID_SEQUENCE, message.mission_type)
            return None
        return home_item(self._state.vehicle) if message.seq == 0 else items[message.seq]

    def _on_set_current(self, message: Message, link: Link, peer: tuple[int, int]) -> None:
        if 0 <= message.seq < len(self._state.mission.items):
            set_current(self._state, message.seq)
            total = max(0, len(self._state.mission.items) - 1)
            state = int(self._state.flight.mission_state)
            link.send(mavlink.MAVLink_mission_current_message(message.seq, total, state, 1))
