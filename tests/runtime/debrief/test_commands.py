"""The page's tables of commands: what went over the wire, with what a flight log knows of it, and why not more."""

from __future__ import annotations

from pathlib import Path

from runtime.clock import MonotonicClock
from runtime.daemon.records import setpoint_record, vehicle_record
from runtime.debrief.commands import commands_of, refusals_of
from runtime.debrief.flown import Flown, Logged
from runtime.debrief.wire import Wire, WireCommand
from runtime.flightlog.flightlog import FlightLog
from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.events import CommandDone, TargetTaken

PLACE = GeoPoint(60.4, 22.4)
ROWS = (
    ("0.00 s", "MAV_CMD_SET_MESSAGE_INTERVAL, 30", "", "ACCEPTED", "to be told what it needs to know"),
    ("1.01 s", "position target", "60.400000, 22.400000, 120.0 m AMSL", "taken after 0.06 s", "en route"),
)
SENT = WireCommand(1_010_000_000, "SET_POSITION_TARGET_GLOBAL_INT", True, 60.4, 22.4000001, 83.0)


def written(t_ns: int, sent: bool = True) -> Logged:
    """A decision as a log has it."""
    place = {"latitude_deg": PLACE.latitude_deg, "longitude_deg": PLACE.longitude_deg, "altitude_amsl_m": 120.0}
    return t_ns, {**place, "sent": sent, "reason": "en route", "withheld": None if sent else "mode_changed"}


def flight(**records: list[Logged]) -> Flown:
    """A log that holds these alone."""
    found = Flown(Path("flight.mcap"), first_t_ns=min(t_ns for kind in records.values() for t_ns, _ in kind))
    found.records.update(records)
    return found


def test_commands_with_their_answers_from_a_written_log(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, MonotonicClock(), name="flight")
    log.write(0, vehicle_record(CommandDone(0, 511, 30.0, "ACCEPTED", True, 1)))
    log.write(1_000_000_000, setpoint_record(Setpoint(0, PLACE, 120.0, 2_000_000_000, "en route"), None))
    log.write(1_060_000_000, vehicle_record(TargetTaken(1_060_000_000, PLACE, 120.0, 0.06)))
    log.close()
    read = Flown.open(log.mcap_path)
    assert commands_of("flight", [SENT], [read]).rows == ROWS
    read.records["vehicle"] = [(t_ns, {**one, **one.pop("details")}) for t_ns, one in read.records["vehicle"]]
    assert commands_of("flight", [SENT], [read]).rows == ROWS, "as older logs have it"


def test_what_a_killed_daemon_had_no_time_to_write_down_is_in_the_table_all_the_same() -> None:
    commands = [WireCommand(t_ns, SENT.name, True, 60.4, 22.4, 83.0) for t_ns in (1_010_000_000, 1_510_000_000)]
    rows = commands_of("flight", commands, [flight(setpoint=[written(1_000_000_000)])]).rows
    assert [row[0] for row in rows] == ["0.01 s", "0.51 s"]
    assert [row[4] for row in rows] == ["en route", "not in the log: seen on the wire alone"]


def test_each_command_has_the_decision_that_led_to_it_and_no_other() -> None:
    commands = [WireCommand(int(t_s * 1e9), SENT.name, True, 60.4, 22.4, 83.0) for t_s in (5.02, 5.52)]
    log = [written(5_000_000_000), written(5_250_000_000, sent=False), written(5_500_000_000), written(5_900_000_000)]
    answers = [(row[0], row[3]) for row in commands_of("flight", commands, [flight(setpoint=log)]).rows]
    assert answers == [
        ("0.02 s", "no echo seen"), ("0.25 s", "withheld: mode changed"), ("0.52 s", "no echo seen"),
        ("0.90 s", "written down, but not on the wire"),
    ]  # fmt: skip


