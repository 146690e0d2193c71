"""Every fault of the vehicle link in one table: what was commanded, when it was noticed, and when all was well again.

    python -m tests.bench.link_faults

A flight to a target is under way, by the daemon and the built-in autopilot on a simulated clock, when the fault begins.
"Forbidden" counts what left after bytes had arrived that end authority, and whatever is neither a target nor a request
for telemetry, by a referee that reads the bytes of both directions with pymavlink alone. It must be 0 in every row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.injection.settings import InjectionSettings, Route
from runtime.localizer.navigation import NavigationSource
from runtime.mavlink.dialect import mavlink
from runtime.mavlink.signing import Signer, SigningKey
from runtime.vehicle.commands import Command
from runtime.vehicle.events import (
    CompanionConflict,
    ModeChanged,
    OtherAutopilot,
    Rebooted,
    VehicleEvent,
)
from runtime.vehicle.link.signed import Stamping
from runtime.vehicle.link.stamps import StampFile
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from tests.bench.rough_link import MS, SECOND, Referee, RoughFlight
from tests.runtime.daemon.cockpit import HEIGHT_M, HOME
from tests.runtime.daemon.test_feeding import FALLBACK
from tests.runtime.vehicle.peer import Peer, Voice

YEAR_S = 365 * 86_400
SOURCE_SET = mavlink.MAV_CMD_SET_EKF_SOURCE_SET
Act = Callable[[RoughFlight], None]
Seen = Callable[[RoughFlight], bool]


@dataclass(frozen=True, slots=True)
class Fault:
    """``begin`` and ``end`` act on a flight under way, ``seconds`` apart; ``each`` acts every 20 ms between them.

    ``noticed``: None where there is nothing that need be noticed. ``ends``: whether it must end the flight's authority,
    None where it may: heartbeats that are lost one after the other end it.
    """

    name: str
    begin: Act
    end: Act
    noticed: Seen | None = None
    ends: bool | None = True
    seconds: float = 5.0
    each: Act | None = None
    well: Seen = lambda flight: flight.well


@dataclass(frozen=True, slots=True)
class Row:
    """``targets`` in the whole run; ``noticed_s`` from the fault's begin, ``recovered_s`` from its end."""

    name: str
    targets: int
    forbidden: int
    ended: bool | None
    noticed_s: float | None
    recovered_s: float | None
    ends: bool | None = False
    note: str = ""


def _nothing(flight: RoughFlight) -> None:
    """Nothing has to be undone."""


def _down(**changed: object) -> Act:
    def act(flight: RoughFlight) -> None:
        for name, value in changed.items():
            setattr(flight.down, name, value)

    return act


def _both(**changed: object) -> Act:
    def act(flight: RoughFlight) -> None:
        for name, value in changed.items():
            setattr(flight.down, name, value)
            setattr(flight.up, name, value)

    return act


def _told(kind: type[VehicleEvent]) -> Seen:
    return lambda flight: flight.told(kind)


def _count(name: str) -> Seen:
    return lambda flight: getattr(flight.vehicle.state.counters, name) > getattr(flight.counted, name)


def _power_cycle(flight: RoughFlight) -> None:
    """Another autopilot in its place, whose clock begins anew, on the ground of a moment's power cut in the air."""
    parameters = {"WPNAV_SPEED": 800.0}
    north, east, _ = flight.autopilot.truth.position_ned_m
    flight.autopilot = Autopilot(AutopilotConfig(HOME, 37.0, seed=9, parameters=parameters, ready_at_boot=False))
    flight.autopilot.advance(flight.t_ns)
    flight.autopilot.start_in_flight((north, east, -HEIGHT_M), "STABILIZE")


def _rival(flight: RoughFlight) -> None:
    if flight.t_ns % SECOND == 0:
        beat = mavlink.MAVLink_heartbeat_message(18, mavlink.MAV_AUTOPILOT_INVALID, 0, 0, 4, 3)
        flight.down.inject(RIVAL.say(beat), flight.t_ns)


RIVAL = Voice(1, 191)
FOREIGN = Voice(42, 1)


