"""What has happened, in sentences: from the records of the flight log to what an operator reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from runtime.camera.health import CameraState
from runtime.camera.words import WORDS
from runtime.flightlog.beliefs import NavigationRecord, OdometryRecord, VisionRecord
from runtime.flightlog.record import Record
from runtime.flightlog.records import (
    CameraStateRecord,
    ControlRecord,
    ErrorRecord,
    GuidanceRecord,
    InjectionRecord,
    LogRecord,
    ReleaseRecord,
    SetpointRecord,
    VehicleRecord,
)
from runtime.guidance.explained import EXPLAINED, PHASES, STATES
from runtime.guidance.reasons import Phase, Reason, State
from runtime.values import OdometryFault

GOOD, NEWS, WARNING = "good", "news", "warning"
Said = tuple[str, str]  # (sentence, severity)


class Narrator:
    """Tells of each change once; what only goes on is not told."""

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}
        self._tellers: dict[type[Record], Callable[[Any], Iterator[Said]]] = {
            GuidanceRecord: self._guidance,
            NavigationRecord: self._navigation,
            VisionRecord: self._vision,
            InjectionRecord: self._injection,
            SetpointRecord: self._setpoint,
            ReleaseRecord: self._release,
            VehicleRecord: self._vehicle,
            ControlRecord: self._control,
            ErrorRecord: self._error,
            CameraStateRecord: self._camera,
            OdometryRecord: self._odometry,
            LogRecord: self._log,
        }

    def said(self, record: Record) -> Iterator[Said]:
        """The sentences that a record is worth, with their severity."""
        teller = self._tellers.get(type(record))
        return iter(()) if teller is None else teller(record)

    def _changed(self, what: str, now: Any) -> bool:
        """Whether something is otherwise than when it was last looked at; the first look counts as a change."""
        before, self._last[what] = self._last.get(what, _NEVER), now
        return bool(before != now)

    def _guidance(self, record: GuidanceRecord) -> Iterator[Said]:
        state, phase = State(record.state), Phase(record.phase)
        over = state is State.YIELDED and phase is Phase.EN_ROUTE  # a way that was given up is no phase any more
        phase = Phase.NONE if over else phase
        if not self._changed("state", (state, phase)):
            return
        why = [EXPLAINED[Reason(reason)].meaning for reason in record.reasons[:1]] if state is State.YIELDED else []
        tail = PHASES[phase] or "".join(why) or STATES[state]
        severity = {State.YIELDED: WARNING, State.READY: GOOD, State.ENGAGED: GOOD}.get(state, NEWS)
        yield f"{state.value.upper()}: {tail.replace('`', '')}", severity

    def _navigation(self, record: NavigationRecord) -> Iterator[Said]:
        if self._changed("source", record.source):
            yield f"the position that is flown is the {_WHOSE.get(record.source, record.source)}", NEWS
        if self._changed("gps", record.gps) and record.gps in _GPS:
            why = f": {record.alarm.reason}" if record.alarm is not None else ""
            yield _GPS[record.gps] + why, GOOD if record.gps == "believed" else WARNING

    def _vision(self, record: VisionRecord) -> Iterator[Said]:
        if not self._changed("vision", record.state):
            return
        if record.state == "tracking":
            yield f"the camera knows where it is, to {record.sigma_m:.1f} m", GOOD
        elif record.state == "lost":
            yield f"the camera does not know where it is: {record.reason}", WARNING
        else:
            yield f"the camera is not sure where it is: {record.reason}", NEWS

    def _odometry(self, record: OdometryRecord) -> Iterator[Said]:
        """Of what odometry finds wrong only that which nothing else shows."""
        turned_over = OdometryFault.UPSIDE_DOWN.value in record.faults
        if self._changed("upside down", turned_over) and turned_over:
            yield "the camera's picture turned upside down: nothing is measured by it; look at its mount", WARNING

    def _injection(self, record: InjectionRecord) -> Iterator[Said]:
        if self._changed("injection", record.state):
            why = f" ({', '.join(map(_words, record.reasons))})" if record.reasons else ""
            yield f"feeding the autopilot: {record.state}{why}", NEWS

    def _setpoint(self, record: SetpointRecord) -> Iterator[Said]:
        """The first of those that go out, and the first of those that do not."""
        if self._changed("setpoint", record.withheld):
            if record.withheld is None:
                yield "position targets go to the autopilot", GOOD
            else:
                yield f"position targets are not sent: {_words(record.withheld)}", WARNING

    def _release(self, record: ReleaseRecord) -> Iterator[Said]:
        hold = ", with one target to hold here" if record.hold else ""
        yield f"given back: {EXPLAINED[Reason(record.cause)].meaning.replace('`', '')}{hold}", NEWS

    def _vehicle(self, record: VehicleRecord) -> Iterator[Said]:
        teller = _VEHICLE.get(record.event)
        if teller is not None:
            yield from teller(record.details)

    def _control(self, record: ControlRecord) -> Iterator[Said]:
        command = record.request.get("command")
        if command == "status":
            return
        refused = record.answer.get("error")
        if refused:
            yield f"{command} refused: {refused}", WARNING
        elif command == "target":
            found = "found" if record.answer.get("confirmable") else "not found"
            yield f"target {record.answer.get('target_id')}: {found}", NEWS
        else:
            yield f"the operator: {command}", NEWS

    def _error(self, record: ErrorRecord) -> Iterator[Said]:
        if self._changed(f"error {record.stage}", record.error):
            yield f"{record.stage} failed: {record.error or record.kind}", WARNING

    def _camera(self, record: CameraStateRecord) -> Iterator[Said]:
        state = CameraState(record.state)
        why = f" ({record.error})" if record.error else ""
        yield WORDS[state] + why, GOOD if state is CameraState.OK else WARNING

    def _log(self, record: LogRecord) -> Iterator[Said]:
        if self._changed("log", record.degraded):
            yield f"the flight log loses records: {record.reason or 'they have no place in it'}", WARNING


_NEVER = object()
_WHOSE = {"vision": "camera's", "autopilot": "autopilot's"}
_GPS = {
    "believed": "GPS is believed",
    "lost": "GPS is lost",
    "doubted": "GPS is doubted",
    "absent": "no GPS is heard of",
}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _connected(details: dict[str, Any]) -> Iterator[Said]:
    yield f"the autopilot answers: {details['stack']}, system {details['system_id']}", GOOD


def _lost(details: dict[str, Any]) -> Iterator[Said]:
    yield f"the autopilot has been silent for {details['silence_s']:.1f} s", WARNING


def _mode(details: dict[str, Any]) -> Iterator[Said]:
    yield f"mode {details['mode']}", NEWS


def _armed(details: dict[str, Any]) -> Iterator[Said]:
    yield ("motors armed" if details["armed"] else "motors off"), NEWS


def _landed(details: dict[str, Any]) -> Iterator[Said]:
    yield f"the aircraft is {_words(details['landed'])}", NEWS


def _foreign(details: dict[str, Any]) -> Iterator[Said]:
    yield f"somebody else sent a position target: {details['source']}", WARNING


def _failsafe(details: dict[str, Any]) -> Iterator[Said]:
    what = f"{_words(details['name'])}{': ' + details['detail'] if details['detail'] else ''}"
    yield (f"failsafe {what}", WARNING) if details["active"] else (f"failsafe over: {what}", GOOD)


def _text(details: dict[str, Any]) -> Iterator[Said]:
    yield f"autopilot: {details['text']}", WARNING if details["severity"] <= _MAV_WARNING else NEWS


def _command(details: dict[str, Any]) -> Iterator[Said]:
    if not details["accepted"] and details["command"] != _SET_MESSAGE_INTERVAL:
        yield f"the autopilot did not accept command {details['command']}: {details['result']}", WARNING


def _always(sentence: str) -> Callable[[dict[str, Any]], Iterator[Said]]:
    return lambda details: iter(((sentence, WARNING),))


_MAV_WARNING = 4  # MAV_SEVERITY
_SET_MESSAGE_INTERVAL = 511  # asked again until its stream comes; one that does not come is a reason of its own
_VEHICLE: dict[str, Callable[[dict[str, Any]], Iterator[Said]]] = {
    "Connected": _connected,
    "ConnectionLost": _lost,
    "Rebooted": _always("the autopilot started anew"),
    "ModeChanged": _mode,
    "ArmedChanged": _armed,
    "LandedChanged": _landed,
    "ForeignTarget": _foreign,
    "CommandDone": _command,
    "Text": _text,
    "FailsafeChanged": _failsafe,
    "OtherAutopilot": _always("a second autopilot is on the link: nothing is commanded"),
    "CompanionConflict": _always("somebody else speaks with Homing's own MAVLink ids"),
}