def test_a_target_that_flows_between_decisions_is_called_the_same_again() -> None:
    """PX4 wants ten a second, whenever there is something new to decide."""
    commands = [WireCommand(int(t_s * 1e9), SENT.name, True, 60.4, 22.4, 83.0) for t_s in (5.02, 5.12, 5.22)]
    elsewhere = WireCommand(5_320_000_000, SENT.name, True, 60.5, 22.4, 83.0)
    rows = commands_of("flight", [*commands, elsewhere], [flight(setpoint=[written(5_000_000_000)])]).rows
    assert [row[4] for row in rows] == [
        "en route", "sent again: targets flow between decisions", "sent again: targets flow between decisions",
        "not in the log: seen on the wire alone",
    ]  # fmt: skip


def test_a_command_without_authority_is_called_one() -> None:
    (row,) = commands_of("flight", [WireCommand(0, "MAV_CMD_DO_SET_MODE", False, None, None, None)], []).rows
    assert row[1] == "MAV_CMD_DO_SET_MODE WITHOUT AUTHORITY"


def test_the_reasons_of_a_restarted_daemon_are_shown_beside_those_of_the_first() -> None:
    first = flight(guidance=[(t_s * 10**9, {"state": "engaged", "reasons": ["not_due"]}) for t_s in range(3)])
    second = flight(
        guidance=[(t_s * 10**9, {"state": "monitor", "reasons": ["already_guided"]}) for t_s in range(9, 14)]
    )
    tables = refusals_of({"daemon_restarts": [first, second]})
    assert [(table.title, table.rows) for table in tables] == [
        ("Why it did not command: daemon restarts, daemon 1", (("engaged: not due", "2.0 s"),)),
        ("Why it did not command: daemon restarts, daemon 2", (("monitor: already guided", "4.0 s"),)),
    ]
    assert refusals_of({"return": [first]})[0].title == "Why it did not command: return"


def test_a_command_has_its_own_answer_and_a_hold_says_why_it_was_given_back() -> None:
    switch = WireCommand(2_000_000_000, "MAV_CMD_SET_EKF_SOURCE_SET", True, None, None, None)
    done = {"command": 42007, "parameter": 2.0, "result": "ACCEPTED", "accepted": True, "attempts": 1}
    log = flight(
        vehicle=[(2_100_000_000, {"event": "CommandDone", "t_ns": 2_100_000_000, "details": done})],
        release=[(9_000_000_000, {"cause": "operator_disengaged", "hold": True})],
    )
    hold = WireCommand(9_010_000_000, SENT.name, True, 60.4, 22.4, 83.0)
    first, second = commands_of("", [switch, hold], [log]).rows
    assert first[1:] == ("MAV_CMD_SET_EKF_SOURCE_SET", "", "ACCEPTED", "whose position the estimator is to fly by")
    assert second[4] == "to hold here, given back: homing disengage, which takes back a confirmation too"


def test_what_went_over_the_wire_is_read_from_its_bytes() -> None:
    voice = mavlink.MAVLink(None, 1, 191)
    asked = voice.command_long_encode(1, 1, 511, 0, 30, 1e5, 0, 0, 0, 0, 0)
    there = voice.command_int_encode(1, 1, 0, 192, 0, 0, -1, 0, 0, 0, 604000000, 224000000, 83.0)
    target = voice.set_position_target_global_int_encode(0, 1, 1, 0, 3576, 604000000, 224000000, 83.0, *(0.0,) * 8)
    fed = voice.vision_position_estimate_encode(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    wire = Wire()
    data = b"".join(message.pack(voice) for message in (asked, there, target, fed, fed))
    for k in range(0, len(data), 11):
        wire.sent(k, "vehicle", data[k : k + 11])
    assert [one.name for one in wire.commands] == ["MAV_CMD_DO_REPOSITION", "SET_POSITION_TARGET_GLOBAL_INT"]
    assert [(one.latitude_deg, one.longitude_deg) for one in wire.commands] == [(60.4, 22.4)] * 2
    assert wire.fed["VISION_POSITION_ESTIMATE"][0] == 2
