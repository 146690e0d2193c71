"""What a companion feeds, each as ArduPilot takes it: ODOMETRY and VISION_* as external navigation, GPS_INPUT as a
receiver."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from runtime.rotations import rotation
from sim.autopilot.config import Vector
from sim.autopilot.gps import NO_FIX, NO_GPS, Sample
from sim.autopilot.physics import Body
from sim.autopilot.place import LocalFrame
from sim.autopilot.wire import Message, mavlink

LOCAL_FRD, BODY_FRD = mavlink.MAV_FRAME_LOCAL_FRD, mavlink.MAV_FRAME_BODY_FRD
HEALTHY_S = 0.3  # AP_VISUALODOM_TIMEOUT_MS: since the last pose, whatever its quality
RECEIVER_SILENT_S = 4.0  # GPS_TIMEOUT_MS: a receiver that says nothing for so long is gone
_REMEMBERED = 26  # steps of 10 ms: VISO_DELAY_MS is 250 at most
MAV_RECEIVER = 14  # GPS1_TYPE, GPS2_TYPE: GPS_INPUT
IGNORE_VELOCITY = mavlink.GPS_INPUT_IGNORE_FLAG_VEL_HORIZ


@dataclass(frozen=True, slots=True)
class Pose:
    """One pose: metres north, east and down of the EKF origin, m/s north and east, heading in radians."""

    t_s: float
    n: float
    e: float
    d: float
    velocity: Vector
    yaw: float


@dataclass(frozen=True, slots=True)
class Motion:
    """Where the vehicle really was and how it moved, ``t_s`` after boot."""

    t_s: float
    n: float
    e: float
    vn: float
    ve: float

    @classmethod
    def of(cls, t_s: float, body: Body) -> Motion:
        """Now."""
        return cls(t_s, body.n, body.e, body.vn, body.ve)


class Aid:
    """A source of positions as the EKF sees it: how far off the truth it was when it last spoke, and when that was.

    ``offset_n, offset_e`` in metres and ``rate_n, rate_e`` in m/s (how fast its own velocity says that the offset
    grows) are held until it speaks again: in between the EKF is carried by its accelerometers. ``resets`` counts the
    leaps that the source itself has announced.
    """

    __slots__ = ("last_s", "offset_e", "offset_n", "rate_e", "rate_n", "resets")

    error_n = error_e = 0.0  # a receiver's slow wandering, which is part of the offset here

    def __init__(self) -> None:
        self.offset_n = self.offset_e = self.rate_n = self.rate_e = 0.0
        self.last_s = -math.inf
        self.resets = 0

    def spoke(self, now_s: float, n: float, e: float, velocity: tuple[float, float] | None, then: Motion) -> None:
        """It says that the vehicle is at (n, e) of the launch point's frame, with a velocity if it has one; ``then``:
        how it really moved at the instant that this is taken to be of."""
        self.last_s = now_s
        self.offset_n, self.offset_e = n - then.n, e - then.e
        self.rate_n, self.rate_e = (0.0, 0.0) if velocity is None else (velocity[0] - then.vn, velocity[1] - then.ve)


class ExternalNavigation(Aid):
    """A companion's poses; ``yaw_error`` is their heading's, in radians."""

    __slots__ = ("_counter", "_heard_s", "_moved", "_velocity", "pose", "yaw_error")

    def __init__(self) -> None:
        super().__init__()
        self._moved: deque[Motion] = deque(maxlen=_REMEMBERED)
        self._counter: int | None = None
        self._heard_s = -math.inf
        self._velocity: Vector = (0.0, 0.0, 0.0)  # of VISION_SPEED_ESTIMATE
        self.pose: Pose | None = None
        self.yaw_error = 0.0

    def healthy(self, now_s: float) -> bool:
        """What the prearm check asks: that messages come."""
        return now_s - self._heard_s < HEALTHY_S

    def step(self, now_s: float, body: Body) -> None:
        """Remembers how the vehicle moved, for messages that are of an instant ago."""
        self._moved.append(Motion.of(now_s, body))

    def _then(self, t_s: float, body: Body) -> Motion:
        return next((one for one in reversed(self._moved) if one.t_s <= t_s), Motion.of(t_s, body))

    def take(
        self, message: Message, now_s: float, origin_ne: tuple[float, float], least_quality: float, delay_s: float,
        body: Body,
    ) -> None:  # fmt: skip
        """An ODOMETRY; dropped without a word in other frames, and unused below ``least_quality``.

        It is taken to be of ``delay_s`` before it came (VISO_DELAY_MS).
        """
        if (message.frame_id, message.child_frame_id) == (LOCAL_FRD, BODY_FRD):
            usable = message.quality >= least_quality
            pose = _pose(message, now_s) if usable else None
            self._take(pose, message.reset_counter, origin_ne, delay_s, body, now_s)

    def take_vision(
        self, message: Message, now_s: float, origin_ne: tuple[float, float], least_quality: float, delay_s: float,
        body: Body,
    ) -> None:  # fmt: skip
        """A VISION_POSITION_ESTIMATE, which has no quality: it counts as unknown, 0."""
        pose = _seen(message, self._velocity, now_s) if least_quality <= 0 else None
        self._take(pose, message.reset_counter, origin_ne, delay_s, body, now_s)

    def take_speed(self, message: Message) -> None:
        """A VISION_SPEED_ESTIMATE: the velocity of the poses that follow."""
        if all(math.isfinite(speed) for speed in (message.x, message.y, message.z)):
            self._velocity = message.x, message.y, message.z

    def _take(
        self, pose: Pose | None, counter: int, origin_ne: tuple[float, float], delay_s: float, body: Body, now_s: float
    ) -> None:
        self._heard_s = now_s
        if pose is None:
            return
        if self._counter is not None and counter != self._counter:
            self.resets += 1
        self._counter = counter
        self.pose = pose
        velocity, then = (pose.velocity[0], pose.velocity[1]), self._then(now_s - delay_s, body)
        self.spoke(now_s, origin_ne[0] + pose.n, origin_ne[1] + pose.e, velocity, then)
        self.yaw_error = math.remainder(pose.yaw - body.yaw, 2.0 * math.pi)


def _pose(message: Message, now_s: float) -> Pose | None:
    numbers = (message.x, message.y, message.z, *message.q, message.vx, message.vy, message.vz)
    if not all(math.isfinite(number) for number in numbers) or not any(message.q):
        return None
    w, x, y, z = message.q
    ned_from_body = rotation((w, x, y, z))
    vn, ve, vd = ned_from_body.apply([message.vx, message.vy, message.vz]).tolist()
    yaw = float(ned_from_body.as_euler("ZYX")[0])
    return Pose(now_s, message.x, message.y, message.z, (vn, ve, vd), yaw)


def _seen(message: Message, velocity: Vector, now_s: float) -> Pose | None:
    if not all(math.isfinite(number) for number in (message.x, message.y, message.z, message.yaw)):
        return None
    return Pose(now_s, message.x, message.y, message.z, velocity, message.yaw)


class FedReceiver(Aid):
    """GPS_INPUT as a satellite receiver of type MAV; ``number`` is 1 or 2."""

    __slots__ = ("_say", "fix_type", "number", "present", "sample", "satellites")

    def __init__(self, number: int, present: bool, say: Callable[[int, str], None]) -> None:
        super().__init__()
        self.number, self.present = number, present
        self._say = say
        self.fix_type = NO_FIX
        self.satellites = 0
        self.sample: Sample | None = None

    @property
    def has_fix(self) -> bool:
        """Whether the last message carried a 3D fix."""
        return self.fix_type >= 3

    def take(self, message: Message, now_s: float, frame: LocalFrame, altitude_amsl_m: float, body: Body) -> None:
        """A GPS_INPUT for this receiver; ``altitude_amsl_m`` is the launch point's."""
        if self.sample is None:
            self._say(6, f"GPS {self.number}: detected MAV")
        self.fix_type, self.satellites = int(message.fix_type), int(message.satellites_visible)
        n, e = frame.north_east(message.lat * 1e-7, message.lon * 1e-7)
        ignored = bool(message.ignore_flags & IGNORE_VELOCITY)
        velocity = (0.0, 0.0, 0.0) if ignored else (message.vn, message.ve, message.vd)
        self.sample = Sample(now_s, n, e, message.alt - altitude_amsl_m, velocity)
        if self.has_fix:
            self.spoke(now_s, n, e, None if ignored else (velocity[0], velocity[1]), Motion.of(now_s, body))

    def step(self, now_s: float) -> None:
        """Notices that nothing comes any more."""
        if self.sample is not None and now_s - self.sample.t_s > RECEIVER_SILENT_S:
            self.fix_type, self.satellites = NO_GPS, 0
