"""What the vehicle room tells the daemon: one small frozen value per thing that happened."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.values import GeoPoint


@dataclass(frozen=True, slots=True)
class VehicleEvent:
    """Base: ``t_ns`` is the monotonic instant at which we learned of it."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class Connected(VehicleEvent):
    """The autopilot answers (again). ``stack``: "ardupilot", "px4" or "other"."""

    system_id: int
    component_id: int
    stack: str


@dataclass(frozen=True, slots=True)
class ConnectionLost(VehicleEvent):
    """Nothing, or no heartbeat, from the autopilot for too long; ``silence_s`` says how long."""

    silence_s: float


@dataclass(frozen=True, slots=True)
class Rebooted(VehicleEvent):
    """The autopilot's clock went back: all that was known of it is dropped."""

    boot_before_s: float
    boot_now_s: float


@dataclass(frozen=True, slots=True)
class ModeChanged(VehicleEvent):
    """The autopilot reports another mode. We never ask for one: it was the pilot, a ground station or a failsafe.

    ``previous`` is None for the first mode seen (after start, reconnection or reboot): not a transition.
    """

    mode: str
    number: int
    previous: str | None
    guided: bool
    critical: bool
    by_pilot: bool = True  # False: into the guided mode in a way that the autopilot may have gone by itself


@dataclass(frozen=True, slots=True)
class ArmedChanged(VehicleEvent):
    """The motors were armed or disarmed; ``first`` marks the first report, which is no transition."""

    armed: bool
    first: bool


@dataclass(frozen=True, slots=True)
class LandedChanged(VehicleEvent):
    """EXTENDED_SYS_STATE changed: "on_ground", "in_air", "taking_off", "landing" or "undefined"; ``previous`` None
    for the first report, which is no transition."""

    landed: str
    previous: str | None


@dataclass(frozen=True, slots=True)
class ForeignTarget(VehicleEvent):
    """A position target that is not ours. ``source``: "system/component" of a sender seen on the link, or
    "autopilot" when the autopilot reports a target that we did not send; ``target`` where it is known."""

    source: str
    detail: str
    target: GeoPoint | None


@dataclass(frozen=True, slots=True)
class TargetRefused(VehicleEvent):
    """The autopilot does not take a target of ours; ``result`` is MAV_RESULT's name without prefix."""

    result: str


@dataclass(frozen=True, slots=True)
class OperatorCommand(VehicleEvent):
    """The operator's word by radio, from the ground station that may say it: "engage", "disengage" or "relocalise",
    which carries a position and a radius. ``command``: the MAV_CMD that is to be acknowledged."""

    system_id: int
    component_id: int
    command: int
    word: str
    near: GeoPoint | None
    radius_m: float | None


@dataclass(frozen=True, slots=True)
class TargetTaken(VehicleEvent):
    """The autopilot reports our last target as its own (position targets have no acknowledgement)."""

    target: GeoPoint
    altitude_amsl_m: float
    latency_s: float


@dataclass(frozen=True, slots=True)
class CommandDone(VehicleEvent):
    """A command of ours ended: ``result`` is MAV_RESULT's name without prefix, or "NO_ANSWER"."""

    command: int
    parameter: float
    result: str
    accepted: bool
    attempts: int


@dataclass(frozen=True, slots=True)
class Text(VehicleEvent):
    """A STATUSTEXT of the autopilot, its chunks joined; severity 0 (emergency) to 7 (debug)."""

    severity: int
    text: str


@dataclass(frozen=True, slots=True)
class FailsafeChanged(VehicleEvent):
    """A failsafe signal came (``active``) or went; see `runtime.vehicle.telemetry.reader` for the names."""

    name: str
    active: bool
    detail: str


@dataclass(frozen=True, slots=True)
class LineChanged(VehicleEvent):
    """Another of several lines to the vehicle commands from now on; ``before`` and ``after`` by name."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class OtherAutopilot(VehicleEvent):
    """A second autopilot is heard, under other ids or the same: nothing may be commanded any more."""

    system_id: int
    component_id: int


@dataclass(frozen=True, slots=True)
class CompanionConflict(VehicleEvent):
    """Somebody else speaks with our own system and component id."""

    system_id: int
    component_id: int


@dataclass(frozen=True, slots=True)
class StreamChanged(VehicleEvent):
    """A telemetry stream became healthy or unhealthy; ``reason`` is a `StreamHealth` status."""

    name: str
    reason: str
    rate_hz: float
