"""A flight that meets faults: the daemon's own loop on simulated time, over ground that it remembers, with its people.

Loop, daemon, odometry, fixes, towers, history, flight log and the words of the status page are those that fly. What
differs is what is handed to the loop: a clock, a link and a camera that are a simulated vehicle's.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.config.config import Config
from runtime.daemon.assembly import Assembly, assemble
from runtime.daemon.inbox import Inbox
from runtime.daemon.run import Loop, Patience
from runtime.daemon.workers import InlineWorkers
from runtime.embedder.embedder import Embedder
from runtime.events import VEHICLE_LINK, JobKind
from runtime.flightlog.flightlog import NullFlightLog
from runtime.flightlog.journal import Journal
from runtime.geodesy import distance_m, offset
from runtime.injection.values import InjectionState
from runtime.page.board import Board
from runtime.page.watched import WatchedJournal
from runtime.values import Estimate, GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.faults.ground import Ground
from sim.faults.memory import GROUND_AMSL_M, HEIGHT_M, HOME, START_NE_M, TARGET_NE_M
from sim.faults.rig import CAMERA, Rig
from sim.faults.towers import FaultyEngine
from sim.latencies import SimulatedLatencies
from sim.scenario.conditions import FALLBACK, NO_RECEIVER
from sim.scenario.referee import Referee

CRUISE_M_S = 5.0
_TURN_NS = 10_000_000  # how long the loop sleeps where nothing comes
_STEP_NS = 20_000_000  # of the vehicle's people and camera
Script = Iterator[None]
Answer = dict[str, Any]


class NotUnderWayError(Exception):
    """The flight was not under way when its fault was to begin: that is no row of the matrix."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a flight begins with. ``gps``: a receiver that works; else it flies by its camera from the start, and feeds
    the autopilot. ``sections``: of the configuration, over those of every flight."""

    folder: Path
    ground: Ground
    embedder: Embedder
    history: Path
    gps: bool = False
    seed: int = 1
    journal: Journal = field(default_factory=NullFlightLog)
    engines: Sequence[FaultyEngine] = ()
    sections: dict[str, dict[str, Any]] | None = None


class FaultFlight:
    """A vehicle in the air with a daemon; time passes while its loop runs. It is the clock and the link of that loop.

    ``stall_ns``: how long the loop's thread does not get the processor, at each turn; ``slower``: how many times as
    long every job takes, ``slower_kinds``: those of a kind beside that.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        parameters = {"WPNAV_SPEED": 100.0 * CRUISE_M_S, **(FALLBACK if plan.gps else NO_RECEIVER)}
        self.autopilot = Autopilot(
            AutopilotConfig(
                HOME, GROUND_AMSL_M, seed=plan.seed, clock_offset_ns=7_300_000_000, parameters=parameters,
                ready_at_boot=True, heading_bias_deg=1.0, attitude_bias_deg=0.3,
            )
        )  # fmt: skip
        self.autopilot.start_in_flight((*START_NE_M, -HEIGHT_M), "LOITER" if plan.gps else "ALT_HOLD")
        self.referee = Referee(feeds=True)
        self.rig = Rig(plan.ground, self.now_ns, plan.seed)
        self.stall_ns = 0
        self.slower = 1.0
        self.slower_kinds: dict[JobKind, float] = {}
        self.cut = False  # the line to the autopilot
        self.receiver_on = float(plan.gps)
        self.astray = 0  # targets that were sent while the position they were reckoned from was wrong
        self._t_ns = self._stepped_ns = 0
        self._script: Script = iter(())
        self.start()

    # The daemon

    def start(self) -> None:
        """Puts a daemon together, as `homing run` does."""
        self._latencies = SimulatedLatencies(self.plan.seed)
        self.workers = InlineWorkers(self._latency_ns)
        self.inbox = Inbox(self)
        self.board = Board(self.now_ns)
        self.stop = threading.Event()
        self.assembly: Assembly = assemble(
            self.config(),
            self.workers,
            journal=WatchedJournal(self.plan.journal, self.board),
            embedder=self.plan.embedder,
        )
        self.daemon = self.assembly.daemon
        patience = Patience(30.0, "simulated")
        self.loop = Loop(self.daemon, self.rig, {VEHICLE_LINK: self}, self.inbox, self, patience, show=self.board.show)

    def config(self) -> Config:
        """What the operator has written."""
        camera = {"uri": "simulated", "width_px": CAMERA.width_px, "height_px": CAMERA.height_px, "hfov_deg": 70.0,
                  "delay_s": CAMERA.delay_s}  # fmt: skip
        corners = [offset(HOME, north, east) for north, east in ((-180, -60), (180, -60), (180, 60), (-180, 60))]
        sections: dict[str, Any] = {
            "camera": camera,
            "vehicle": {"uri": "simulated"},
            "history": {"path": str(self.plan.history)},
            "fix": {"interval_s": 0.7},
            "guidance": {"cruise_speed_m_s": CRUISE_M_S},
            "commanding": {
                "enabled": True, "polygon": [[one.latitude_deg, one.longitude_deg] for one in corners],
                "floor_height_takeoff_m": 30.0, "ceiling_height_takeoff_m": 100.0, "max_distance_m": 300.0,
                "battery_reserve_percent": 20.0,
            },
            "injection": {"route": "odometry"},
        }  # fmt: skip
        if not self.plan.gps:
            sections["injection"] |= {"source_set": 1, "origin_altitude_amsl_m": GROUND_AMSL_M}
        for name, section in (self.plan.sections or {}).items():
            sections[name] = {**sections.get(name, {}), **section}
        return Config.model_validate(sections)

    def switch_receiver(self, on: float) -> None:
        """The satellite receiver hears something, or nothing any more."""
        self.receiver_on = on
        self.autopilot.set_parameter("SIM_GPS1_ENABLE", on)

    def run(self, script: Script) -> None:
        """Lets time pass until the script ends, which is gone on with every 20 ms."""
        self._script = script
        self.stop.clear()
        self.loop._turn(self.stop)

    def _latency_ns(self, kind: JobKind) -> int:
        return round(self.slower * self.slower_kinds.get(kind, 1.0) * self._latencies.draw_ns(kind))

    # The clock, the link and what passes meanwhile

    def now_ns(self) -> int:
        """Simulated time."""
        return self._t_ns

    def wait(self, timeout_s: float) -> bool:
        """The loop sleeps: time passes for everybody."""
        if timeout_s > 0:
            until_ns = self._t_ns + _TURN_NS + self.stall_ns
            while self._t_ns < until_ns:
                self._t_ns += _TURN_NS
                self._pass()
        return False

    def _pass(self) -> None:
        self.autopilot.advance(self._t_ns)
        self.rig.expose(self.autopilot.truth)
        for done in self.workers.finished(self._t_ns):
            self.inbox.job_done(done)
        if self._t_ns >= self._stepped_ns + _STEP_NS:
            self._stepped_ns = self._t_ns
            if next(self._script, _OVER) is _OVER:
                self.stop.set()

    def read(self) -> list[tuple[bytes, int]]:
        """What the autopilot said."""
        data = self.autopilot.transmit(0)
        if not data or self.cut:
            return []
        self.referee.companion_heard(data, self._t_ns)
        return [(data, self._t_ns)]

    def write(self, data: bytes) -> None:
        """What the daemon says."""
        sent = len(self.referee.commands)
        self.referee.companion_sent(data, self._t_ns)
        if len(self.referee.commands) > sent and self.error_m > max(_WRONG_M, _WRONG_SIGMAS * self.estimate.sigma_m):
            self.astray += 1
        if not self.cut:
            self.autopilot.receive(data, 0)

    def counts(self) -> dict[str, int]:
        """Nothing went wrong with the line itself."""
        return {}

    def wake(self) -> None:
        """It does not sleep."""

    def close(self) -> None:
        """Nothing is held open."""

    # What is asked of it

    @property
    def here(self) -> GeoPoint:
        """Where the vehicle really is."""
        north, east, _ = self.autopilot.truth.position_ned_m
        return offset(HOME, north, east)

    @property
    def estimate(self) -> Estimate:
        """What the daemon flies by."""
        return self.daemon.estimate

    @property
    def error_m(self) -> float:
        """How far off that is; infinite where it is unknown."""
        place = self.estimate.position
        return math.inf if place is None else distance_m(place, self.here)

    @property
    def state(self) -> str:
        """Of guidance."""
        return self.daemon.rooms.guidance.last.state.value

    @property
    def camera(self) -> str:
        """Its state."""
        return self.daemon.perception.camera_state(self._t_ns).value

    @property
    def fed(self) -> bool:
        """Whether the autopilot's estimator is fed."""
        return self.daemon.feeding.last.state is InjectionState.FEEDING

    @property
    def said(self) -> tuple[str, ...]:
        """What the status page has told of this daemon, each sentence once."""
        return tuple(dict.fromkeys(event.text for event in self.board.events))

    @property
    def reasons(self) -> list[str]:
        """Why nothing is commanded."""
        return [reason.value for reason in self.daemon.rooms.guidance.last.reasons]

    def seconds(self, seconds: float) -> Script:
        """Lets so much time pass."""
        end_ns = self._t_ns + round(seconds * 1e9)
        while self._t_ns < end_ns:
            yield

    def until(self, true: Callable[[], bool], within_s: float, what: str) -> Script:
        """Lets time pass until something holds.

        Raises:
            NotUnderWayError: it does not.
        """
        end_ns = self._t_ns + round(within_s * 1e9)
        while not true():
            if self._t_ns >= end_ns:
                raise NotUnderWayError(f"not {what} after {within_s:g} s: {self.state}, {self.reasons}")
            yield

    def ask(self, command: str, answers: list[Answer], **more: Any) -> Script:
        """The operator asks, and waits for the answer."""
        self.inbox.control({"command": command, **more}, answers.append)
        before = len(answers)
        while len(answers) == before:
            yield

    def under_way(self) -> Script:
        """The operator confirms a target and engages, the pilot grants: it flies north at its cruising speed."""
        answers: list[Answer] = []
        yield from self.until(lambda: self.estimate.trusted, 30.0, "placed")
        yield from self.seconds(3.0)
        target = offset(HOME, *TARGET_NE_M)
        yield from self.ask("target", answers, latitude_deg=target.latitude_deg, longitude_deg=target.longitude_deg)
        yield from self.ask("confirm", answers)
        self.referee.operator_consented(self._t_ns)
        yield from self.ask("engage", answers)
        yield from self.until(lambda: self.state == "ready", 20.0, "READY")
        self.referee.operator_engaged(self._t_ns)
        self.autopilot.pilot_set_mode("GUIDED")
        yield from self.until(lambda: self.state == "engaged", 3.0, "engaged")
        yield from self.seconds(4.0)


_WRONG_M, _WRONG_SIGMAS = 12.0, 4.0
_OVER = object()
