"""Somebody takes over in the middle of everything: what is sent once the byte that says so has been read.

    python -m tests.bench.takeover [--px4 | --px4-hold] --interleavings 10000

Each time a flight under way is taken over at a random moment, by the pilot in a random mode or by a ground station that
sends the vehicle elsewhere, which is overheard; the bytes that tell of it arrive cut
anywhere, copied, or behind others, between ticks that come early, late and in bursts, frames, finished jobs and the
operator's own requests. An observer of its own reads the same bytes with pymavlink alone: from the call that gives the
daemon the last byte of a heartbeat of another mode, or of the stranger's target, no target may leave. ``--px4``: in
OFFBOARD, where every target is repeated ten times a second. ``--px4-hold``: in Hold, where a target is a DO_REPOSITION
that is sent again while its acknowledgement is out.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.events import ControlRequest, FrameArrived, LinkData, Tick
from runtime.geodesy import distance_m, offset
from runtime.values import GeoPoint
from tests.runtime.daemon.cockpit import HOME, Cockpit
from tests.runtime.daemon.offboard import LOITER, OFFBOARD, OffboardCockpit
from tests.runtime.daemon.px4 import HOLD, HoldCockpit

GUIDED = 4
STRANGER = "a stranger's target"
MODES = ("LOITER", "RTL", "LAND", "BRAKE", "STABILIZE", "ALT_HOLD", "AUTO", STRANGER)
TARGETS = frozenset(
    {"SET_POSITION_TARGET_GLOBAL_INT", "SET_POSITION_TARGET_LOCAL_NED", "SET_ATTITUDE_TARGET", "MISSION_ITEM_INT"}
)
_COMMANDS = frozenset({"COMMAND_INT", "COMMAND_LONG"})
_MS = 1_000_000
_SECOND = 1_000_000_000
_SECONDS = 12  # of one flight: it has not arrived by then
_COPIES = 40  # of each second of it
_HERE_M = 6.0  # that a vehicle flies in half a second, by which the position that it said last may be old
_REQUESTS: tuple[dict[str, Any], ...] = (
    {"command": "status"}, {"command": "engage"}, {"command": "confirm"},
    {"command": "target", "latitude_deg": HOME.latitude_deg, "longitude_deg": HOME.longitude_deg},
)  # fmt: skip


class Observer:
    """Reads what is given to the daemon, as it is given."""

    def __init__(self, guided: int) -> None:
        self._parser = mavlink.MAVLink(None)
        self._parser.robust_parsing = True
        self._guided = guided
        self.taken_over = False

    def given(self, data: bytes) -> None:
        for message in self._parser.parse_buffer(data) or []:
            if message.get_type() == "HEARTBEAT" and message.get_srcComponent() == 1:
                self.taken_over = self.taken_over or message.custom_mode != self._guided
            elif message.get_type() == "COMMAND_INT":
                self.taken_over = True


class Takeovers(Cockpit):
    """A cockpit in which one flight after the other is engaged and taken over."""

    guided: int = GUIDED
    ways: tuple[str, ...] = MODES
    before_switch_s = 0.1
    idles = False

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.frame_period_ns = 10**15  # frames come when the test says so
        self.chance = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.fly(6.0)

    def pilot_enters(self, mode: str) -> bool:
        """The pilot's switch; whether the autopilot takes it."""
        return self.autopilot.pilot_set_mode(mode)

    def taken_by(self, way: str) -> bytes:
        """It happens; what of it comes over the link beside what the autopilot says."""
        if way != STRANGER:
            assert self.pilot_enters(way) or self.pilot_enters("LOITER")
            return b""
        elsewhere = mavlink.MAVLink_command_int_message(
            1, 1, mavlink.MAV_FRAME_GLOBAL, mavlink.MAV_CMD_DO_REPOSITION, 0, 0, -1.0, 0.0, 0.0, 0.0,
            round(HOME.latitude_deg * 1e7), round(HOME.longitude_deg * 1e7), 60.0,
        )  # fmt: skip
        return bytes(elsewhere.pack(mavlink.MAVLink(None, srcSystem=255, srcComponent=190)))

    def engage(self) -> bool:
        """The operator's and the pilot's word again; whether targets flow."""
        self.pilot_enters("LOITER")
        self.fly(1.2)
        away = 250.0 if self.here.latitude_deg < HOME.latitude_deg else -250.0
        if "error" in self.give_target(offset(HOME, away, 0.0)) or "error" in self.ask("engage"):
            return False
        self.fly(self.before_switch_s)
        self.pilot_enters("GUIDED")
        self.fly(1.0 + self.chance.random())
        self.forget_wire()
        self.fly(0.4)
        return bool(targets_in(bytes(self.wire)))

    def fly_to_the_next_heartbeat(self) -> None:
        """Until just before one is due, which comes at 1 Hz."""
        self.fly(0.5)
        beat_ns = self.vehicle.state.heartbeat_t_ns
        assert beat_ns is not None
        while (self.t_ns - beat_ns) % _SECOND < 760 * _MS:
            self.step()

    def is_here(self, target: Any) -> bool:
        """Whether a target is the point where the vehicle is, as the idle stream before OFFBOARD has it."""
        if target.get_type() != "SET_POSITION_TARGET_GLOBAL_INT":
            return False
        return distance_m(GeoPoint(target.lat_int / 1e7, target.lon_int / 1e7), self.here) < _HERE_M

    def interleave(self, linger_ns: int = 160 * _MS) -> int:
        """One takeover; how many targets left after it had been read, until ``linger_ns`` later."""
        chance, observer, late, anew = self.chance, Observer(self.guided), 0, False
        way, switch_ns = chance.choice(self.ways), self.t_ns + chance.randrange(200) * _MS
        end_ns, switched, waiting = self.t_ns + 2 * _SECOND, False, b""
        while self.t_ns < end_ns:
            waiting += self.heard_after(20 * _MS)
            if not switched and self.t_ns >= switch_ns:
                switched = True
                waiting += self.taken_by(way)
            waiting, events = self._events(waiting)
            for event in events:
                if isinstance(event, LinkData):
                    observer.given(event.data)
                elif isinstance(event, ControlRequest) and event.request["command"] == "engage":
                    anew = self.idles and observer.taken_over  # a word after it: the present point may idle
                out = self.daemon.step(event)
                targets = [target for _, data in out for target in targets_in(data)]
                late += observer.taken_over and sum(not (anew and self.is_here(target)) for target in targets)
                self._out(out)
            if observer.taken_over and end_ns > self.t_ns + linger_ns:
                end_ns = self.t_ns + linger_ns
        self.counts["taken over"] += observer.taken_over
        return late

    def _events(self, waiting: bytes) -> tuple[bytes, list[Any]]:
        """What happens in these 20 ms, in an order of its own; the bytes that are still on the way."""
        chance = self.chance
        events: list[Any] = [Tick(self.t_ns)] * chance.choice((0, 0, 1, 1, 1, 3))
        if chance.random() < 0.1:
            events.append(FrameArrived(self.t_ns, self.expose()))
        if chance.random() < 0.05:
            events.append(ControlRequest(self.t_ns, dict(chance.choice(_REQUESTS)), lambda answer: None))
        events += self.workers.finished(self.t_ns)
        chance.shuffle(events)
        kept = 0 if chance.random() < 0.6 else chance.randrange(len(waiting) + 1)
        data, rest = (waiting[: len(waiting) - kept], waiting[len(waiting) - kept :]) if kept else (waiting, b"")
        where = sorted(chance.randrange(len(events) + 1) for _ in range(chance.choice((1, 1, 2, 5))))
        cuts = sorted(chance.randrange(len(data) + 1) for _ in where[1:])
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        for place, piece in reversed(list(zip(where, pieces, strict=True))):
            events.insert(place, LinkData(self.t_ns, piece))
        if chance.random() < 0.05:
            events.append(LinkData(self.t_ns, data))  # a router that knows two ways
        return rest, events