def _twin() -> Act:
    twin = Peer(mode=4, clock_offset_ns=60 * SECOND)

    def act(flight: RoughFlight) -> None:
        flight.down.inject(twin.hear(b"", flight.t_ns) + twin.step(flight.t_ns), flight.t_ns)

    twin.intervals_ns = {30: 50 * MS, 33: 50 * MS}
    return act


def _foreign_heartbeat(flight: RoughFlight) -> None:
    beat = mavlink.MAVLink_heartbeat_message(2, 3, 0x51, 4, 4, 3)
    flight.down.inject(FOREIGN.say(beat), flight.t_ns)


def _mode(name: str) -> Act:
    return lambda flight: flight.autopilot.pilot_set_mode(name) and None


def _loss(share: float) -> Fault:
    return Fault(f"{share:.0%} of the packets lost, both ways", _both(loss=share), _both(loss=0.0), None, ends=False)


FAULTS = (
    _loss(0.05),
    _loss(0.15),
    replace(_loss(0.3), ends=None),
    Fault("30% of the packets come twice", _both(copies=0.3), _both(copies=0.0), _count("copied_packets"), False),
    Fault(
        "every packet up to 0.2 s late, out of order", _both(jitter_ns=200 * MS), _both(jitter_ns=0),
        _count("overtaken_packets"), False,
    ),
    Fault(
        "garbage before every third packet", _both(garbage=0.3), _both(garbage=0.0), _count("garbage_bytes"), False
    ),
    Fault("a gap of 2 s, both ways", _both(cut=True), _both(cut=False), lambda f: f.pauses, seconds=2.0),
    Fault("a gap of 5 s, both ways", _both(cut=True), _both(cut=False), lambda f: f.pauses, seconds=5.0),
    Fault("the autopilot reboots in flight", _power_cycle, _nothing, _told(Rebooted), seconds=0.5),
    Fault(
        "its clock is set on by 1 s", _down(shift_ns=SECOND), _nothing, _count("timesync_steps"), False,
    ),
    Fault(
        "its clock is set back by 1 s", _down(shift_ns=0), _nothing, _count("timesync_steps"), False,
    ),
    Fault(
        "another component claims our id", _nothing, _nothing, _told(CompanionConflict), seconds=3.0, each=_rival,
    ),
    Fault(
        "two autopilots under one id", _nothing, _nothing, _told(OtherAutopilot), seconds=3.0, each=_twin(),
        well=lambda flight: False,
    ),
    Fault(
        "an autopilot of another system", _foreign_heartbeat, _nothing, _told(OtherAutopilot), seconds=1.0,
        well=lambda flight: False,
    ),
    Fault("the pilot takes over (LOITER)", _mode("LOITER"), _nothing, _told(ModeChanged), seconds=2.0),
    Fault(
        "the pilot takes over through 30% loss",
        lambda flight: (_both(loss=0.3)(flight), _mode("RTL")(flight)) and None, _both(loss=0.0), _told(ModeChanged),
    ),
)  # fmt: skip


def flown(fault: Fault, flight: RoughFlight, wait_s: float = 15.0) -> Row:
    """What the fault does to a flight under way."""
    before, begun_ns = flight.referee.targets, flight.t_ns
    flight.since_ns, flight.counted = begun_ns, flight.vehicle.state.counters
    noticed_ns: int | None = None
    fault.begin(flight)
    while flight.t_ns < begun_ns + fault.seconds * SECOND:
        if fault.each is not None:
            fault.each(flight)
        flight.step()
        noticed_ns = noticed_ns or _at(flight, fault.noticed)
    fault.end(flight)
    ended_ns, recovered_ns = flight.t_ns, _at(flight, fault.well)
    while recovered_ns is None and flight.t_ns < ended_ns + wait_s * SECOND:
        flight.step()
        noticed_ns, recovered_ns = noticed_ns or _at(flight, fault.noticed), _at(flight, fault.well)
    flight.fly(1.0)
    return Row(
        fault.name,
        flight.referee.targets - before,
        flight.referee.forbidden,
        not flight.engaged,
        None if noticed_ns is None else (noticed_ns - begun_ns) * 1e-9,
        None if recovered_ns is None else (recovered_ns - ended_ns) * 1e-9,
        fault.ends,
        flight.why,
    )


