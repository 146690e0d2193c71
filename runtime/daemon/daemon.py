"""The daemon: the one place that wires the rooms.

frame ─▶ view ─▶ embedding ─▶ matches ─▶ fix ─┐
  └────▶ odometry ─────────────▶ displacement ─┴▶ navigation ─▶ estimate ─▶ guidance ─▶ setpoint
                                                       └────▶ injection ─▶ the autopilot's estimator

Single-threaded, without a clock, a sleep or IO of its own: `Daemon.step` takes one time-stamped event and gives what is
to be written to which link. Slow work is done by workers (`runtime.daemon.workers`), whose results are events like any
other, so that a simulated clock and a real one run the same code.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.control.control import refusal
from runtime.daemon.camera_watch import CameraWatch
from runtime.daemon.feeding import Feeding
from runtime.daemon.ground import Ground
from runtime.daemon.latencies import Latencies
from runtime.daemon.motion import Motion
from runtime.daemon.operator_handler import OperatorHandler
from runtime.daemon.perception import Perception, PerceptionSettings
from runtime.daemon.records import (
    control_record,
    decision_record,
    error_record,
    expected,
    job_record,
    setpoint_record,
    vehicle_record,
)
from runtime.daemon.revocations import revocation
from runtime.daemon.rooms import Rooms
from runtime.daemon.situation_of import situation_of
from runtime.daemon.status import status
from runtime.daemon.whereabouts import Whereabouts
from runtime.events import (
    Answer,
    ControlRequest,
    Event,
    FrameArrived,
    JobDone,
    JobKind,
    LinkBytes,
    LinkData,
    Tick,
)
from runtime.flightlog.inputs import RequestRecord, TickRecord
from runtime.flightlog.records import LogRecord, ReleaseRecord
from runtime.guidance.guidance import GuidanceDecision
from runtime.guidance.reasons import Phase, Reason, State
from runtime.guidance.situation import Situation
from runtime.values import Estimate, PositionSource, Setpoint
from runtime.vehicle.events import ArmedChanged, ModeChanged, OperatorCommand, VehicleEvent
from runtime.vehicle.telemetry.state import VehicleState

_LOG = logging.getLogger(__name__)
_WARNING, _NOTICE = 4, 5  # MAV_SEVERITY
_JOURNAL_EVERY_NS = 1_000_000_000  # an unchanged decision is repeated in the log this often
_LOG_STATE_EVERY_NS = 5_000_000_000  # this record is lost too while the disk is full


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """``dry_run``: setpoints are computed and logged, and none is sent."""

    dry_run: bool = False
    yield_to_sticks: bool = True
    figures_interval_ns: int = 0  # between two reports of figures to the ground station; 0: none
    perception: PerceptionSettings = PerceptionSettings()


class Daemon:
    """The state of one flight; `step` is the one way in, `close` the end."""

    def __init__(self, rooms: Rooms, settings: DaemonSettings | None = None) -> None:
        self.rooms = rooms
        self.settings = settings or DaemonSettings()
        self.counts: Counter[str] = Counter()
        self.latencies = Latencies()
        self.feeding = Feeding(rooms, self.counts, self.latencies)
        self.motion = Motion(rooms, self.counts, self.latencies, self.failed, self.feeding.frame)
        self.perception = Perception(
            rooms, self.settings.perception, self.counts, self.latencies, self.failed, self.motion
        )
        self.whereabouts = Whereabouts(rooms, self.counts)
        self.camera_watch = CameraWatch(rooms)
        self.estimate = Estimate.lost(0, PositionSource.AUTOPILOT, "no telemetry yet")
        self.started_t_ns: int | None = None
        self.now_ns = 0
        self._operator = OperatorHandler(rooms, self.release, lambda t_ns: status(self, t_ns))
        self._ground = Ground(rooms, self._operator, self.counts, self.settings.figures_interval_ns, rooms.computer)
        self._logged: tuple[Any, ...] = ()
        self._log_due_ns = self._log_state_due_ns = 0
        self._log_lost = 0
        self._handlers: dict[type[Event], Callable[[Any], None]] = {
            LinkData: self._on_link,
            FrameArrived: self._on_frame,
            ControlRequest: self._on_request,
            JobDone: self._on_done,
            Tick: self._on_tick,
        }
        self._done: dict[JobKind, Callable[[JobDone], None]] = {
            JobKind.FIX: self.perception.fixed,
            JobKind.ODOMETRY: self.motion.measured,
            JobKind.RECORD: self.perception.recorded,
            JobKind.LOCATE: self._operator.located,
        }

    # What happens

    def step(self, event: Event) -> list[LinkBytes]:
        """Takes one event; gives the bytes to be written, by link. Reads may lie just before the last event."""
        self.now_ns = max(self.now_ns, event.t_ns)
        if self.started_t_ns is None:
            self.started_t_ns = event.t_ns
        self._handlers[type(event)](event)
        self.perception.hand_out(event.t_ns)
        return self._out(event.t_ns)

    def _on_link(self, event: LinkData) -> None:
        self.rooms.journal.link(event.link, event.data, event.t_ns, "in")
        self._heard(self.rooms.vehicle.receive(event.data, event.t_ns, event.link))

    def _on_frame(self, event: FrameArrived) -> None:
        try:
            self.perception.arrived(event)
        except Exception as error:  # no picture, however odd, may end the flight: counted, logged, left out
            self.failed("frame", event.t_ns, error)

    def _on_done(self, event: JobDone) -> None:
        self.rooms.journal.write(event.t_ns, job_record(event))
        self.latencies.add(event.kind.value, event.elapsed_ns)
        self._done[event.kind](event)

    def _on_tick(self, event: Tick) -> None:
        self.rooms.journal.write(event.t_ns, TickRecord())
        self._heard(self.rooms.vehicle.tick(event.t_ns))
        state = self.rooms.vehicle.state
        self._guide(event.t_ns, state)
        self.rooms.vehicle.repeat(event.t_ns)
        self.feeding.tick(event.t_ns, state)
        self.camera_watch.tick(event.t_ns, self.perception.camera_state(event.t_ns), self.perception.camera_error)
        self._watch_log(event.t_ns)
        up_ns = event.t_ns - (self.started_t_ns or event.t_ns)
        self._ground.tick(event.t_ns, up_ns, self.estimate, self.perception.last_fix)
        self.rooms.vehicle.feed_heartbeat(event.t_ns)

    def _on_request(self, event: ControlRequest) -> None:
        self.rooms.journal.write(event.t_ns, RequestRecord(event.request))

        def answered(answer: Answer) -> None:
            self.rooms.journal.write(self.now_ns, control_record(event.request, answer))
            event.reply(answer)

        try:
            self._operator.answer(event.t_ns, event.request, answered)
        except Exception as error:  # an operator's request must not end the flight: counted, logged, refused
            self.failed("control", event.t_ns, error)
            answered(refusal("the daemon could not do that; its log says why."))

    def failed(self, stage: str, t_ns: int, error: Exception) -> None:
        """Counts and logs what a flight survives: sight and memory may fail, while the link and the latch go on."""
        self.counts[f"{stage}_failed"] += 1
        _LOG.error("%s: %s", stage, error, exc_info=None if expected(error) else error)
        self.rooms.journal.write(t_ns, error_record(stage, error))

    def close(self, t_ns: int, heard_after_ns: int | None = None) -> list[LinkBytes]:
        """The end: one target that holds here while the vehicle is ours, and nothing afterwards.

        ``heard_after_ns``: after an internal error only a heartbeat that came later says whose the vehicle is.
        """
        self.release(t_ns, Reason.SHUT_DOWN, heard_after_ns)
        self._operator.close()
        return self._out(t_ns)

    def release(self, t_ns: int, cause: Reason, heard_after_ns: int | None = None) -> None:
        """Gives the vehicle back, with one target that holds here if it was ours."""
        situation = self._situation(t_ns, self.rooms.vehicle.state, heard_after_ns)
        hold = self.rooms.guidance.release(t_ns, situation, self.estimate, cause)
        self.rooms.journal.write(t_ns, ReleaseRecord(cause.value, hold is not None))
        if hold is not None:
            self._send(t_ns, hold)

    def headline(self) -> str:
        """The state and every reason why nothing is commanded, in one line."""
        decision = self.rooms.guidance.last
        reasons = ", ".join(reason.value for reason in decision.reasons)
        return f"{decision.state.value}: {reasons}" if reasons else decision.state.value

    @property
    def dry_run(self) -> bool:
        """Whether setpoints are computed and logged, and none is sent."""
        return self.settings.dry_run

    # Telemetry

    def _out(self, t_ns: int) -> list[LinkBytes]:
        out = []
        for link in self.rooms.vehicle.links:
            data = self.rooms.vehicle.outgoing(link)
            if data:
                self.rooms.journal.link(link, data, t_ns, "out")
                out.append((link, data))
        return out

    def _heard(self, events: Sequence[VehicleEvent]) -> None:
        for event in events:
            self.rooms.journal.write(event.t_ns, vehicle_record(event))
            if isinstance(event, ModeChanged):
                self.rooms.guidance.mode_seen(
                    event.t_ns, event.guided, first=event.previous is None, by_pilot=event.by_pilot
                )
            self.feeding.heard(event)
            if isinstance(event, ArmedChanged):
                self.rooms.navigation.on_armed(event.armed)
            if isinstance(event, OperatorCommand):
                self._ground.heard(event)
            cause = revocation(event)
            if cause is not None:
                self.rooms.guidance.latch(cause)

    # estimate ─▶ guidance ─▶ setpoint

    def _guide(self, t_ns: int, state: VehicleState) -> None:
        begun_ns = self.rooms.stopwatch()
        decision = self._decide(t_ns, state)
        elapsed_ns = self.rooms.stopwatch() - begun_ns
        self.latencies.add("guide", elapsed_ns)
        self._journal(t_ns, decision)
        if decision.setpoint is not None:
            self.latencies.add("telemetry_to_setpoint", t_ns + elapsed_ns - self.estimate.t_ns)
            self._send(t_ns, decision.setpoint)
        elif decision.state is not State.ENGAGED:
            self.rooms.vehicle.withdraw()
        if decision.idle is not None and not self.settings.dry_run:
            self.rooms.vehicle.send_idle(decision.idle, t_ns)

    def _decide(self, t_ns: int, state: VehicleState) -> GuidanceDecision:
        self.estimate = self.whereabouts.estimate(t_ns)
        return self.rooms.guidance.decide(t_ns, self._situation(t_ns, state), self.estimate)

    def _situation(self, t_ns: int, state: VehicleState, heard_after_ns: int | None = None) -> Situation:
        doubted = self.rooms.navigation.alarm is not None
        return situation_of(state, t_ns, self.settings.yield_to_sticks, heard_after_ns, doubted)

    def _send(self, t_ns: int, setpoint: Setpoint) -> None:
        refusal = "dry_run" if self.settings.dry_run else self.rooms.vehicle.send_setpoint(setpoint, t_ns)
        self.counts["setpoints" if refusal is None else "setpoints_withheld"] += 1
        self.rooms.journal.write(t_ns, setpoint_record(setpoint, refusal))

    def _journal(self, t_ns: int, decision: GuidanceDecision) -> None:
        telling = tuple(reason for reason in decision.reasons if reason is not Reason.NOT_DUE)
        said = (decision.state, decision.phase, telling)
        if said == self._logged and t_ns < self._log_due_ns:
            return
        if said != self._logged:
            self._announce(decision)
        self._logged, self._log_due_ns = said, t_ns + _JOURNAL_EVERY_NS
        self.rooms.journal.write(t_ns, decision_record(decision, self.estimate))

    def _watch_log(self, t_ns: int) -> None:
        """A log that loses records says so: on the console and to the ground station once, in itself when it can."""
        state = self.rooms.journal.state
        if state.lost_records == self._log_lost or t_ns < self._log_state_due_ns:
            return
        self._log_state_due_ns = t_ns + _LOG_STATE_EVERY_NS
        if self._log_lost == 0:
            _LOG.warning("the flight log loses records: %s", state.reason or "they have no place in it")
            self.rooms.vehicle.statustext("Homing: flight log loses records", _WARNING, t_ns)
        self._log_lost = state.lost_records
        self.rooms.journal.write(
            t_ns, LogRecord(state.degraded, state.reason, state.lost_records, state.lost_blocks)
        )

    def _announce(self, decision: GuidanceDecision) -> None:
        """Changes of state, for the log on the console and for the pilot's ground station."""
        if self._logged and (decision.state, decision.phase) == self._logged[:2]:
            return
        reasons = ", ".join(reason.value for reason in decision.reasons)
        _LOG.info("%s %s: %s", decision.state.value, decision.phase.value, reasons or "commanding")
        word = decision.state.value if decision.phase is Phase.NONE else decision.phase.value
        self.rooms.vehicle.statustext(f"Homing: {word.replace('_', ' ')}", _NOTICE, decision.t_ns)