class OffboardTakeovers(Takeovers, OffboardCockpit):
    """The same of a PX4 in OFFBOARD."""

    guided = OFFBOARD
    ways: tuple[str, ...] = ("LOITER", STRANGER)
    before_switch_s = 1.0  # of idling, or PX4 refuses
    idles = True

    def pilot_enters(self, mode: str) -> bool:
        return self.pilot_wants(OFFBOARD if mode == "GUIDED" else LOITER)


class HoldTakeovers(Takeovers, HoldCockpit):
    """The same of a PX4 that is guided in Hold."""

    guided = HOLD
    ways: tuple[str, ...] = ("LOITER", "ALT_HOLD", "STABILIZE", "AUTO", "RTL", "LAND", STRANGER)


def targets_in(data: bytes) -> list[Any]:
    """The position targets and repositions in bytes that were sent, parsed anew."""
    return [m for m in mavlink.MAVLink(None).parse_buffer(data) or [] if m.get_type() in TARGETS or _repositions(m)]


def _repositions(message: Any) -> bool:
    return message.get_type() in _COMMANDS and message.command == mavlink.MAV_CMD_DO_REPOSITION


def takeovers(number: int, seed: int, kind: type[Takeovers] = Takeovers) -> Iterator[tuple[int, bool]]:
    """``number`` takeovers of flights that were under way: targets sent too late, and whether it was really read.

    Of each moment a process of its own flies on, so that the way to it need not be flown for each.
    """
    done = 0
    while done < number:
        cockpit = kind(seed + done)
        if not cockpit.engage():
            raise RuntimeError("the flight that is to be taken over did not begin")
        for _ in range(_SECONDS):
            cockpit.fly_to_the_next_heartbeat()
            for _ in range(min(_COPIES, number - done)):
                yield _of_a_copy(cockpit, seed + done)
                done += 1


def _of_a_copy(cockpit: Takeovers, seed: int) -> tuple[int, bool]:
    gc.freeze()  # what the copies need not touch stays shared
    child = os.fork()
    if child == 0:
        status = 255
        try:
            cockpit.chance = random.Random(seed)
            late = cockpit.interleave()
            status = 2 * min(late, 100) + cockpit.counts["taken over"]
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 255:
        raise RuntimeError(f"the takeover of seed {seed} failed")
    return status // 2, bool(status % 2)


def main() -> None:
    """Prints one line of figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interleavings", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--px4", dest="kind", action="store_const", const=OffboardTakeovers, default=Takeovers)
    kinds.add_argument("--px4-hold", dest="kind", action="store_const", const=HoldTakeovers)
    options = parser.parse_args()
    begun_s = sum(os.times()[:4])
    late, read, done = 0, 0, 0
    for too_late, taken in takeovers(options.interleavings, options.seed, options.kind):
        late, read, done = late + too_late, read + taken, done + 1
        if done % 500 == 0:
            print(f"{done} takeovers, {read} of them read, {late} targets after one", flush=True)
    spent_s = sum(os.times()[:4]) - begun_s
    print(f"{done} takeovers, {read} of them read: {late} targets after one was read; {spent_s:.0f} s of CPU")


if __name__ == "__main__":
    main()
