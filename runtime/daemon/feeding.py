"""What the daemon does to feed the autopilot's estimator: the camera's word of each frame, and every change told."""

from __future__ import annotations

import logging
from collections import Counter

from runtime.daemon.latencies import Latencies
from runtime.daemon.records import injection_record
from runtime.daemon.rooms import Rooms
from runtime.freshness import GPS_FIX
from runtime.injection.settings import Route
from runtime.injection.values import AidingSituation, InjectionDecision, InjectionState, Support
from runtime.localizer.navigation import GpsStanding
from runtime.values import Aiding, Estimate, NavState, Odometry, says_failed
from runtime.vehicle.commands import EXTERNAL_POSITION_ESTIMATE, SET_EKF_SOURCE_SET, Command
from runtime.vehicle.events import CommandDone, Rebooted, VehicleEvent
from runtime.vehicle.telemetry.state import VehicleState

_LOG = logging.getLogger(__name__)
_WARNING, _NOTICE = 4, 5  # MAV_SEVERITY
_LOG_EVERY_NS = 1_000_000_000


class Feeding:
    """Steps the injection with every frame that went through odometry, and with every tick."""

    def __init__(self, rooms: Rooms, counts: Counter[str], latencies: Latencies) -> None:
        self._rooms = rooms
        self._counts = counts
        self._latencies = latencies
        self._exposed_ns: int | None = None  # the newest frame's, whatever odometry made of it
        self._measured_ns: int | None = None  # the newest one's that it measured with
        self._lost_ns: int | None = None  # since when the receiver is lost
        self._due_ns = 0
        self._has_streamed = False
        self.last = InjectionDecision(InjectionState.OFF)

    def frame(self, t_ns: int, odometry: Odometry) -> None:
        """Takes what odometry made of a frame, after navigation has."""
        self._exposed_ns = odometry.t_ns
        if odometry.healthy:
            self._measured_ns = odometry.t_ns
        self.tick(t_ns, self._rooms.vehicle.state)

    def heard(self, event: VehicleEvent) -> None:
        """Takes what the vehicle room noticed: how the switch of sources ended, or a reboot."""
        injection = self._rooms.injection
        if isinstance(event, Rebooted):
            injection.rebooted()
            self._rooms.navigation.echoing = False
        elif isinstance(event, CommandDone) and event.command == SET_EKF_SOURCE_SET:
            injection.switched(event.accepted, answered=event.result != "NO_ANSWER")
        elif isinstance(event, CommandDone) and event.command == EXTERNAL_POSITION_ESTIMATE:
            injection.answered_estimate(event.accepted)

    def tick(self, t_ns: int, state: VehicleState) -> None:
        """Decides anew, by the vehicle's ``state`` now, and sends what is to be sent."""
        navigation, injection = self._rooms.navigation, self._rooms.injection
        if injection.settings.route is Route.OFF:
            return
        vision = self._vision(t_ns)
        support = Support(
            self._measured_ns,
            navigation.supported_t_ns,
            navigation.reset_counter,
            navigation.gps is GpsStanding.DOUBTED,
        )
        decision = injection.step(t_ns, vision, support, self._situation(t_ns, vision, state))
        navigation.echoing = injection.echoing
        for message in decision.messages:
            self._send(t_ns, message)
        if decision.switch_to is not None:
            self._counts["source_set_commands"] += 1
            self._rooms.vehicle.send_command(Command.source_set(decision.switch_to), t_ns)
        self._tell(t_ns, decision)

    def _vision(self, t_ns: int) -> Estimate:
        """The camera's word of the very instant that it was measured at, never coasted under an older stamp."""
        navigation = self._rooms.navigation
        vision = navigation.vision(self._exposed_ns if self._exposed_ns is not None else t_ns)
        if vision.position is None or vision.t_ns == self._exposed_ns:
            return vision
        return navigation.vision(vision.t_ns)

    def _situation(self, t_ns: int, vision: Estimate, state: VehicleState) -> AidingSituation:
        return aiding_situation(state, self._rooms.vehicle.poses.at(vision.t_ns), self._gps_lost_s(t_ns))

    def _gps_lost_s(self, t_ns: int) -> float:
        standing = self._rooms.navigation.gps
        if standing is not GpsStanding.LOST:
            self._lost_ns = None
            return float("inf") if standing is GpsStanding.ABSENT else 0.0
        self._lost_ns = t_ns if self._lost_ns is None else self._lost_ns
        return GPS_FIX.seconds + (t_ns - self._lost_ns) * 1e-9

    def _send(self, t_ns: int, message: Aiding) -> None:
        refusal = self._rooms.vehicle.send_injection(message, t_ns)
        self._counts["injections" if refusal is None else "injections_withheld"] += 1
        measured_ns = getattr(message, "t_ns", None)
        if refusal is None and measured_ns is not None and not says_failed(message):
            self._latencies.add("exposure_to_injection", t_ns - measured_ns)

    def _tell(self, t_ns: int, decision: InjectionDecision) -> None:
        before, self.last = self.last, decision
        changed = (before.state, before.reasons) != (decision.state, decision.reasons)
        if not changed and decision.switch_to is None and t_ns < self._due_ns:
            return
        self._due_ns = t_ns + _LOG_EVERY_NS
        if decision.state is not InjectionState.OFF:
            self._rooms.journal.write(t_ns, injection_record(decision, self._rooms.injection.echoing))
        if before.state is not decision.state and self._worth_saying(before.state, decision.state):
            self._say(t_ns, decision)

    def _worth_saying(self, before: InjectionState, now: InjectionState) -> bool:
        """Whether the autopilot is flown on it, ever more or no more; a camera that comes and goes is not."""
        first, self._has_streamed = not self._has_streamed, self._has_streamed or now is InjectionState.ALIGNING
        if now is InjectionState.ALIGNING and first:
            return True
        return bool({before, now} & {InjectionState.FEEDING, InjectionState.STOPPED})

    def _say(self, t_ns: int, decision: InjectionDecision) -> None:
        reasons = ", ".join(reason.value for reason in decision.reasons)
        _LOG.info("feeding the autopilot: %s: %s", decision.state.value, reasons or "it flies on the camera's position")
        severity = _WARNING if decision.state is InjectionState.STOPPED else _NOTICE
        self._rooms.vehicle.statustext(f"Homing: vision aiding {decision.state.value}", severity, t_ns)


def aiding_situation(state: VehicleState, nav: NavState | None, gps_lost_s: float) -> AidingSituation:
    """What of the vehicle room's snapshot matters to the injection; ``nav`` is of the estimate's instant."""
    heard = state.telemetry
    rivals = state.other_autopilot is not None or state.companion_conflict
    known = state.stack in ("ardupilot", "px4")
    estimator = heard.estimator
    return AidingSituation(
        reachable=state.connected and state.time_synced and known and not rivals,
        on_ground=heard.landed == "on_ground" or heard.armed is False,
        has_source_sets=state.stack == "ardupilot",
        has_origin=heard.origin is not None,
        nav=nav,
        gps_lost_s=gps_lost_s,
        routes=state.aiding_routes,
        estimator_ok=None if estimator is None else estimator.ok,
        position_ratio=None if estimator is None else estimator.position_ratio,
    )