def all_flown(faults: Iterable[Fault] = FAULTS, wait_s: float = 15.0) -> list[Row]:
    """A row for each fault; a flight that goes on meets the next one too."""
    rows: list[Row] = []
    flight = None
    for fault in faults:
        if flight is None or not flight.engaged or flight.daemon.rooms.guidance.last.phase.value != "en_route":
            flight = RoughFlight(len(rows)).under_way()
        rows.append(flown(fault, flight, wait_s))
    return rows


def _at(flight: RoughFlight, true: Seen | None) -> int | None:
    return flight.t_ns if true is not None and true(flight) else None


# A command and its acknowledgement


def command(name: str, begin: Act, end: Act, after_s: float) -> Row:
    """A harmless command while the fault lasts; noticed is when it is concluded, recovered is not asked."""
    flight = RoughFlight(parameters=FALLBACK).under_way()
    begun_ns = flight.since_ns = flight.t_ns
    begin(flight)
    flight.vehicle.send_command(Command.source_set(1), flight.t_ns)
    watched = flight.referee
    done: dict[str, object] | None = None
    while done is None and flight.t_ns < begun_ns + 20 * SECOND:
        if flight.t_ns >= begun_ns + after_s * SECOND:
            end(flight)
        flight.step()
        done = next((r["details"] for r in flight.journal.of("vehicle") if _is_done(r)), None)
    concluded_s = (flight.t_ns - begun_ns) * 1e-9
    flight.fly(1.0)
    asked = sum(m.get_type() == "COMMAND_LONG" and m.command == SOURCE_SET for m in flight.commands())
    note = f"{'not concluded' if done is None else done['result']}, sent {'once' if asked == 1 else f'{asked} times'}"
    forbidden = watched.forbidden - asked  # it is what was asked for here
    return Row(name, watched.targets, forbidden, not flight.engaged, concluded_s, None, not flight.engaged, note)


def _is_done(record: dict[str, object]) -> bool:
    details = record["details"]
    return record["event"] == "CommandDone" and isinstance(details, dict) and details["command"] == SOURCE_SET


def _deny(flight: RoughFlight) -> None:
    """The autopilot has one source set, and says no to the second."""
    flight.down.held = frozenset({"COMMAND_ACK"})
    flight.down.inject(AUTOPILOT.say(mavlink.MAVLink_command_ack_message(SOURCE_SET, 2, 0, 0, 1, 191)), flight.t_ns)


AUTOPILOT = Voice(1, 1)
COMMANDS: tuple[tuple[str, Act, Act, float], ...] = (
    ("the first acknowledgement is lost", _down(held=frozenset({"COMMAND_ACK"})), _down(held=frozenset()), 0.4),
    ("every acknowledgement is lost", _down(held=frozenset({"COMMAND_ACK"})), _nothing, 0.0),
    ("acknowledgements come 0.7 s late", _down(late_ns={"COMMAND_ACK": 700 * MS}), _nothing, 0.0),
    ("the answer is DENIED", _deny, _nothing, 0.0),
    (
        "the mode is switched in the middle of a command",
        lambda f: (_down(held=frozenset({"COMMAND_ACK"}))(f), _mode("LOITER")(f)) and None,
        _down(held=frozenset()), 1.2,
    ),
)  # fmt: skip


# The wall clock, and the camera


