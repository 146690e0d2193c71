"""The GPS receiver: a fix after boot, a slowly varying error, an outage or a jump when the simulator asks."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from sim.autopilot.config import AutopilotConfig, Vector
from sim.autopilot.physics import Body

PROBE_S, FIX_S = 9.79, 9.97  # recorded: detected, and 3D fix, after boot
LOSS_S = 0.25  # the receiver reports the loss at its next message but one
PERIOD_S = 0.2  # five messages a second
SMOOTH_S = 3.0  # a receiver's own filter: the error never jumps
VERTICAL = 1.5  # a GPS height is worse than its place by so much
WHITE_M = 0.05  # jitter of a raw position
RTK_FIXED, NO_FIX, NO_GPS = 6, 1, 0
METRES_PER_GLITCH_DEGREE = 111318.84502145  # ArduPilot's LOCATION_SCALING_FACTOR, per degree
DRAG_ACCEL_M_S2 = 2.5  # a forger who means to be followed picks up speed no faster than a multirotor can


@dataclass(frozen=True, slots=True)
class Sample:
    """One GPS message: position in the launch point's frame (h up), velocity, time since boot."""

    t_s: float
    n: float
    e: float
    h: float
    velocity: Vector


class Forgery:
    """Signals of somebody else that drag the receiver away: the offset grows at a velocity that is told along with it.

    ``n, e`` are metres of offset, ``vn, ve`` its velocity in m/s.
    """

    __slots__ = ("_wanted", "e", "n", "ve", "vn")

    def __init__(self) -> None:
        self.n = self.e = self.vn = self.ve = 0.0
        self._wanted = (0.0, 0.0)

    def drag(self, north_m_s: float, east_m_s: float) -> None:
        """From now on the offset grows at this velocity; zeros leave it where it is."""
        self._wanted = (north_m_s, east_m_s)

    @property
    def drags(self) -> bool:
        """Whether the offset changes."""
        return not self._wanted == (self.vn, self.ve) == (0.0, 0.0)

    def step(self, dt: float) -> None:
        """Advances; costs nothing where nobody forges."""
        if not self.drags:
            return
        an, ae = self._wanted[0] - self.vn, self._wanted[1] - self.ve
        size, most = math.hypot(an, ae), DRAG_ACCEL_M_S2 * dt
        share = min(1.0, most / size) if size else 0.0
        self.vn += an * share
        self.ve += ae * share
        self.n += self.vn * dt
        self.e += self.ve * dt


class Gps:
    """What the receiver says: fix, and its error against the truth (north, east, up in metres).

    ``offset_n, offset_e`` are what is wrong beyond a receiver's own error: a glitch, or a forgery.
    """

    __slots__ = (
        "_drive", "_keep", "_markov_e", "_markov_n", "_markov_u", "_next_s", "_random", "enabled", "error_e", "error_n",
        "fix_type", "forgery", "glitch_e", "glitch_n", "glitch_u", "last_s", "lost_s", "present", "sample",
    )  # fmt: skip

    number = 1
    resets = 0  # a receiver never announces a leap

    def __init__(self, config: AutopilotConfig, seed: random.Random) -> None:
        self._random = seed
        self._keep = math.exp(-PERIOD_S / config.gps_noise_time_s)
        self._drive = config.gps_noise_m * math.sqrt(1.0 - self._keep * self._keep)
        self._markov_n = seed.gauss(0.0, config.gps_noise_m)
        self._markov_e = seed.gauss(0.0, config.gps_noise_m)
        self._markov_u = seed.gauss(0.0, VERTICAL * config.gps_noise_m)
        self.error_n, self.error_e = self._markov_n, self._markov_e
        self.sample: Sample | None = None
        self.glitch_n = self.glitch_e = self.glitch_u = 0.0
        self.forgery = Forgery()
        self.enabled = self.present = True
        self.fix_type = NO_GPS
        self.last_s = -math.inf
        self.lost_s = math.inf
        self._next_s = 0.0

    @property
    def has_fix(self) -> bool:
        """Whether the last message carried a 3D fix."""
        return self.fix_type >= 3

    @property
    def satellites(self) -> int:
        """How many it says that it sees."""
        return 10 if self.has_fix else 3 if self.fix_type != NO_GPS else 0

    @property
    def offset_n(self) -> float:
        """North, m."""
        return self.glitch_n + self.forgery.n

    @property
    def offset_e(self) -> float:
        """East, m."""
        return self.glitch_e + self.forgery.e

    @property
    def rate_n(self) -> float:
        """How fast the offset grows by the receiver's own velocity, north, m/s."""
        return self.forgery.vn

    @property
    def rate_e(self) -> float:
        """East, m/s."""
        return self.forgery.ve

    def step(self, dt: float, now_s: float, body: Body) -> None:
        """Advances to ``now_s`` seconds after boot."""
        k = dt / SMOOTH_S
        self.error_n += (self._markov_n - self.error_n) * k
        self.error_e += (self._markov_e - self.error_e) * k
        self.forgery.step(dt)
        if not self.enabled:
            self.lost_s = min(self.lost_s, now_s)
        elif self.lost_s != math.inf:
            self.lost_s = math.inf
        if now_s >= self._next_s:
            self._next_s = now_s + PERIOD_S - 1e-6
            self._measure(now_s, body)

    def _measure(self, now_s: float, body: Body) -> None:
        gauss = self._random.gauss
        self._markov_n = self._keep * self._markov_n + self._drive * gauss(0.0, 1.0)
        self._markov_e = self._keep * self._markov_e + self._drive * gauss(0.0, 1.0)
        self._markov_u = self._keep * self._markov_u + VERTICAL * self._drive * gauss(0.0, 1.0)
        if now_s < PROBE_S or not self.present:
            self.fix_type = NO_GPS
        elif now_s < FIX_S or (not self.enabled and now_s - self.lost_s >= LOSS_S):
            self.fix_type = NO_FIX
        elif self.enabled:
            self.fix_type = RTK_FIXED
            self.last_s = now_s
            self.sample = Sample(
                now_s,
                body.n + self.error_n + self.offset_n + gauss(0.0, WHITE_M),
                body.e + self.error_e + self.offset_e + gauss(0.0, WHITE_M),
                -body.d + self._markov_u + self.glitch_u + gauss(0.0, WHITE_M),
                (body.vn + self.forgery.vn, body.ve + self.forgery.ve, body.vd),
            )

    def settle(self, now_s: float, body: Body) -> None:
        """A receiver that has had its fix for long."""
        self._next_s = now_s
        self._measure(now_s, body)
