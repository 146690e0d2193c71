"""The rooms as the daemon sees them: what it asks of each, so that each can be built, tested and replaced apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runtime.clock import Now
from runtime.computer import ComputerLoad
from runtime.daemon.frame_gate import FrameGate, Poses
from runtime.daemon.ground_below import FlatGround, GroundBelow
from runtime.daemon.target_handler import TargetHandler
from runtime.daemon.workers import Workers
from runtime.embedder.embedder import EngineReport
from runtime.flightlog.flightlog import NullFlightLog
from runtime.flightlog.journal import Journal
from runtime.guidance.guidance import Guidance
from runtime.injection.injection import Injection
from runtime.injection.settings import InjectionSettings
from runtime.localizer.navigation import Navigation
from runtime.record.recorder import Recorded
from runtime.values import Aiding, Fix, Frame, NavState, Odometry, Pose, Position, Setpoint, Vicinity
from runtime.vehicle.commands import Command
from runtime.vehicle.events import OperatorCommand, VehicleEvent
from runtime.vehicle.ground.figures import NavigationFigures
from runtime.vehicle.parameters.reading import ParametersRead
from runtime.vehicle.telemetry.state import Telemetry, VehicleState


class PoseRoom(Poses, Protocol):
    """The pose buffer."""

    def latest(self) -> NavState | None:
        """The autopilot's newest state."""
        ...


class VehicleRoom(Protocol):
    """The MAVLink side, without IO."""

    @property
    def state(self) -> VehicleState:
        """A snapshot of what is known of the vehicle."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """What the autopilot has told, as `state` has it: cheaper."""
        ...

    @property
    def poses(self) -> PoseRoom:
        """The buffer of its poses."""
        ...

    @property
    def links(self) -> Sequence[str]:
        """The names of the lines to the vehicle."""
        ...

    def receive(self, data: bytes, t_ns: int, link: str) -> Sequence[VehicleEvent]:
        """Parses bytes that came over a line; the events that they hold, in order."""
        ...

    def tick(self, t_ns: int) -> Sequence[VehicleEvent]:
        """Does what is due at ``t_ns``; the events that the time itself causes."""
        ...

    def outgoing(self, link: str) -> bytes:
        """Takes the bytes that are to be sent now over a line."""
        ...

    def feed_heartbeat(self, t_ns: int) -> None:
        """Notes that the daemon makes progress; without this its heartbeat stops."""
        ...

    def send_setpoint(self, setpoint: Setpoint, t_ns: int) -> str | None:
        """Sends one position target; why it did not go out, None when it did."""
        ...

    def send_idle(self, present: Setpoint, t_ns: int) -> str | None:
        """Streams the present point before the guided mode; why it did not go out, None when it did."""
        ...

    def send_injection(self, message: Aiding, t_ns: int) -> str | None:
        """Sends one thing that feeds the estimator; why it did not go out, None when it did."""
        ...

    def send_command(self, command: Command, t_ns: int) -> None:
        """Queues a command; an event tells how it ended."""
        ...

    def read_parameters(self, names: Iterable[str], again: bool = False) -> ParametersRead:
        """What is known of the autopilot's parameters; asks for these where they are not."""
        ...

    def repeat(self, t_ns: int) -> None:
        """Says the last position target again, if that is due where the autopilot wants it repeated."""
        ...

    def withdraw(self) -> None:
        """Ends the repetition of the last position target, where the autopilot wants it repeated."""
        ...

    def report(self, figures: NavigationFigures, load: ComputerLoad | None, up_ms: int) -> None:
        """Tells the ground station figures of the position and of the computer."""
        ...

    def answer_operator(self, asked: OperatorCommand, result: int) -> None:
        """Acknowledges what the operator asked by radio, with a MAV_RESULT."""
        ...

    def statustext(self, text: str, severity: int, t_ns: int) -> bool:
        """Sends a text of at most 50 characters to the ground station; False where it was one too many."""
        ...


class FixRoom(Protocol):
    """What fixes frames: see `Fixer`."""

    def fix(self, frame: Frame, pose: Pose, *, any_heading: bool = False, vicinity: Vicinity | None = None) -> Fix:
        """Where the frame was taken, by sight alone; ``vicinity``: where it is worth looking besides."""
        ...


class RecordRoom(Protocol):
    """What records frames: see `Recorder`."""

    def add(self, frame: Frame, pose: Pose, position: Position | None) -> Recorded:
        """Keeps the frame if it shows something new."""
        ...


class OdometryRoom(Protocol):
    """What measures motion from frame to frame: see `Odometer`."""

    def update(self, frame: Frame, pose: Pose) -> Odometry:
        """What the frame says of the motion since its reference picture."""
        ...


class NoRecorder:
    """Where `[record]` is off."""

    def add(self, frame: Frame, pose: Pose, position: Position | None) -> Recorded:
        """Records nothing."""
        return Recorded(None, "recording is off")


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that the daemon wires together."""

    vehicle: VehicleRoom
    frames: FrameGate
    fixer: FixRoom
    odometer: OdometryRoom
    recorder: RecordRoom
    targets: TargetHandler
    navigation: Navigation
    guidance: Guidance
    workers: Workers
    ground: GroundBelow = FlatGround()
    injection: Injection = field(default_factory=lambda: Injection(InjectionSettings()))
    journal: Journal = field(default_factory=NullFlightLog)
    engine: EngineReport | None = None  # None where no network runs
    computer: Callable[[], ComputerLoad | None] = lambda: None  # noqa: E731 - how loaded this computer is, where known
    stopwatch: Now = lambda: 0  # noqa: E731 - measures what the deciding thread itself does; a simulated clock takes no time
