"""A talk with a vehicle about its mission, over a link of its own: find it, load, read back, compare, put back.

It speaks as another component than the daemon (MAV_COMP_ID_MISSIONPLANNER of the vehicle's system), so that both may be
on one network. The daemon itself has no way to send a mission: what flies can replace no plan.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from runtime.clock import Clock
from runtime.errors import MissionError, VehicleError
from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import Packet, PacketReader, PacketWriter
from runtime.mission.items import Mission, MissionItem, differences, off_the_wire, on_the_wire
from runtime.mission.transfer import Clear, Download, Ended, Transfer, Upload
from runtime.vehicle.link.link import WaitingLink
from runtime.vehicle.link.signed import unbelieved
from runtime.vehicle.roster import stack_of

COMPONENT = mavlink.MAV_COMP_ID_MISSIONPLANNER
_LOG = logging.getLogger(__name__)
_WAIT_S = 0.02
_BEAT_NS = 1_000_000_000
_LISTEN_NS = 1_200_000_000  # a second autopilot would have been heard by then
_OVERALL_NS = 120_000_000_000  # of one transfer: hundreds of items over a slow radio
_UPLOADS = 3
T = TypeVar("T", Upload, Download, Clear)


class MissionSession:
    """One vehicle behind one or several lines; `close` is the caller's business. A mission is changed as a whole or,
    where that fails, the one that was there is put back."""

    def __init__(self, links: Mapping[str, WaitingLink], clock: Clock, system_id: int | None = None) -> None:
        self._links = links
        self._clock = clock
        self._system_id = system_id
        self._readers = {name: PacketReader() for name in links}
        self._writers = {name: PacketWriter(COMPONENT) for name in links}
        self._name = next(iter(links))
        self._target: tuple[int, int] | None = None
        self._others: set[tuple[int, int]] = set()
        self._armed = False
        self._beat_ns: int | None = None
        self.stack = "other"

    # --- whom we talk to --------------------------------------------------------------------------------------

    def find(self, within_s: float) -> None:
        """Wait for the vehicle's heartbeat.

        Raises:
            VehicleError: none comes, or that of more than one autopilot does.
        """
        end_ns = self._clock.now_ns() + round(within_s * 1e9)
        heard_ns: int | None = None
        while heard_ns is None or self._clock.now_ns() - heard_ns < _LISTEN_NS:
            if heard_ns is None and self._target is not None:
                heard_ns = self._clock.now_ns()
            if heard_ns is None and self._clock.now_ns() > end_ns:
                raise VehicleError(f"no vehicle answers within {within_s:g} s{self._why_silent()}")
            self._exchange()
        if self._others:
            known = ", ".join(f"{system}/{component}" for system, component in sorted(self._others))
            raise VehicleError(
                f"more than one autopilot is heard ({known} too); say which by --system, or part the links."
            )

    def _why_silent(self) -> str:
        refused = sum(unbelieved(link.counts()) for link in self._links.values())
        if refused:
            return f", although {refused} packets without a right signature came; check the key of both ends."
        return "; check the address, the cable and that the autopilot speaks MAVLink there."

    def _exchange(self) -> list[Any]:
        """Our heartbeat when it is due; the messages of the autopilot that came meanwhile."""
        now_ns = self._clock.now_ns()
        if self._beat_ns is None or now_ns - self._beat_ns >= _BEAT_NS:
            self._beat_ns = now_ns
            beat = (mavlink.MAV_TYPE_ONBOARD_CONTROLLER, mavlink.MAV_AUTOPILOT_INVALID, 0, 0, mavlink.MAV_STATE_ACTIVE)
            for name in self._links:
                self._send(mavlink.MAVLink_heartbeat_message(*beat, 3), name)
        self._links[self._name].wait(_WAIT_S)
        heard = []
        for name, link in self._links.items():
            for data, _ in link.read():
                heard += [self._taken(packet, name) for packet in self._readers[name].feed(data)]
        return [message for message in heard if message is not None]

    def _taken(self, packet: Packet, name: str) -> Any | None:
        message, sender = packet.message, (packet.system_id, packet.component_id)
        if message is None:
            return None
        if packet.name == "HEARTBEAT" and message.autopilot != mavlink.MAV_AUTOPILOT_INVALID:
            self._heartbeat(message, sender, name)
        ours = (getattr(message, "target_system", 0), getattr(message, "target_component", 0))
        meant = ours[0] in (0, sender[0]) and ours[1] in (0, COMPONENT)
        return message if sender == self._target and name == self._name and meant else None

    def _heartbeat(self, message: Any, sender: tuple[int, int], name: str) -> None:
        if self._system_id not in (None, sender[0]):
            return
        if self._target is None:
            self._target, self._name = sender, name
            self.stack = stack_of(message.autopilot).name
            for writer in self._writers.values():
                writer.system_id = sender[0]
        if sender == self._target:
            self._armed = bool(message.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)
        else:
            self._others.add(sender)

    def _send(self, message: Any, name: str) -> None:
        self._writers[name].put(message)
        self._links[name].write(b"".join(self._writers[name].take()))

    # --- what we say ------------------------------------------------------------------------------------------

    def upload(self, mission: Mission, while_armed: bool = False) -> list[str]:
        """Load a mission, read it back and compare; what the autopilot does not keep of it, in words.

        Raises:
            VehicleError: the vehicle is armed, and ``while_armed`` is not said.
            MissionError: it did not take it, or not as it was sent; says what its mission is now.
        """
        self._check_armed(while_armed)
        items = on_the_wire(mission, self.stack)
        before = self._run(self._begin(Download))
        self._check_armed(while_armed)
        why = ""
        for _ in range(_UPLOADS):
            ended = self._run(Upload(items, self._to, self._clock.now_ns()))
            read = self._run(self._begin(Download)) if ended.why is None else ended
            found = [read.why] if read.why is not None else differences(items, read.items, self.stack)
            if not found:
                return _dropped(items, read.items)
            why = found[0]
            _LOG.info("the mission is sent again: %s", why)
        raise MissionError(f"the vehicle did not take the mission: {why}; {self._put_back(before)}.")

    def _put_back(self, before: Ended) -> str:
        if before.why is not None:
            return "what its mission is now is not known"
        if len(before.items) <= (self.stack == "ardupilot"):
            restored = self._run(self._begin(Clear)).why is None
        else:
            restored = self._run(Upload(before.items, self._to, self._clock.now_ns())).why is None
            read = self._run(self._begin(Download))
            restored = restored and read.why is None and not differences(before.items, read.items, self.stack)
        return "it has its former mission again" if restored else "what its mission is now is not known; read it back"

    def download(self) -> Mission:
        """The mission that the vehicle holds. Raises MissionError where it does not tell."""
        ended = self._run(self._begin(Download))
        if ended.why is not None:
            raise MissionError(f"the mission was not read: {ended.why}.")
        return off_the_wire(ended.items, self.stack)

    def clear(self, while_armed: bool = False) -> None:
        """Empty the vehicle's mission, and see that it is empty. Raises as `upload` does."""
        self._check_armed(while_armed)
        why = self._run(self._begin(Clear)).why
        if why is None and self.download().items:
            why = "the vehicle still has it"
        if why is not None:
            raise MissionError(f"the mission was not cleared: {why}.")

    @property
    def _to(self) -> tuple[int, int]:
        assert self._target is not None  # `find` comes first
        return self._target

    def _begin(self, kind: Callable[[tuple[int, int], int], T]) -> T:
        return kind(self._to, self._clock.now_ns())

    def _check_armed(self, while_armed: bool) -> None:
        if self._armed and not while_armed:
            raise VehicleError(
                "the vehicle is armed, and its mission is left as it is; --while-armed changes it all the same."
            )

    def _run(self, transfer: Upload | Download | Clear) -> Ended:
        begun_ns = self._clock.now_ns()
        for message in transfer.first:
            self._send(message, self._name)
        while True:
            for message in self._exchange():
                self._answer(transfer.take(message, self._clock.now_ns()))
            self._answer(transfer.tick(self._clock.now_ns()))
            ended = _ended(transfer)
            if ended is not None:
                return ended
            if self._clock.now_ns() - begun_ns > _OVERALL_NS:
                return Ended("it takes too long")

    def _answer(self, messages: list[Any]) -> None:
        for message in messages:
            self._send(message, self._name)


def _ended(transfer: Transfer) -> Ended | None:
    return transfer.ended


def _dropped(sent: tuple[MissionItem, ...], read: tuple[MissionItem, ...]) -> list[str]:
    """Parameters that said something and came back as nothing."""
    return [
        f"item {number} ({ours.named}): the autopilot does not keep parameter {place}, {said:g}"
        for number, (ours, theirs) in enumerate(zip(sent, read, strict=True))
        for place, (said, kept) in enumerate(zip(ours.parameters, theirs.parameters, strict=True), start=1)
        if kept == 0.0 and said != 0.0 and not math.isnan(said)
    ]
