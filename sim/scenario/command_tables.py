"""Tables of a scenario's page: every command on the wire with its reason and answer, and why there were no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.flightlog.flightlog import read_flightlog
from runtime.report.flight import Table
from sim.scenario.outcome import Recording
from sim.scenario.referee import WireCommand

Log = list[Any]  # (channel, t_ns, record) of one flight log
Decision = tuple[int, dict[str, Any]]  # when, and a record of the channel "setpoint"

_SHOWN = ("fix", "vehicle", "setpoint", "guidance")  # channels of a flight log
_WRITTEN_NS = 1_000_000_000  # between a decision in the log and its bytes on the wire, on a busy computer
_STREAM_NS = 200_000_000  # between two targets of a stream that PX4 wants to flow: ten a second, and what is late
_SAME_PLACE_DEG = 3e-7  # 1e-7 degrees are what the wire carries
_UNKNOWN = "not in the log: seen on the wire alone"
_AGAIN = "sent again: targets flow between decisions"


def logs_of(recording: Recording) -> dict[str, list[Log]]:
    """The records that a page shows of every flight: one list for each log."""
    return {name: [list(read_flightlog(path, _SHOWN)) for path in paths] for name, paths in recording.logs.items()}


def commands_of(name: str, commands: Sequence[WireCommand], logs: Sequence[Log]) -> Table:
    """Every command that went over the wire, with its reason and its answer where a log has them.

    A daemon that was killed had no time to write its last ones down; where targets have to flow, the last is sent again
    between two decisions. For a position target the answer is the autopilot's own report of having taken it.
    """
    log = [record for one in logs for record in one]
    begun_ns = min([*(t_ns for _, t_ns, _ in log[:1]), *(one.t_ns for one in commands[:1])], default=0)
    events = [record for channel, _, record in log if channel == "vehicle" and record["event"] == "TargetTaken"]
    taken = {_spot(_details(event)["target"]): _details(event)["latency_s"] for event in events}
    setpoints = [(t_ns, record) for channel, t_ns, record in log if channel == "setpoint"]
    rows: list[tuple[int, tuple[str, str, str, str]]] = []
    for before, command in zip([None, *commands], commands, strict=False):
        decided = _decided(command, setpoints)
        setpoints = [one for one in setpoints if one is not decided]
        row = _undecided(command, before) if decided is None else _sent(command, decided[1], taken)
        rows.append((command.t_ns, row))
    for t_ns, record in setpoints:
        answer = "written down, but not on the wire" if record["sent"] else "withheld"
        rows.append((t_ns, ("position target", _place(record), answer, record["reason"])))
    for channel, t_ns, record in log:
        if channel == "vehicle" and record["event"] == "CommandDone":
            done = _details(record)
            what = f"MAV_CMD {done['command']}, {done['parameter']:g}"
            rows.append((t_ns, (what, "", str(done["result"]), "to be told what it needs to know")))
    heads = ("time", "command", "to", "answer", "reason")
    timed = tuple((f"{(t_ns - begun_ns) * 1e-9:.2f} s", *row) for t_ns, row in sorted(rows, key=lambda one: one[0]))
    return Table(f"Commands: {name.replace('_', ' ')}", heads, timed)


def _decided(command: WireCommand, setpoints: Sequence[Decision]) -> Decision | None:
    """The decision that the log has of a command on the wire."""
    same = (one for one in setpoints if one[1]["sent"] and _same_place(command, one[1]))
    near = [one for one in same if abs(one[0] - command.t_ns) < _WRITTEN_NS]
    return min(near, key=lambda one: abs(one[0] - command.t_ns), default=None)


def _sent(
    command: WireCommand, record: dict[str, Any], taken: dict[tuple[float, float], float]
) -> tuple[str, str, str, str]:
    latency_s = taken.get(_spot(record))
    echo = "no echo seen" if latency_s is None else f"taken after {latency_s:.2f} s"
    return _what(command), _place(record), echo, str(record["reason"])


def _undecided(command: WireCommand, before: WireCommand | None) -> tuple[str, str, str, str]:
    """One of which the log has no decision; ``before``: the one that went over the wire before it."""
    if command.latitude_deg is None or command.longitude_deg is None:
        return _what(command), "", "", _UNKNOWN
    place = command.latitude_deg, command.longitude_deg
    same = before is not None and (before.latitude_deg, before.longitude_deg) == place
    again = same and before is not None and command.t_ns - before.t_ns <= _STREAM_NS
    return _what(command), "{:.6f}, {:.6f}".format(*place), "", _AGAIN if again else _UNKNOWN


def _what(command: WireCommand) -> str:
    what = command.name if command.latitude_deg is None else "position target"
    return what if command.authorised else f"{what} WITHOUT AUTHORITY"


def _place(record: dict[str, Any]) -> str:
    return f"{record['latitude_deg']:.6f}, {record['longitude_deg']:.6f}, {record['altitude_amsl_m']:.1f} m AMSL"


def _same_place(command: WireCommand, record: dict[str, Any]) -> bool:
    if command.latitude_deg is None or command.longitude_deg is None:
        return False
    off = command.latitude_deg - record["latitude_deg"], command.longitude_deg - record["longitude_deg"]
    return all(abs(one) < _SAME_PLACE_DEG for one in off)


def _details(record: dict[str, Any]) -> dict[str, Any]:
    """What a vehicle event carries; in older logs it stands beside the event's name."""
    details: dict[str, Any] = record.get("details", record)
    return details


def _spot(place: dict[str, Any]) -> tuple[float, float]:
    return round(place["latitude_deg"], 6), round(place["longitude_deg"], 6)


def refused_s(log: Log) -> Counter[str]:
    """How long each reason kept the daemon from commanding, from the records of its flight log."""
    seconds: Counter[str] = Counter()
    decisions = [(t_ns, record) for channel, t_ns, record in log if channel == "guidance"]
    for (t_ns, record), (next_ns, _) in zip(decisions, decisions[1:], strict=False):
        for reason in record["reasons"]:
            seconds[f"{record['state']}: {reason}"] += (next_ns - t_ns) * 1e-9
    return seconds


def refusals_of(logs: Mapping[str, Sequence[Log]]) -> list[Table]:
    """What kept each daemon of each flight from commanding, and for how long."""
    tables = []
    for name, daemons in logs.items():
        for number, log in enumerate(daemons, start=1):
            whose = "" if len(daemons) == 1 else f", daemon {number}"
            rows = ((reason.replace("_", " "), f"{total:.1f} s") for reason, total in refused_s(log).most_common())
            title = f"Why it did not command: {name.replace('_', ' ')}{whose}"
            tables.append(Table(title, ("state and reason", "for"), tuple(rows)))
    return tables
