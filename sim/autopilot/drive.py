"""What a flight mode asks of the vehicle, turned into thrust at every step."""

from __future__ import annotations

import math

from sim.autopilot.control import ACCEL_M_S2, BRAKE_M_S2, JERK_M_S3, Heading, Horizontal, Vertical
from sim.autopilot.estimator import Estimator
from sim.autopilot.physics import GRAVITY_M_S2, Body

STOPPED_M_S = 0.2
COURSE_M_S = 0.5  # slower than this the nose does not follow the path
WAYPOINT_JERK_M_S3 = 0.7  # recorded: 1.35, 3.2 and 5.3 m/s after 2, 3 and 4 s; WPNAV_JERK is 1
WAYPOINT_BRAKE_M_S2 = 2.0  # recorded: v^2 / 2d between 2.1 and 2.8 on the way to a waypoint
BRAKE_ACCEL_M_S2 = 3.8  # LOITER and BRAKE stop from 8 m/s within 2.5 s


class Drive:
    """Demands, each kept until replaced: a place, a velocity or level; a height, a climb rate or idle; a yaw.

    Places and heights are estimates in the launch point's NED frame (h up).
    """

    __slots__ = (
        "_accel", "_brake", "_climb", "_course", "_down", "_estimator", "_heading", "_height", "_idle", "_place",
        "_speed", "_start_jerk",
        "_turn", "_up", "_velocity", "_yaw", "horizontal", "vertical",
    )  # fmt: skip

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator
        self.horizontal, self.vertical, self._heading = Horizontal(), Vertical(), Heading()
        self._place: tuple[float, float] | None = None
        self._velocity: tuple[float, float] | None = None
        self._speed = 10.0
        self._accel = ACCEL_M_S2
        self._start_jerk, self._brake = JERK_M_S3, BRAKE_M_S2
        self._height: float | None = None
        self._climb = 0.0
        self._up, self._down = 2.5, 1.5
        self._idle = True
        self._yaw: float | None = None
        self._turn = 0.0
        self._course = False

    def restart(self) -> None:
        """Begins a mode: references start where the vehicle is, the nose stays."""
        here = self._estimator
        self.horizontal.reset(here.n, here.e, here.vn, here.ve)
        self.vertical.reset(here.h, here.vh)
        self._accel = ACCEL_M_S2
        self.face(here.yaw)

    def to(self, n: float, e: float, speed: float) -> None:
        """Fly to a place and stop there."""
        self._place, self._velocity, self._speed = (n, e), None, speed
        self._start_jerk, self._brake = JERK_M_S3, BRAKE_M_S2

    def along(self, n: float, e: float, speed: float) -> None:
        """Fly to a place as AUTO and RTL do: a gentle start (WPNAV_JERK), a harder stop."""
        self.to(n, e, speed)
        self._start_jerk, self._brake = WAYPOINT_JERK_M_S3, WAYPOINT_BRAKE_M_S2

    def velocity(self, vn: float, ve: float, hard: bool = False) -> None:
        """Fly at a velocity; ``hard`` brakes as LOITER and BRAKE do."""
        self._place, self._velocity = None, (vn, ve)
        self._accel = BRAKE_ACCEL_M_S2 if hard else ACCEL_M_S2

    def level(self) -> None:
        """Keep level: no position is known."""
        self._place = self._velocity = None

    def height(self, h: float, up: float, down: float) -> None:
        """Climb or sink to a height and stay there."""
        self._height, self._up, self._down, self._idle = h, up, down, False

    def climb(self, rate: float) -> None:
        """Climb at a rate, m/s, up positive."""
        self._height, self._climb, self._idle = None, rate, False

    def idle(self) -> None:
        """Motors off, or turning without lift."""
        self._idle = True

    def face(self, yaw: float) -> None:
        """Turn the nose to a heading."""
        self._yaw, self._course = yaw, False

    def turn(self, rate: float) -> None:
        """Turn the nose at a rate, rad/s."""
        self._yaw, self._turn, self._course = None, rate, False

    def face_course(self) -> None:
        """Let the nose follow the path, as ArduCopter does on its way to a waypoint."""
        self._course = True

    @property
    def stopped(self) -> bool:
        """Whether the path has come to its end: the reference stands still, near enough."""
        return self.horizontal.vn**2 + self.horizontal.ve**2 < STOPPED_M_S * STOPPED_M_S

    @property
    def descending(self) -> bool:
        """Whether nothing holds the vehicle up: what the landing detector asks first."""
        return self._idle or (self._height is None and self._climb < 0.0)

    def step(self, dt: float, body: Body) -> None:
        """Follows the demands for ``dt`` seconds."""
        here = self._estimator
        if here.moved is not None:
            self.horizontal.shift(*here.moved)
        yaw_rate = self._heading.step(dt, here.yaw, self._yaw_target(), self._turn)
        if self._idle:
            body.step(dt, 0.0, 0.0, 0.0, yaw_rate)
            return
        climb = self._climb
        if self._height is not None:
            climb = self.vertical.toward(self._height, self._up, self._down)
        fu = self.vertical.step(dt, climb, here.h, here.vh)
        fn, fe = self._sideways(dt)
        body.step(dt, fn, fe, max(fu, 0.2 * GRAVITY_M_S2), yaw_rate)

    def _sideways(self, dt: float) -> tuple[float, float]:
        here, horizontal = self._estimator, self.horizontal
        if self._place is not None:
            target = horizontal.toward(*self._place, self._speed, self._brake)
        elif self._velocity is not None:
            target = self._velocity
        else:
            horizontal.reset(here.n, here.e, here.vn, here.ve)
            return 0.0, 0.0
        return horizontal.step(dt, target, here.n, here.e, here.vn, here.ve, self._accel, self._start_jerk)

    def _yaw_target(self) -> float | None:
        if self._course:
            vn, ve = self.horizontal.vn, self.horizontal.ve
            if vn * vn + ve * ve > COURSE_M_S * COURSE_M_S:
                self._yaw = math.atan2(ve, vn)
        return self._yaw