def wall_clock(off_s: float) -> Row:
    """Signed packets over a restart whose wall clock is off by so much: how many a vehicle would refuse."""
    key = SigningKey(bytes(range(1, 33)))
    peer = mavlink.MAVLink(None, 1, 1)
    peer.signing.secret_key = bytes(range(1, 33))
    plain = Voice(1, 191).say(mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3))
    refused, clock = 0, Hands()
    with tempfile.TemporaryDirectory() as folder:
        for unix_s in (1.8e9, 1.8e9 + off_s, 1.8e9 + 60.0):
            stamping = Stamping(StampFile(Path(folder) / "stamp"), clock, lambda at=unix_s: at)  # type: ignore[misc]
            signer = Signer(key, stamping.now())
            for _ in range(50):
                clock.t_ns += 20 * MS
                signer.reached(stamping.now())
                try:
                    peer.decode(bytearray(signer.sign(plain)))
                except mavlink.MAVError:
                    refused += 1
                stamping.used_up_to(signer.stamp)
            stamping.close()
    off = f"the wall clock is {'on' if off_s > 0 else 'back'} by a year, link signed"
    return Row(off, 0, 0, None, None, 0.0 if not refused else None, note=f"{refused} of 150 packets refused")


class Hands:
    """A monotonic clock by hand."""

    t_ns = 0

    def now_ns(self) -> int:
        return self.t_ns


def vision_stops(gps: bool, blind_s: float = 10.0) -> Row:
    """An autopilot that is fed by the camera, which sees nothing for a while; the jump is of what the autopilot
    believes, from one report to the next, beside what the vehicle really moved."""
    flight = RoughFlight(
        frame_period_ns=100 * MS, source=NavigationSource.AUTO, parameters=FALLBACK,
        injection=InjectionSettings(route=Route.ODOMETRY),
    )  # fmt: skip
    flight.referee = Referee(frozenset({"ODOMETRY", "SET_GPS_GLOBAL_ORIGIN"}))
    flight.fly(5.0)
    if not gps:
        flight.autopilot.set_parameter("SIM_GPS1_ENABLE", 0)
        flight.fly(6.0)
    flight.referee.watching = True
    before, begun_ns = flight.referee.forbidden, flight.t_ns
    flight.eyes.blind = flight.odometer.blind = True
    noticed_ns = recovered_ns = None
    while flight.t_ns < begun_ns + blind_s * SECOND:
        flight.step()
        noticed_ns = noticed_ns or _at(flight, lambda f: "odometry_missing" in _reasons(f))
    flight.eyes.blind = flight.odometer.blind = False
    resumed_ns, jump_m, last = flight.t_ns, 0.0, _error_m(flight)
    while flight.t_ns < resumed_ns + 8 * SECOND:
        flight.step()
        now = _error_m(flight)
        jump_m, last = max(jump_m, abs(now[0] - last[0]), abs(now[1] - last[1])), now
        recovered_ns = recovered_ns or _at(flight, lambda f: "odometry_missing" not in _reasons(f))
    return Row(
        f"the camera sees nothing for {blind_s:g} s, {'with' if gps else 'without'} GPS", flight.referee.targets,
        flight.referee.forbidden - before, None, None if noticed_ns is None else (noticed_ns - begun_ns) * 1e-9,
        None if recovered_ns is None else (recovered_ns - resumed_ns) * 1e-9, True,
        f"largest jump {jump_m:.1f} m; then {flight.autopilot.mode}",
    )  # fmt: skip


def _reasons(flight: RoughFlight) -> list[str]:
    return [reason.value for reason in flight.daemon.feeding.last.reasons]


def _error_m(flight: RoughFlight) -> tuple[float, float]:
    """What the autopilot believes less what is, north and east, exactly now."""
    estimator, truth = flight.autopilot._state.vehicle.estimator, flight.autopilot.truth.position_ned_m
    return estimator.n - truth[0], estimator.e - truth[1]


def table(rows: list[Row]) -> str:
    """As the pages have it."""
    lines = [
        "| fault | targets sent | forbidden | the flight | noticed after | well again after | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        flight = {True: "ends", False: "goes on", None: "–"}[row.ended]
        lines.append(
            f"| {row.name} | {row.targets} | {row.forbidden} | {flight} | {_seconds(row.noticed_s)} | "
            f"{_seconds(row.recovered_s)} | {row.note} |"
        )
    return "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def main() -> None:
    """Prints the table."""
    rows = all_flown()
    rows += [command(*one) for one in COMMANDS]
    rows += [wall_clock(YEAR_S), wall_clock(-YEAR_S), vision_stops(gps=True), vision_stops(gps=False)]
    print(table(rows))


if __name__ == "__main__":
    main()
