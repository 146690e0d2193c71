"""What the EKF believes: truth plus its source's error and biases; when it uses a source, and when it gives up.

MAVLink carries this estimate and never the truth. Times and flags are those of the recordings.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from enum import Enum

from sim.autopilot.config import AutopilotConfig
from sim.autopilot.fed import Aid
from sim.autopilot.gate import JumpGate
from sim.autopilot.gps import Gps
from sim.autopilot.physics import Body
from sim.autopilot.sources import SOURCE_EXTERNAL, SOURCE_GPS, YAW_EXTERNAL, Sources

INFO, WARNING = 6, 4
INITIALISED_S, ALIGNING_S, YAW_S, AIDED_S = 4.43, 5.4, 5.88, 41.39  # after boot
EXTERNAL_S = 5.14  # after boot: external navigation is taken once the tilt is aligned
ORIGIN_AFTER_S = 10.02  # of a GPS fix, once the EKF runs
LANE_1_S = 0.2  # the second lane says the same a moment later
VELOCITY_S = 1.0  # time constant with which a fed velocity is taken over: accelerometers say what is faster
SILENT_S = 0.6  # of a source: from here on the accelerometers alone carry the estimate, unannounced
DEAD_RECKONING_S = 7.0  # without a source: the flags fall to 0x025
STOPPED_AIDING_S = 15.0  # without a source: the position freezes
READY_AGAIN_S = 10.0  # of good GPS, once aiding had stopped
FLAGS_UNINITIALISED, FLAGS_ALIGNING, FLAGS_NO_POSITION = 0x400, 0x000, 0x0A7
FLAGS_AIDED, FLAGS_DEAD_RECKONING, FLAG_GLITCH = 0x33F, 0x025, 0x8000
POSITION_VARIANCE = 0.00116  # EKF_STATUS_REPORT's per m^2 of a rejected offset; recorded: 57 for 222 m

BOOT_TEXTS: tuple[tuple[float, str], ...] = (
    (INITIALISED_S, "EKF3 IMU0 initialised"),
    (INITIALISED_S, "EKF3 IMU1 initialised"),
    (INITIALISED_S, "AHRS: EKF3 active"),
)
TILT_TEXTS = ("EKF3 IMU0 tilt alignment complete", "EKF3 IMU1 tilt alignment complete")
TILT_S, TILT_EARLY_S = 5.78, 5.11  # recorded; the earlier one with external navigation
COMPASS_TEXTS: tuple[tuple[float, str], ...] = (
    (YAW_S, "EKF3 IMU0 MAG0 initial yaw alignment complete"),
    (YAW_S, "EKF3 IMU1 MAG0 initial yaw alignment complete"),
)
GPS_TEXTS: tuple[tuple[float, str], ...] = (
    (9.79, "GPS 1: probing for u-blox at 230400 baud"),
    (9.80, "GPS 1: detected u-blox"),
)

Say = Callable[[int, str], None]


class Aiding(Enum):
    """Whether the EKF has a horizontal position: from a source, from its accelerometers for a while, or not."""

    NONE = 0
    ABSOLUTE = 1
    DEAD_RECKONING = 2


def _boot_texts(sources: Sources) -> list[tuple[float, str]]:
    by_sight = sources.yaw == YAW_EXTERNAL
    texts = [*BOOT_TEXTS, *((TILT_EARLY_S if by_sight else TILT_S, text) for text in TILT_TEXTS)]
    texts += () if by_sight else COMPASS_TEXTS
    texts += GPS_TEXTS if sources.gps.present else ()
    texts += [(INITIALISED_S / 2, f"GPS {fed.number}: specified as MAV") for fed in sources.fed if fed.present]
    return sorted(texts, key=lambda each: each[0])


class Estimator:
    """Estimates in the truth's NED frame: ``n, e, h`` (m, h up), velocities (m/s), attitude (rad).

    ``origin_amsl_m`` is the altitude of the origin, from which ``h`` counts.
    """

    __slots__ = (
        "_bias_e", "_bias_n", "_bias_pitch", "_bias_roll", "_compass_bias", "_drift_e", "_drift_n", "_error_e",
        "_error_n", "_followed", "_frozen", "_gate", "_good_s", "_height_scale", "_later", "_now_s", "_passed_s",
        "_say", "aiding", "e", "h", "moved", "n", "origin_amsl_m", "origin_ne", "pitch", "roll", "sources", "ve",
        "vh", "vn", "yaw",
    )  # fmt: skip

    def __init__(self, config: AutopilotConfig, sources: Sources, seed: random.Random, say: Say) -> None:
        self.sources = sources
        self._gate = JumpGate(say)
        self._say = say
        self._height_scale = 1.0 + config.height_error * seed.choice((-1.0, 1.0))
        self._compass_bias = math.radians(config.heading_bias_deg) * seed.choice((-1.0, 1.0))
        turn, drift = seed.uniform(-math.pi, math.pi), seed.uniform(-math.pi, math.pi)
        tilt = math.radians(config.attitude_bias_deg)
        self._bias_roll, self._bias_pitch = tilt * math.cos(turn), tilt * math.sin(turn)
        self._bias_n = config.accel_bias_m_s2 * math.cos(drift)
        self._bias_e = config.accel_bias_m_s2 * math.sin(drift)
        self.aiding = Aiding.NONE
        self.origin_ne: tuple[float, float] | None = None
        self.origin_amsl_m = config.home_altitude_amsl_m
        self.moved: tuple[float, float] | None = None  # the position was reset by so much in this step
        self.n = self.e = self.h = self.vn = self.ve = self.vh = 0.0
        self.roll = self.pitch = self.yaw = 0.0
        self._error_n, self._error_e = sources.gps.error_n, sources.gps.error_e
        self._drift_n = self._drift_e = 0.0  # velocity error
        self._frozen = False  # aiding has stopped in flight: the position stands still
        self._good_s = math.inf  # since when GPS has had a fix
        self._passed_s = -math.inf  # when a source was last listened to
        self._followed: tuple[object, int] = (sources.gps, 0)  # the source, and the leaps it had announced
        self._now_s = 0.0
        self._later = _boot_texts(sources)

    @property
    def position_ok(self) -> bool:
        """Whether modes that need a position may run."""
        return self.aiding is Aiding.ABSOLUTE

    @property
    def flags(self) -> int:
        """EKF_STATUS_REPORT.flags."""
        if self.aiding is Aiding.ABSOLUTE:
            return FLAGS_AIDED | (FLAG_GLITCH if self._gate.flag else 0)
        if self.aiding is Aiding.DEAD_RECKONING:
            return FLAGS_DEAD_RECKONING
        if self._now_s < ALIGNING_S:
            return FLAGS_UNINITIALISED
        return FLAGS_NO_POSITION if self.initialised else FLAGS_ALIGNING

    @property
    def initialised(self) -> bool:
        """Whether attitude is known at all."""
        aligned = self.sources.yaw != YAW_EXTERNAL or self.sources.external.pose is not None
        return self._now_s >= YAW_S and aligned

    @property
    def position_variance(self) -> float:
        """EKF_STATUS_REPORT.pos_horiz_variance, which shows a rejected source."""
        aid = self.sources.aid()
        if aid is None or not self._gate.flag:
            return 0.01
        off_n, off_e = aid.offset_n - self._gate.n, aid.offset_e - self._gate.e
        return max(0.01, POSITION_VARIANCE * (off_n * off_n + off_e * off_e))

    def step(self, dt: float, now_s: float, body: Body) -> None:
        """Advances to ``now_s`` seconds after boot."""
        self._now_s = now_s
        self.moved = None
        self.sources.step(dt, now_s, body)
        while self._later and now_s >= self._later[0][0]:
            self._say(INFO, self._later.pop(0)[1])
        aid = self.sources.aid()
        if aid is not None:
            self._passed_s = max(self._passed_s, aid.last_s)
        if now_s >= INITIALISED_S:
            self._find_origin(now_s)
            self._aid(now_s, aid)
        if self.aiding is Aiding.ABSOLUTE:
            self._follow(dt, now_s, aid)
        elif self.aiding is Aiding.DEAD_RECKONING:
            self._drift(dt)
        elif not self._frozen:  # on the ground, before there is a position: it knows that it stands still
            self._error_n, self._error_e = self.sources.gps.error_n, self.sources.gps.error_e
        self.publish(body)

    def _find_origin(self, now_s: float) -> None:
        """The first fix that lasts is the origin, whatever the EKF flies by."""
        receiver = self.sources.primary()
        if receiver is None or not receiver.has_fix:
            self._good_s = math.inf
            return
        self._good_s = min(self._good_s, now_s)
        if self.origin_ne is None and now_s >= self._good_s + ORIGIN_AFTER_S:
            self._move_origin(receiver.error_n + receiver.offset_n, receiver.error_e + receiver.offset_e)

    def set_origin(self, n: float, e: float, altitude_amsl_m: float) -> bool:
        """SET_GPS_GLOBAL_ORIGIN: a place in the launch point's frame; refused where there is an origin already."""
        if self.origin_ne is not None or self._now_s < INITIALISED_S:
            return False
        self.origin_amsl_m = altitude_amsl_m
        self._move_origin(n, e)
        return True

    def _move_origin(self, n: float, e: float) -> None:
        """What was fed from an origin nobody knew is now fed from this one."""
        self.origin_ne = (n, e)
        if self.sources.position == SOURCE_EXTERNAL and self.aiding is not Aiding.NONE:
            self.sources.external.offset_n += n
            self.sources.external.offset_e += e
            self._jump(n, e)
            self._gate.take(self._gate.n + n, self._gate.e + e)
        self._say_twice(self._now_s, INFO, "EKF3 IMU{} origin set")
        self._say(INFO, f"Field Elevation Set: {math.floor(self.origin_amsl_m):.0f}m")

    def _aid(self, now_s: float, aid: Gps | Aid | None) -> None:
        silent_s = now_s - self._passed_s
        if self.aiding is Aiding.NONE:
            if aid is not None and self._ready(now_s, aid):
                self._use(now_s, aid, announced=True)
        elif self.aiding is Aiding.ABSOLUTE and silent_s >= DEAD_RECKONING_S:
            self.aiding = Aiding.DEAD_RECKONING
        elif self.aiding is Aiding.DEAD_RECKONING and aid is not None and now_s - aid.last_s < SILENT_S:
            self._use(now_s, aid, announced=aid is not self.sources.external)
        elif self.aiding is Aiding.DEAD_RECKONING and silent_s >= STOPPED_AIDING_S:
            self.aiding, self._frozen = Aiding.NONE, True
            for lane in (1, 0):
                self._say(WARNING, f"EKF3 IMU{lane} stopped aiding")

    def _ready(self, now_s: float, aid: Gps | Aid) -> bool:
        if aid is self.sources.external:
            return now_s >= EXTERNAL_S and now_s - aid.last_s < SILENT_S
        return self.origin_ne is not None and now_s >= AIDED_S and now_s - self._good_s >= READY_AGAIN_S

    def _use(self, now_s: float, aid: Gps | Aid, announced: bool) -> None:
        self.aiding, self._frozen = Aiding.ABSOLUTE, False
        self._followed = (None, 0)  # whatever it was, begin anew
        if announced and aid is self.sources.external:
            self._announce_external(now_s)
        elif announced:
            self._say_twice(now_s, INFO, "EKF3 IMU{} is using GPS")

    def _announce_external(self, now_s: float) -> None:
        pose = self.sources.external.pose
        assert pose is not None
        if self.sources.yaw == YAW_EXTERNAL:
            self._say_twice(now_s, INFO, "EKF3 IMU{} yaw aligned")
        self._say_twice(now_s, INFO, "EKF3 IMU{} is using external nav data")
        velocity = ",".join(f"{axis:3.1f}" for axis in pose.velocity)
        self._say_twice(now_s, INFO, f"EKF3 IMU{{}} initial pos NED = {pose.n:3.1f},{pose.e:3.1f},{pose.d:3.1f} (m)")
        self._say_twice(now_s, INFO, f"EKF3 IMU{{}} initial vel NED = {velocity} (m/s)")

    def _say_twice(self, now_s: float, severity: int, text: str) -> None:
        self._say(severity, text.format(0))
        self._later.append((now_s + LANE_1_S, text.format(1)))
        self._later.sort(key=lambda each: each[0])

    def _follow(self, dt: float, now_s: float, aid: Gps | Aid | None) -> None:
        """The estimate's error becomes the source's: at once where the source is another, else through the gate."""
        gate = self._gate
        if aid is None or now_s - aid.last_s > SILENT_S:
            self._drift(dt)
            base = (0.0, 0.0) if aid is None else (aid.error_n, aid.error_e)
            gate.take(self._error_n - base[0], self._error_e - base[1])  # where it goes on from, once there is news
            return
        leapt = self._followed != (aid, aid.resets)
        if leapt:
            self._followed, gate.quiet = (aid, aid.resets), aid is self.sources.external
            gate.take(aid.offset_n, aid.offset_e)
            self._drift_n, self._drift_e = aid.rate_n, aid.rate_e
        rate = self._rate(dt, aid)
        believed = gate.step(dt, now_s, (aid.offset_n, aid.offset_e), rate)
        dn, de = aid.error_n + gate.n - self._error_n, aid.error_e + gate.e - self._error_e
        if leapt or believed is not None or dn * dn + de * de > 1.0:  # a reset, not a drift
            self._jump(dn, de)
        else:
            self._error_n, self._error_e = self._error_n + dn, self._error_e + de
            self._drift_n, self._drift_e = (dn / dt, de / dt) if isinstance(aid, Gps) else rate

    def _rate(self, dt: float, aid: Gps | Aid) -> tuple[float, float]:
        """How fast the error grows by the source's own velocity; a fed one is taken over little by little."""
        if isinstance(aid, Gps):
            return aid.rate_n, aid.rate_e
        share = dt / VELOCITY_S
        return (
            self._drift_n + (aid.rate_n - self._drift_n) * share,
            self._drift_e + (aid.rate_e - self._drift_e) * share,
        )

    def _jump(self, dn: float, de: float) -> None:
        self._error_n += dn
        self._error_e += de
        before = self.moved or (0.0, 0.0)
        self.moved = (before[0] + dn, before[1] + de)

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
        by_sight = self.sources.yaw == YAW_EXTERNAL and self.sources.external.pose is not None
        self.yaw = body.yaw + (self.sources.external.yaw_error if by_sight else self._compass_bias)

    def settle(self, now_s: float, body: Body) -> None:
        """An EKF that has been on for long: on GPS where there is one; for runs that begin ready."""
        self._now_s, self._later = now_s, []
        gps = self.sources.gps
        if gps.present:
            gps.settle(now_s, body)
            self.origin_ne = (gps.error_n, gps.error_e)
            self.aiding = Aiding.ABSOLUTE if self.sources.position == SOURCE_GPS else Aiding.NONE
        self.publish(body)

    def carried(self, north_m: float, east_m: float) -> None:
        """The body was moved by so much and nothing told: the estimate stays where it was."""
        self._error_n -= north_m
        self._error_e -= east_m
        self._gate.take(self._gate.n - north_m, self._gate.e - east_m)
        for aid in (self.sources.external, *self.sources.fed):
            aid.offset_n -= north_m
            aid.offset_e -= east_m
