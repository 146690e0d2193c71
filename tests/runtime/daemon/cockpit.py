"""A daemon and the built-in autopilot on one in-memory link, with eyes that see where the vehicle really is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.daemon.daemon import Daemon, DaemonSettings
from runtime.daemon.frame_gate import FrameGate
from runtime.daemon.perception import PerceptionSettings
from runtime.daemon.rooms import Rooms
from runtime.daemon.target_handler import TargetHandler
from runtime.daemon.workers import InlineWorkers
from runtime.errors import HomingError
from runtime.events import VEHICLE_LINK, ControlRequest, FrameArrived, JobKind, LinkBytes, LinkData, Tick
from runtime.flightlog.flightlog import LogState
from runtime.flightlog.inputs import Direction, FrameRecord
from runtime.flightlog.record import Record
from runtime.freshness import SIGHT
from runtime.geodesy import north_east_m, offset
from runtime.guidance.authority import Authority
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.guidance import Guidance
from runtime.guidance.limits import Area, Limits
from runtime.injection.injection import Injection
from runtime.injection.settings import InjectionSettings
from runtime.localizer.navigation import Navigation, NavigationSource
from runtime.localizer.vision import TrackingLimits, VisionLocalizer
from runtime.place.target import Target
from runtime.record.recorder import Recorded
from runtime.values import (
    Candidate,
    Coverage,
    Decision,
    Displacement,
    Fix,
    Frame,
    GeoPoint,
    Hypothesis,
    ImageRGB,
    Odometry,
    OdometryFault,
    PlaceAnswer,
    Pose,
    Position,
    Vicinity,
    circular,
)
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.vehicle import Vehicle
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig

HOME = GeoPoint(60.45, 22.25)
STEP_NS = 20_000_000
HEIGHT_M = 60.0
DELAY_NS = 60_000_000


class Eyes:
    """A fixer that knows the truth of each frame by its index, and remembers what it was told."""

    def __init__(self) -> None:
        self.truth: dict[int, GeoPoint] = {}
        self.blind = False
        self.error: Exception | None = None
        self.asked: list[tuple[Frame, Pose]] = []
        self.vicinity: Vicinity | None = None  # as it was told last

    def fix(self, frame: Frame, pose: Pose, *, any_heading: bool = False, vicinity: Vicinity | None = None) -> Fix:
        self.asked.append((frame, pose))
        self.vicinity = vicinity
        if self.error is not None:
            raise self.error
        if self.blind:
            return Fix.none(frame.t_ns, "nothing known")
        here = self.truth[frame.index]
        return Fix.at(frame.t_ns, Hypothesis(here, here, circular(2.0), (1,), 30, 20.0, 0.8), "")


class Steps:
    """An odometer that knows the truth of each frame by its index; ``blind``: it sees no ground."""

    def __init__(self, truth: dict[int, GeoPoint]) -> None:
        self.truth = truth
        self.blind = False
        self.before: tuple[int, GeoPoint] | None = None

    def update(self, frame: Frame, pose: Pose) -> Odometry:
        here, before = self.truth[frame.index], self.before
        self.before = None if self.blind else (frame.t_ns, here)
        if self.blind or before is None:
            return Odometry(frame.t_ns, None, (OdometryFault.TEXTURELESS,) if self.blind else ())
        north_m, east_m = north_east_m(before[1], here)
        small = ((0.01, 0.0), (0.0, 0.01))
        way = Displacement(before[0], frame.t_ns, north_m, east_m, small, 0.05, 0.05, 0.0, 0.01, 1.0, 0.01)
        return Odometry(frame.t_ns, way, (), 200, 180)


class Notebook:
    """A recorder that keeps the frames; it fails from the moment ``error`` is set."""

    def __init__(self) -> None:
        self.frames: list[tuple[Frame, Pose]] = []
        self.positions: list[Position | None] = []
        self.error: Exception | None = None

    def add(self, frame: Frame, pose: Pose, position: Position | None) -> Recorded:
        if self.error is not None:
            raise self.error
        self.frames.append((frame, pose))
        self.positions.append(position)
        return Recorded(len(self.frames), "recorded")


class Places:
    """Knows where one target is, and no other."""

    def __init__(self) -> None:
        self.answer = PlaceAnswer.no_match("the best place does not stand out")
        self.coverage: Coverage | HomingError | None = None

    def covered(self) -> Coverage | None:
        if isinstance(self.coverage, HomingError):
            raise self.coverage
        return self.coverage

    def knows(self, place: GeoPoint) -> None:
        candidate = Candidate(3, place, 0.8, 0.97)
        self.answer = PlaceAnswer(Decision.MATCH, place, 2.0, 0.97, (candidate,), "")

    def locate(self, target: Target, *, any_heading: bool = False, top: int = 5) -> PlaceAnswer:
        return self.answer


class Journal:
    """A flight log in memory: every record as its JSON comes back."""

    def __init__(self) -> None:
        self.records: list[tuple[str, int, dict[str, Any]]] = []
        self.raw: list[tuple[str, bytes]] = []
        self.state = LogState(False, "", 0, 0, 0, 0)

    def write(self, t_ns: int, record: Record) -> None:
        self.records.append((record.channel, t_ns, json.loads(record.encoded())))

    def frame(self, t_ns: int, record: FrameRecord, image: ImageRGB) -> None:
        self.write(t_ns, record)

    def link(self, link: str, data: bytes, t_ns: int, direction: Direction) -> None:
        self.raw.append((direction, data))

    def of(self, channel: str) -> list[dict[str, Any]]:
        return [record for name, _, record in self.records if name == channel]


def operator_limits() -> Limits:
    corners = [offset(HOME, n, e) for n, e in ((-400, -400), (-400, 400), (400, 400), (400, -400))]
    return Limits(Area(corners), 30.0, 100.0, 500.0, 20.0)


class Cockpit:
    """Everything on one simulated clock. The vehicle hovers 60 m up, 150 m south of home, in LOITER."""

    px4_hold = False

    def __init__(
        self,
        *,
        authority: Authority | None = None,
        limits: Limits | None = None,
        settings: DaemonSettings | None = None,
        guidance: GuidanceSettings | None = None,
        latency_ms: dict[JobKind, float] | None = None,
        mode: str = "LOITER",
        source: NavigationSource = NavigationSource.AUTOPILOT,
        seed: int = 1,
        injection: InjectionSettings | None = None,
        parameters: dict[str, float] | None = None,
        operator_system_id: int | None = None,
        links: tuple[str, ...] = (VEHICLE_LINK,),
    ) -> None:
        parameters = {"WPNAV_SPEED": 800.0, **(parameters or {})}
        self.links = links
        self.injection = injection or InjectionSettings()
        config = AutopilotConfig(
            HOME, 37.0, seed=seed, clock_offset_ns=7_300_000_000, parameters=parameters, ready_at_boot=True
        )
        self.autopilot = Autopilot(config)  # ready on the ground, so that home is there
        self.autopilot.start_in_flight((-150.0, 0.0, -HEIGHT_M), mode)
        self.settings = settings or DaemonSettings(perception=PerceptionSettings(record=True))
        self.limits = limits or operator_limits()
        self.guidance = guidance or GuidanceSettings()
        self.latency_ms = latency_ms or {}
        self.operator_system_id = operator_system_id
        self.authority = authority
        self.source = source
        self.eyes, self.notebook, self.places, self.journal = Eyes(), Notebook(), Places(), Journal()
        self.odometer = Steps(self.eyes.truth)
        self.wire = bytearray()  # what the daemon sent
        self.t_ns = 0
        self.frame_period_ns = 500_000_000
        self.frames = 0
        self.link_up = True
        self.lost: set[str] = set()  # kinds of the autopilot's messages that never arrive
        self.daemon = self.make()

    def make(self) -> Daemon:
        self.vehicle = Vehicle(
            VehicleConfig(operator_system_id=self.operator_system_id, links=self.links, px4_hold=self.px4_hold)
        )
        self.workers = InlineWorkers(lambda kind: int(self.latency_ms.get(kind, 0.0) * 1e6))
        rooms = Rooms(
            vehicle=self.vehicle,
            frames=FrameGate(DELAY_NS * 1e-9, 0.5),
            fixer=self.eyes,
            odometer=self.odometer,
            recorder=self.notebook,
            targets=TargetHandler(self.places, False, 50.0, self.places.covered),
            navigation=Navigation(self.source, VisionLocalizer(limits=TrackingLimits(blind_s=SIGHT.seconds))),
            guidance=Guidance(self.limits, self.guidance, self.authority),
            workers=self.workers,
            injection=Injection(self.injection),
            journal=self.journal,
        )
        return Daemon(rooms, self.settings)

    def fly(self, seconds: float) -> None:
        end_ns = self.t_ns + int(seconds * 1e9)
        while self.t_ns < end_ns:
            self.step()

    def step(self) -> None:
        data = self.heard_after(STEP_NS)
        if data and self.link_up:
            self._out(self.daemon.step(LinkData(self.t_ns, data)))
        if self.t_ns % self.frame_period_ns == 0:
            self._out(self.daemon.step(FrameArrived(self.t_ns, self.expose())))
        for done in self.workers.finished(self.t_ns):
            self._out(self.daemon.step(done))
        self._out(self.daemon.step(Tick(self.t_ns)))

    def hear(self, data: bytes) -> None:
        """Bytes on the vehicle's line, between two steps."""
        self._out(self.daemon.step(LinkData(self.t_ns, data)))

    def heard_after(self, elapsed_ns: int) -> bytes:
        """Lets time pass; what came from the autopilot meanwhile, without what is lost."""
        self.t_ns += elapsed_ns
        self.autopilot.advance(self.t_ns)
        data = self.autopilot.transmit(0)
        if not self.lost:
            return data
        messages = mavlink.MAVLink(None).parse_buffer(data) or []
        return b"".join(bytes(m.get_msgbuf()) for m in messages if m.get_type() not in self.lost)

    def expose(self) -> Frame:
        """A frame stamped now of what was below one delay ago (at these speeds, half a metre back)."""
        self.frames += 1
        self.eyes.truth[self.frames] = self.here
        noise = np.random.default_rng(self.frames).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        return Frame(noise, self.t_ns, "test", self.frames)

    def _out(self, out: Sequence[LinkBytes]) -> None:
        for link, data in out:
            assert link == VEHICLE_LINK
            self.wire += data
            if self.link_up:
                self.autopilot.receive(data, 0)

    def ask(self, command: str, **more: Any) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []
        self._out(self.daemon.step(ControlRequest(self.t_ns, {"command": command, **more}, answers.append)))
        while not answers:
            self.step()
        return answers[0]

    @property
    def here(self) -> GeoPoint:
        north, east, _ = self.autopilot.truth.position_ned_m
        return offset(HOME, north, east)

    @property
    def height_m(self) -> float:
        return -self.autopilot.truth.position_ned_m[2]

    def commands(self) -> list[Any]:
        """Every message on the wire that could move the vehicle, parsed from the bytes alone."""
        parser = mavlink.MAVLink(None)
        messages = parser.parse_buffer(self.wire) or []
        harmless = {"HEARTBEAT", "TIMESYNC", "STATUSTEXT", "NAMED_VALUE_FLOAT"}
        found = [message for message in messages if message.get_type() not in harmless]
        return [
            message
            for message in found
            if not (message.get_type() == "COMMAND_LONG" and message.command == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL)
        ]

    def close(self, heard_after_ns: int | None = None) -> bytes:
        """Ends the daemon; its last words, which go onto the wire and not to the autopilot."""
        words = b"".join(data for _, data in self.daemon.close(self.t_ns, heard_after_ns))
        self.wire += words
        return words

    def forget_wire(self) -> None:
        self.wire.clear()

    def give_target(self, place: GeoPoint) -> dict[str, Any]:
        answer = self.ask("target", latitude_deg=place.latitude_deg, longitude_deg=place.longitude_deg)
        return self.ask("confirm", target_id=answer["target_id"])

    def to_ready(self, place: GeoPoint) -> None:
        self.fly(6.0)
        assert "error" not in self.give_target(place)
        assert "error" not in self.ask("engage")
        self.fly(0.1)
        assert self.ask("status")["state"] == "ready", self.ask("status")["reasons"]
