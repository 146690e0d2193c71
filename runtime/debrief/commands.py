"""Tables of commands: every one on the wire with its cause and its answer, and why there were no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runtime.debrief.flown import Flown, Logged
from runtime.debrief.wire import WireCommand
from runtime.guidance.explained import EXPLAINED
from runtime.guidance.reasons import Reason
from runtime.mavlink.dialect import mavlink
from runtime.report.flight import Table

Row = tuple[str, str, str, str]  # command, to, answer, reason

_WRITTEN_NS = 1_000_000_000  # between a decision in the log and its bytes on the wire, on a busy computer
_ANSWERED_NS = 60_000_000_000  # the longest that a command is repeated or waited for
_STREAM_NS = 200_000_000  # between two targets of a stream that PX4 wants to flow: ten a second, and what is late
_SAME_PLACE_DEG = 3e-7  # 1e-7 degrees are what the wire carries
_ASKED = "to be told what it needs to know"
_UNKNOWN = "not in the log: seen on the wire alone"
_AGAIN = "sent again: targets flow between decisions"
_WHY = {
    "MAV_CMD_SET_EKF_SOURCE_SET": "whose position the estimator is to fly by",
    "MAV_CMD_EXTERNAL_POSITION_ESTIMATE": "a fix, for an estimator that dead-reckons",
}


def commands_of(name: str, commands: Sequence[WireCommand], logs: Sequence[Flown]) -> Table:
    """Every command that went over the wire, with its reason and its answer where a log has them.

    A daemon that was killed had no time to write its last ones down; where targets have to flow, the last is sent again
    between two decisions. For a position target the answer is the autopilot's own report of having taken it.
    """
    begun_ns = min([*(log.first_t_ns for log in logs), *(one.t_ns for one in commands[:1])], default=0)
    rows = sorted(_rows(commands, logs), key=lambda one: one[0])
    heads = ("time", "command", "to", "answer", "reason")
    timed = tuple((f"{(t_ns - begun_ns) * 1e-9:.2f} s", *row) for t_ns, row in rows)
    return Table(f"Commands: {name.replace('_', ' ')}" if name else "Commands", heads, timed)


def _rows(commands: Sequence[WireCommand], logs: Sequence[Flown]) -> Iterator[tuple[int, Row]]:
    setpoints, releases, events = (_all(logs, channel) for channel in ("setpoint", "release", "vehicle"))
    taken = {_spot(_details(one)["target"]): _details(one)["latency_s"] for _, one in _named(events, "TargetTaken")}
    done = [(t_ns, _details(one)) for t_ns, one in _named(events, "CommandDone")]
    for before, command in zip([None, *commands], commands, strict=False):
        if command.latitude_deg is None:
            answered = next((one for one in done if _answers(one, command)), None)
            done = [one for one in done if one is not answered]
            yield command.t_ns, (_what(command), "", "none" if answered is None else str(answered[1]["result"]),
                                 _WHY.get(command.name, _UNKNOWN))  # fmt: skip
            continue
        decided = _decided(command, setpoints)
        setpoints = [one for one in setpoints if one is not decided]
        if decided is None:
            yield command.t_ns, _undecided(command, before, releases)
        else:
            yield command.t_ns, _sent(command, decided[1], taken)
    for t_ns, record in setpoints:
        answer = "written down, but not on the wire" if record["sent"] else f"withheld{_why_withheld(record)}"
        yield t_ns, ("position target", _place(record), answer, record["reason"])
    for t_ns, details in done:
        yield t_ns, (f"{_mav_cmd(details['command'])}, {details['parameter']:g}", "", str(details["result"]), _ASKED)


def _all(logs: Sequence[Flown], channel: str) -> list[Logged]:
    return [one for log in logs for one in log.records.get(channel, [])]


def _named(events: Sequence[Logged], event: str) -> Iterator[Logged]:
    return (one for one in events if one[1]["event"] == event)


def _answers(done: Logged, command: WireCommand) -> bool:
    return _mav_cmd(done[1]["command"]) == command.name and 0 <= done[0] - command.t_ns < _ANSWERED_NS


def _mav_cmd(number: int) -> str:
    entry = mavlink.enums["MAV_CMD"].get(number)
    return f"MAV_CMD {number}" if entry is None else str(entry.name)


def _decided(command: WireCommand, setpoints: Sequence[Logged]) -> Logged | None:
    """The decision that the log has of a command on the wire."""
    same = (one for one in setpoints if one[1]["sent"] and _same_place(command, one[1]))
    near = [one for one in same if abs(one[0] - command.t_ns) < _WRITTEN_NS]
    return min(near, key=lambda one: abs(one[0] - command.t_ns), default=None)


def _sent(command: WireCommand, record: dict[str, Any], taken: dict[tuple[float, float], float]) -> Row:
    latency_s = taken.get(_spot(record))
    echo = "no echo seen" if latency_s is None else f"taken after {latency_s:.2f} s"
    return _what(command), _place(record), echo, str(record["reason"])


def _undecided(command: WireCommand, before: WireCommand | None, releases: Sequence[Logged]) -> Row:
    """A target of which the log has no decision; ``before``: what went over the wire before it."""
    place = f"{command.latitude_deg:.6f}, {command.longitude_deg:.6f}"
    for t_ns, release in releases:
        if release["hold"] and abs(t_ns - command.t_ns) < _WRITTEN_NS:
            return _what(command), place, "", f"to hold here, given back: {_meaning(release['cause'])}"
    here = command.latitude_deg, command.longitude_deg
    same = before is not None and (before.latitude_deg, before.longitude_deg) == here
    again = same and before is not None and command.t_ns - before.t_ns <= _STREAM_NS
    return _what(command), place, "", _AGAIN if again else _UNKNOWN


def _what(command: WireCommand) -> str:
    what = command.name if command.latitude_deg is None else "position target"
    return what + ("" if command.authorised else " WITHOUT AUTHORITY")


def _meaning(cause: str) -> str:
    known = {reason.value for reason in Reason}
    return EXPLAINED[Reason(cause)].meaning.replace("`", "") if cause in known else cause


def _why_withheld(record: dict[str, Any]) -> str:
    why = record.get("withheld")
    return f": {why.replace('_', ' ')}" if why else ""


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


def refused_s(decisions: Sequence[Logged]) -> dict[str, float]:
    """How long each reason kept the daemon from commanding, from the records of its channel "guidance"."""
    lasted_ns: Counter[str] = Counter()
    for (t_ns, record), (next_ns, _) in zip(decisions, decisions[1:], strict=False):
        for reason in record["reasons"]:
            lasted_ns[f"{record['state']}: {reason}"] += next_ns - t_ns
    return {reason: total_ns * 1e-9 for reason, total_ns in lasted_ns.most_common()}


def refusals_of(logs: Mapping[str, Sequence[Flown]]) -> list[Table]:
    """What kept each daemon of each flight from commanding, and for how long."""
    tables = []
    for name, daemons in logs.items():
        for number, log in enumerate(daemons, start=1):
            whose = "" if len(daemons) == 1 else f", daemon {number}"
            reasons = refused_s(log.records.get("guidance", [])).items()
            rows = tuple((reason.replace("_", " "), f"{total:.1f} s") for reason, total in reasons)
            title = "Why it did not command" + (f": {name.replace('_', ' ')}{whose}" if name else "")
            tables.append(Table(title, ("state and reason", "for"), rows))
    return tables
