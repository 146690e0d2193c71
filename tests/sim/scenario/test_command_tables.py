"""The page's tables of commands: what went over the wire, with what a flight log knows of it, and why not more."""

from __future__ import annotations

from pathlib import Path

from runtime.clock import MonotonicClock
from runtime.daemon.records import setpoint_record, vehicle_record
from runtime.flightlog.flightlog import FlightLog, read_flightlog
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.events import CommandDone, TargetTaken
from sim.scenario.command_tables import commands_of, refusals_of
from sim.scenario.referee import WireCommand

PLACE = GeoPoint(60.4, 22.4)
ROWS = (
    ("0.00 s", "MAV_CMD 511, 30", "", "ACCEPTED", "to be told what it needs to know"),
    ("1.01 s", "position target", "60.400000, 22.400000, 120.0 m AMSL", "taken after 0.06 s", "en route"),
)
SENT = WireCommand(1_010_000_000, "SET_POSITION_TARGET_GLOBAL_INT", True, 60.4, 22.4000001, 83.0)


def written(t_ns: int, sent: bool = True) -> tuple[str, int, dict[str, object]]:
    """A decision as a log has it."""
    place = {"latitude_deg": PLACE.latitude_deg, "longitude_deg": PLACE.longitude_deg, "altitude_amsl_m": 120.0}
    return "setpoint", t_ns, {**place, "sent": sent, "reason": "en route"}


def test_commands_with_their_answers_from_a_written_log(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, MonotonicClock(), name="flight")
    log.write(0, vehicle_record(CommandDone(0, 511, 30.0, "ACCEPTED", True, 1)))
    log.write(1_000_000_000, setpoint_record(Setpoint(0, PLACE, 120.0, 2_000_000_000, "en route"), None))
    log.write(1_060_000_000, vehicle_record(TargetTaken(1_060_000_000, PLACE, 120.0, 0.06)))
    log.close()
    read = [record for record in read_flightlog(log.mcap_path) if record[0] in ("vehicle", "setpoint")]
    assert commands_of("flight", [SENT], [read]).rows == ROWS
    flat = [(channel, t_ns, {**record, **record.pop("details", {})}) for channel, t_ns, record in read]
    assert commands_of("flight", [SENT], [flat]).rows == ROWS


def test_what_a_killed_daemon_had_no_time_to_write_down_is_in_the_table_all_the_same() -> None:
    commands = [WireCommand(t_ns, SENT.name, True, 60.4, 22.4, 83.0) for t_ns in (1_010_000_000, 1_510_000_000)]
    rows = commands_of("flight", commands, [[written(1_000_000_000)]]).rows
    assert [row[0] for row in rows] == ["0.01 s", "0.51 s"]
    assert [row[4] for row in rows] == ["en route", "not in the log: seen on the wire alone"]


def test_each_command_has_the_decision_that_led_to_it_and_no_other() -> None:
    commands = [WireCommand(int(t_s * 1e9), SENT.name, True, 60.4, 22.4, 83.0) for t_s in (5.02, 5.52)]
    log = [written(5_000_000_000), written(5_250_000_000, sent=False), written(5_500_000_000), written(5_900_000_000)]
    answers = [(row[0], row[3]) for row in commands_of("flight", commands, [log]).rows]
    assert answers == [
        ("0.02 s", "no echo seen"), ("0.25 s", "withheld"), ("0.52 s", "no echo seen"),
        ("0.90 s", "written down, but not on the wire"),
    ]  # fmt: skip


def test_a_target_that_flows_between_decisions_is_called_the_same_again() -> None:
    """PX4 wants ten a second, whenever there is something new to decide."""
    commands = [WireCommand(int(t_s * 1e9), SENT.name, True, 60.4, 22.4, 83.0) for t_s in (5.02, 5.12, 5.22)]
    elsewhere = WireCommand(5_320_000_000, SENT.name, True, 60.5, 22.4, 83.0)
    rows = commands_of("flight", [*commands, elsewhere], [[written(5_000_000_000)]]).rows
    assert [row[4] for row in rows] == [
        "en route", "sent again: targets flow between decisions", "sent again: targets flow between decisions",
        "not in the log: seen on the wire alone",
    ]  # fmt: skip


def test_a_command_without_authority_is_called_one() -> None:
    (row,) = commands_of("flight", [WireCommand(0, "MAV_CMD_DO_SET_MODE", False, None, None, None)], []).rows
    assert row[1] == "MAV_CMD_DO_SET_MODE WITHOUT AUTHORITY"


def test_the_reasons_of_a_restarted_daemon_are_shown_beside_those_of_the_first() -> None:
    first = [("guidance", t_s * 10**9, {"state": "engaged", "reasons": ["not_due"]}) for t_s in range(3)]
    second = [("guidance", t_s * 10**9, {"state": "monitor", "reasons": ["already_guided"]}) for t_s in range(9, 14)]
    tables = refusals_of({"daemon_restarts": [first, second]})
    assert [(table.title, table.rows) for table in tables] == [
        ("Why it did not command: daemon restarts, daemon 1", (("engaged: not due", "2.0 s"),)),
        ("Why it did not command: daemon restarts, daemon 2", (("monitor: already guided", "4.0 s"),)),
    ]
    assert refusals_of({"return": [first]})[0].title == "Why it did not command: return"
