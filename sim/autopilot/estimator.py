"""What the EKF believes: truth plus GPS error and biases; when it uses GPS, and when it gives up.

MAVLink carries this estimate and never the truth. Times and flags are those of the recordings.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from enum import Enum

from sim.autopilot.config import AutopilotConfig
from sim.autopilot.gate import JumpGate
from sim.autopilot.gps import Gps
from sim.autopilot.physics import Body

INFO, WARNING = 6, 4
INITIALISED_S, ALIGNING_S, YAW_S, ORIGIN_S, AIDED_S = 4.43, 5.4, 5.88, 19.99, 41.39  # after boot
LANE_1_S = 0.2  # the second lane says the same a moment later
DEAD_RECKONING_S = 7.0  # without GPS: the flags fall to 0x025
STOPPED_AIDING_S = 15.0  # without GPS: the position freezes
READY_AGAIN_S = 10.0  # of good GPS, once aiding had stopped
FLAGS_UNINITIALISED, FLAGS_ALIGNING, FLAGS_NO_POSITION = 0x400, 0x000, 0x0A7
FLAGS_AIDED, FLAGS_DEAD_RECKONING, FLAG_GLITCH = 0x33F, 0x025, 0x8000

BOOT_TEXTS: tuple[tuple[float, str], ...] = (
    (INITIALISED_S, "EKF3 IMU0 initialised"),
    (INITIALISED_S, "EKF3 IMU1 initialised"),
    (INITIALISED_S, "AHRS: EKF3 active"),
    (5.78, "EKF3 IMU0 tilt alignment complete"),
    (5.78, "EKF3 IMU1 tilt alignment complete"),
    (YAW_S, "EKF3 IMU0 MAG0 initial yaw alignment complete"),
    (YAW_S, "EKF3 IMU1 MAG0 initial yaw alignment complete"),
)
GPS_TEXTS: tuple[tuple[float, str], ...] = (
    (9.79, "GPS 1: probing for u-blox at 230400 baud"),
    (9.80, "GPS 1: detected u-blox"),
)

Say = Callable[[int, str], None]


class Aiding(Enum):
    """Whether the EKF has a horizontal position, and from what."""

    NONE = 0
    GPS = 1
    DEAD_RECKONING = 2


class Estimator:
    """Estimates in the truth's NED frame: ``n, e, h`` (m, h up), velocities (m/s), attitude (rad)."""

    __slots__ = (
        "_bias_e", "_bias_n", "_bias_pitch", "_bias_roll", "_drift_e", "_drift_n", "_error_e", "_error_n",
        "_elevation_m", "_frozen", "_good_s", "_height_scale", "_later", "_now_s", "_say", "aiding", "bias_yaw",
        "e", "gate",
        "gps", "h", "moved", "n", "origin_ne", "pitch", "roll", "ve", "vh", "vn", "yaw",
    )  # fmt: skip

    def __init__(self, config: AutopilotConfig, seed: random.Random, say: Say) -> None:
        self.gps = Gps(config, seed)
        self.gate = JumpGate(say)
        self._say = say
        self._height_scale = 1.0 + config.height_error * seed.choice((-1.0, 1.0))
        self.bias_yaw = math.radians(config.heading_bias_deg) * seed.choice((-1.0, 1.0))
        turn, drift = seed.uniform(-math.pi, math.pi), seed.uniform(-math.pi, math.pi)
        tilt = math.radians(config.attitude_bias_deg)
        self._bias_roll, self._bias_pitch = tilt * math.cos(turn), tilt * math.sin(turn)
        self._bias_n = config.accel_bias_m_s2 * math.cos(drift)
        self._bias_e = config.accel_bias_m_s2 * math.sin(drift)
        self.aiding = Aiding.NONE
        self.origin_ne: tuple[float, float] | None = None
        self.moved: tuple[float, float] | None = None  # the position was reset by so much in this step
        self.n = self.e = self.h = self.vn = self.ve = self.vh = 0.0
        self.roll = self.pitch = self.yaw = 0.0
        self._error_n, self._error_e = self.gps.error_n, self.gps.error_e
        self._drift_n = self._drift_e = 0.0  # velocity error while nothing aids
        self._frozen = False  # aiding has stopped in flight: the position stands still
        self._elevation_m = config.home_altitude_amsl_m
        self._good_s = math.inf  # since when GPS has had a fix
        self._now_s = 0.0
        self._later = list(BOOT_TEXTS + GPS_TEXTS)

    @property
    def position_ok(self) -> bool:
        """Whether modes that need a position may run."""
        return self.aiding is Aiding.GPS

    @property
    def flags(self) -> int:
        """EKF_STATUS_REPORT.flags."""
        if self.aiding is Aiding.GPS:
            return FLAGS_AIDED | (FLAG_GLITCH if self.gate.flag else 0)
        if self.aiding is Aiding.DEAD_RECKONING:
            return FLAGS_DEAD_RECKONING
        if self._now_s < ALIGNING_S:
            return FLAGS_UNINITIALISED
        return FLAGS_ALIGNING if self._now_s < YAW_S else FLAGS_NO_POSITION

    @property
    def initialised(self) -> bool:
        """Whether attitude is known at all."""
        return self._now_s >= YAW_S

    def step(self, dt: float, now_s: float, body: Body) -> None:
        """Advances to ``now_s`` seconds after boot."""
        self._now_s = now_s
        self.moved = None
        self.gps.step(dt, now_s, body)
        while self._later and now_s >= self._later[0][0]:
            self._say(INFO, self._later.pop(0)[1])
        if now_s >= ORIGIN_S:
            self._aid(now_s)
        if self.aiding is Aiding.GPS:
            self._follow_gps(dt, now_s)
        elif self.aiding is Aiding.DEAD_RECKONING:
            self._drift(dt)
        elif not self._frozen:  # on the ground, before there is a position: it knows that it stands still
            self._error_n, self._error_e = self.gps.error_n, self.gps.error_e
        self.publish(body)

    def _aid(self, now_s: float) -> None:
        gps = self.gps
        if gps.has_fix:
            self._good_s = min(self._good_s, now_s)
        else:
            self._good_s = math.inf
        if self.origin_ne is None and gps.has_fix:
            self.origin_ne = (gps.error_n, gps.error_e)
            self._say_twice(now_s, INFO, "EKF3 IMU{} origin set")
            self._say(INFO, f"Field Elevation Set: {self._elevation_m:.0f}m")
        silent_s = now_s - gps.last_fix_s
        if self.aiding is Aiding.NONE:
            if now_s >= AIDED_S and now_s - self._good_s >= READY_AGAIN_S:
                self._use_gps(now_s)
        elif self.aiding is Aiding.GPS and silent_s >= DEAD_RECKONING_S:
            self.aiding = Aiding.DEAD_RECKONING
        elif self.aiding is Aiding.DEAD_RECKONING and gps.has_fix:
            self._use_gps(now_s)
        elif self.aiding is Aiding.DEAD_RECKONING and silent_s >= STOPPED_AIDING_S:
            self.aiding, self._frozen = Aiding.NONE, True
            for lane in (1, 0):
                self._say(WARNING, f"EKF3 IMU{lane} stopped aiding")

    def _use_gps(self, now_s: float) -> None:
        self.aiding, self._frozen = Aiding.GPS, False
        self._say_twice(now_s, INFO, "EKF3 IMU{} is using GPS")

    def _say_twice(self, now_s: float, severity: int, text: str) -> None:
        self._say(severity, text.format(0))
        self._later.append((now_s + LANE_1_S, text.format(1)))
        self._later.sort(key=lambda each: each[0])

    def _follow_gps(self, dt: float, now_s: float) -> None:
        gps, gate = self.gps, self.gate
        if now_s - gps.last_fix_s > 0.5:  # lost a moment ago: dead reckoning, unannounced
            self._drift(dt)
            return
        jump = gate.step(dt, now_s, gps.glitch_n, gps.glitch_e)
        error_n, error_e = gps.error_n + gate.n, gps.error_e + gate.e
        before_n, before_e = self._error_n, self._error_e
        self._error_n, self._error_e = error_n, error_e
        dn, de = error_n - before_n, error_e - before_e
        if jump is not None or dn * dn + de * de > 1.0:  # a reset, not a drift
            self.moved = (dn, de)
        else:
            self._drift_n, self._drift_e = dn / dt, de / dt

    def _drift(self, dt: float) -> None:
        self._drift_n += self._bias_n * dt
        self._drift_e += self._bias_e * dt
        self._error_n += self._drift_n * dt
        self._error_e += self._drift_e * dt

    def publish(self, body: Body) -> None:
        """The estimate of where the body is now."""
        if not self._frozen:
            self.n, self.e = body.n + self._error_n, body.e + self._error_e
        self.vn, self.ve = body.vn + self._drift_n, body.ve + self._drift_e
        self.h, self.vh = -body.d * self._height_scale, -body.vd * self._height_scale
        self.roll, self.pitch = body.roll + self._bias_roll, body.pitch + self._bias_pitch
        self.yaw = body.yaw + self.bias_yaw

    def settle(self, now_s: float, body: Body) -> None:
        """An EKF that has used GPS for long: for runs that begin ready."""
        self.gps.settle(now_s, body)
        self._now_s, self._later = now_s, []
        self.aiding = Aiding.GPS
        self.origin_ne = (self.gps.error_n, self.gps.error_e)
        self.publish(body)
