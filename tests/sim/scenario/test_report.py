"""The report's table of commands, from a flight log as the daemon writes it, and as it wrote it before."""

from __future__ import annotations

from pathlib import Path

from runtime.clock import MonotonicClock
from runtime.daemon.records import setpoint_record, vehicle_record
from runtime.flightlog.flightlog import FlightLog, read_flightlog
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.events import CommandDone, TargetTaken
from sim.scenario.report import commands_of

PLACE = GeoPoint(60.4, 22.4)
ROWS = (
    ("0.00 s", "MAV_CMD 511, 30", "", "ACCEPTED", "to be told what it needs to know"),
    ("1.00 s", "position target", "60.400000, 22.400000, 120.0 m AMSL", "taken after 0.06 s", "en route"),
)


def test_commands_with_their_answers_from_a_written_log(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, MonotonicClock(), name="flight")
    log.write(0, vehicle_record(CommandDone(0, 511, 30.0, "ACCEPTED", True, 1)))
    log.write(1_000_000_000, setpoint_record(Setpoint(0, PLACE, 120.0, 2_000_000_000, "en route"), None))
    log.write(1_060_000_000, vehicle_record(TargetTaken(1_060_000_000, PLACE, 120.0, 0.06)))
    log.close()
    read = [record for record in read_flightlog(log.mcap_path) if record[0] in ("vehicle", "setpoint")]
    assert commands_of("flight", read).rows == ROWS
    flat = [(channel, t_ns, {**record, **record.pop("details", {})}) for channel, t_ns, record in read]
    assert commands_of("flight", flat).rows == ROWS
