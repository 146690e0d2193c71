"""The daemon: the one place that wires the rooms.

frame ─▶ view ─▶ embedding ─▶ matches ─▶ fix ─▶ estimate ─▶ guidance ─▶ setpoint

Single-threaded, without a clock, a sleep or IO of its own: `Daemon.step` takes one time-stamped event and gives the
bytes for the vehicle link. What a stage computes counts as known only when the stage's time has passed, so that a
simulated clock and a real one run the same code.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from runtime.camera.health import CameraHealth, CameraState
from runtime.daemon.frame_gate import PosedFrame
from runtime.daemon.operator_desk import HeldReply, OperatorDesk, refusal
from runtime.daemon.records import decision_record, event_record, fix_record, setpoint_record
from runtime.daemon.rooms import Rooms
from runtime.daemon.schedule import Schedule
from runtime.daemon.situation_of import situation_of
from runtime.daemon.stages import Latencies
from runtime.daemon.status import status
from runtime.errors import HomingError
from runtime.events import Answer, ControlRequest, ErrandDone, Event, FrameArrived, LinkData, Tick
from runtime.guidance.guidance import GuidanceDecision
from runtime.guidance.reasons import Phase, Reason
from runtime.guidance.situation import Situation
from runtime.localizer import FixDifference
from runtime.record.recorder import Recorded
from runtime.values import Decision, Estimate, Fix, Setpoint
from runtime.vehicle.events import (
    CompanionConflict,
    ConnectionLost,
    ForeignTarget,
    ModeChanged,
    OtherAutopilot,
    Rebooted,
    VehicleEvent,
)

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_NOTICE = 5  # MAV_SEVERITY
_SEEN_BADLY = frozenset({CameraState.FROZEN, CameraState.BLACK, CameraState.WHITE, CameraState.STAMPS_BACKWARDS})
_LATCHES: tuple[tuple[type[VehicleEvent], Reason], ...] = (
    (ConnectionLost, Reason.LINK_LOST),
    (Rebooted, Reason.REBOOTED),
    (ForeignTarget, Reason.FOREIGN_TARGET),
    (OtherAutopilot, Reason.SECOND_AUTOPILOT),
    (CompanionConflict, Reason.SECOND_COMPANION),
)
_JOURNAL_EVERY_NS = 1_000_000_000  # an unchanged decision is repeated in the log this often


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """``dry_run``: setpoints are computed and logged, and none is sent."""

    dry_run: bool = False
    record: bool = False
    fix_interval_ns: int = 0
    any_heading: bool = False
    yield_to_sticks: bool = True


class Daemon:
    """See the module."""

    def __init__(self, rooms: Rooms, settings: DaemonSettings | None = None) -> None:
        self.rooms = rooms
        self.settings = settings or DaemonSettings()
        self.counts: Counter[str] = Counter()
        self.latencies = Latencies()
        self.camera = CameraHealth()
        self.estimate = Estimate(0, None, float("inf"), False, "", "no telemetry yet")
        self.last_fix: Fix | None = None
        self.difference: FixDifference | None = None
        self.started_t_ns: int | None = None
        self.now_ns = 0
        self._operator = OperatorDesk(rooms, self.release, lambda t_ns: status(self, t_ns))
        self._later = Schedule()
        self._busy_until_ns = 0
        self._fix_due_ns = 0
        self._logged: tuple[Any, ...] = ()
        self._log_due_ns = 0
        self.recording_failed = ""

    # What happens

    def step(self, event: Event) -> bytes:
        """Takes one event; gives the bytes for the vehicle link. Reads may lie just before the last event."""
        self.now_ns = max(self.now_ns, event.t_ns)
        if self.started_t_ns is None:
            self.started_t_ns = event.t_ns
        if isinstance(event, LinkData):
            self.rooms.journal.mavlink(event.data, event.t_ns, "in")
            self._heard(self.rooms.vehicle.receive(event.data, event.t_ns))
        elif isinstance(event, FrameArrived):
            self._arrived(event)
        elif isinstance(event, ControlRequest):
            self._obey(event)
        elif isinstance(event, ErrandDone):
            event.finish()
        self._later.run(event.t_ns)
        self._look(event.t_ns)
        if isinstance(event, Tick):
            self._heard(self.rooms.vehicle.tick(event.t_ns))
            self._guide(event.t_ns)
            self.rooms.vehicle.feed_heartbeat(event.t_ns)
        return self._out(event.t_ns)

    def close(self, t_ns: int, heard_after_ns: int | None = None) -> bytes:
        """The end: one target that holds here while the vehicle is ours, and nothing afterwards.

        ``heard_after_ns``: after an internal error only a heartbeat that came later says whose the vehicle is.
        """
        self.release(t_ns, Reason.SHUT_DOWN, heard_after_ns)
        return self._out(t_ns)

    def release(self, t_ns: int, cause: Reason, heard_after_ns: int | None = None) -> None:
        """Gives the vehicle back, with one target that holds here if it was ours."""
        situation = self._situation(t_ns, heard_after_ns)
        hold = self.rooms.guidance.release(t_ns, situation, self.estimate, cause)
        self.rooms.journal.write("release", t_ns, {"cause": cause.value, "hold": hold is not None})
        if hold is not None:
            self._send(t_ns, hold)

    @property
    def dry_run(self) -> bool:
        """Whether setpoints are computed and logged, and none is sent."""
        return self.settings.dry_run

    @property
    def recording(self) -> bool:
        """Live recording pauses once a target is confirmed: an arrival must not be confirmed by its own way there."""
        return self.settings.record and self.rooms.guidance.target is None and not self.recording_failed

    # Telemetry

    def _out(self, t_ns: int) -> bytes:
        data = self.rooms.vehicle.outgoing()
        if data:
            self.rooms.journal.mavlink(data, t_ns, "out")
        return data

    def _heard(self, events: Sequence[VehicleEvent]) -> None:
        for event in events:
            self.rooms.journal.write("vehicle", event.t_ns, event_record(event))
            if isinstance(event, ModeChanged):
                self.rooms.guidance.mode_seen(event.t_ns, event.guided, first=event.previous is None)
            for kind, cause in _LATCHES:
                if isinstance(event, kind):
                    self.rooms.guidance.latch(cause)

    # frame ─▶ … ─▶ fix

    def _arrived(self, event: FrameArrived) -> None:
        self.counts["frames"] += 1
        self.counts["frames_dropped_queue"] += event.dropped_before
        state = self.camera.observe(event.frame)
        if state in _SEEN_BADLY:
            self.counts[f"frames_{state.value}"] += 1
        elif event.t_ns < self._busy_until_ns:
            self.counts["frames_dropped_busy"] += 1
        else:
            self.rooms.frames.arrived(event.t_ns, event.frame)

    def _look(self, t_ns: int) -> None:
        if t_ns < self._busy_until_ns:
            return
        posed = self.rooms.frames.next(t_ns, self.rooms.vehicle.poses)
        if posed is None:
            return
        self.latencies.add("pose_wait", t_ns - posed.arrived_t_ns)
        self._busy_until_ns = self._remember(self._match(t_ns, posed), posed)

    def _match(self, t_ns: int, posed: PosedFrame) -> int:
        """Finds where the frame was taken; returns the instant at which that is done."""
        if posed.frame.t_ns < self._fix_due_ns:
            return t_ns
        self._fix_due_ns = posed.frame.t_ns + self.settings.fix_interval_ns
        fixer, any_heading = self.rooms.fixer, self.settings.any_heading
        fix, elapsed_ns = self._work(
            "fix", t_ns, lambda: fixer.fix(posed.frame, posed.blind_pose, any_heading=any_heading)
        )
        if fix is not None:
            self._later.at(t_ns + elapsed_ns, lambda due_ns: self._fixed(due_ns, fix, posed))
        return t_ns + elapsed_ns

    def _remember(self, t_ns: int, posed: PosedFrame) -> int:
        """Records the frame if it shows something new; returns the instant at which that is done."""
        if not self.recording:
            return t_ns
        recorder = self.rooms.recorder
        recorded, elapsed_ns = self._work("record", t_ns, lambda: recorder.add(posed.frame, posed.pose))
        if recorded is not None:
            self._later.at(t_ns + elapsed_ns, lambda due_ns: self._recorded(due_ns, recorded, posed))
        return t_ns + elapsed_ns

    def _fixed(self, t_ns: int, fix: Fix, posed: PosedFrame) -> None:
        self.counts[fix.decision.value] += 1
        self.latencies.add("exposure_to_fix", t_ns - posed.frame.t_ns)
        difference = self.rooms.localizer.on_fix(fix, posed.pose)
        if fix.decision is Decision.FIX:
            self.last_fix, self.difference = fix, difference
        self.rooms.guidance.saw(fix)
        self.rooms.journal.write("fix", t_ns, fix_record(fix, difference, posed))

    def _recorded(self, t_ns: int, recorded: Recorded, posed: PosedFrame) -> None:
        self.counts["keyframes" if recorded.keyframe_id is not None else "not_recorded"] += 1
        record = {"keyframe": recorded.keyframe_id, "reason": recorded.reason, "exposed_t_ns": posed.frame.t_ns}
        self.rooms.journal.write("record", t_ns, record)

    def _work(self, stage: str, t_ns: int, work: Callable[[], T]) -> tuple[T | None, int]:
        """A stage's result and its time; None where it failed.

        Sight and memory may fail in flight; the link to the vehicle and the latch must go on.
        """
        try:
            result, elapsed_ns = self.rooms.stages.run(stage, work)
        except Exception as error:  # the edge of a stage: counted, logged, never hidden
            self._failed(stage, t_ns, error)
            return None, 0
        self.latencies.add(stage, elapsed_ns)
        return result, elapsed_ns

    def _failed(self, stage: str, t_ns: int, error: Exception) -> None:
        self.counts[f"{stage}_failed"] += 1
        expected = isinstance(error, HomingError)
        _LOG.error("%s: %s", stage, error, exc_info=not expected)
        self.rooms.journal.write("error", t_ns, {"stage": stage, "error": str(error), "kind": type(error).__name__})
        if stage == "record" and expected:  # a full disk ends the recording, not the flight
            self.recording_failed = str(error)

    # estimate ─▶ guidance ─▶ setpoint

    def _guide(self, t_ns: int) -> None:
        decision, elapsed_ns = self.rooms.stages.run("guide", lambda: self._decide(t_ns))
        self.latencies.add("guide", elapsed_ns)
        self._journal(t_ns, decision)
        if decision.setpoint is not None:
            self.latencies.add("telemetry_to_setpoint", t_ns + elapsed_ns - self.estimate.t_ns)
            self._send(t_ns, decision.setpoint)

    def _decide(self, t_ns: int) -> GuidanceDecision:
        pose = self.rooms.vehicle.poses.latest()
        if pose is not None:
            self.rooms.localizer.on_pose(pose)
        self.estimate = self.rooms.localizer.estimate(t_ns)
        return self.rooms.guidance.decide(t_ns, self._situation(t_ns), self.estimate)

    def _situation(self, t_ns: int, heard_after_ns: int | None = None) -> Situation:
        return situation_of(self.rooms.vehicle.state, t_ns, self.settings.yield_to_sticks, heard_after_ns)

    def _send(self, t_ns: int, setpoint: Setpoint) -> None:
        refusal = "dry_run" if self.settings.dry_run else self.rooms.vehicle.send_setpoint(setpoint, t_ns)
        self.counts["setpoints" if refusal is None else "setpoints_withheld"] += 1
        self.rooms.journal.write("setpoint", t_ns, setpoint_record(setpoint, refusal))

    def _journal(self, t_ns: int, decision: GuidanceDecision) -> None:
        telling = tuple(reason for reason in decision.reasons if reason is not Reason.NOT_DUE)
        said = (decision.state, decision.phase, telling)
        if said == self._logged and t_ns < self._log_due_ns:
            return
        if said != self._logged:
            self._announce(decision)
        self._logged, self._log_due_ns = said, t_ns + _JOURNAL_EVERY_NS
        self.rooms.journal.write("guidance", t_ns, decision_record(decision, self.estimate))

    def _announce(self, decision: GuidanceDecision) -> None:
        """Changes of state, for the log on the console and for the pilot's ground station."""
        if self._logged and (decision.state, decision.phase) == self._logged[:2]:
            return
        reasons = ", ".join(reason.value for reason in decision.reasons)
        _LOG.info("%s %s: %s", decision.state.value, decision.phase.value, reasons or "commanding")
        word = decision.state.value if decision.phase is Phase.NONE else decision.phase.value
        self.rooms.vehicle.statustext(f"Homing: {word.replace('_', ' ')}", _NOTICE, decision.t_ns)

    # The operator

    def _obey(self, event: ControlRequest) -> None:
        reply = HeldReply(lambda answer: self._answered(event, answer))
        done, elapsed_ns = self._work(
            "control", event.t_ns, lambda: self._operator.answer(event.t_ns, event.request, reply)
        )
        if done is None:
            reply(refusal("the daemon could not do that; its log says why."))
        self._busy_until_ns = max(self._busy_until_ns, event.t_ns + elapsed_ns)
        self._later.at(event.t_ns + elapsed_ns, lambda _: reply.release())

    def _answered(self, event: ControlRequest, answer: Answer) -> None:
        self.rooms.journal.write("control", self.now_ns, {"request": event.request, "answer": _shortened(answer)})
        event.reply(answer)


def _shortened(answer: Answer) -> Answer:
    """An answer for the log: a status is in the log already, piece by piece."""
    return {"state": answer.get("state")} if "latency_ms" in answer else answer
