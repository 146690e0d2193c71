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


@dataclass(frozen=True, slots=True)
class Sample:
    """One GPS message: position in the launch point's frame (h up), velocity, time since boot."""

    t_s: float
    n: float
    e: float
    h: float
    velocity: Vector


class Gps:
    """What the receiver says: fix, and its error against the truth (north, east, up in metres)."""

    __slots__ = (
        "_drive", "_keep", "_markov_e", "_markov_n", "_markov_u", "_next_s", "_random", "enabled", "error_e", "error_n",
        "fix_type", "glitch_e", "glitch_n", "glitch_u", "last_fix_s", "lost_s", "sample",
    )  # fmt: skip

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
        self.enabled = True
        self.fix_type = NO_GPS
        self.last_fix_s = -math.inf
        self.lost_s = math.inf
        self._next_s = 0.0

    @property
    def has_fix(self) -> bool:
        """Whether the last message carried a 3D fix."""
        return self.fix_type >= 3

    def step(self, dt: float, now_s: float, body: Body) -> None:
        """Advances to ``now_s`` seconds after boot."""
        k = dt / SMOOTH_S
        self.error_n += (self._markov_n - self.error_n) * k
        self.error_e += (self._markov_e - self.error_e) * k
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
        if now_s < PROBE_S:
            self.fix_type = NO_GPS
        elif now_s < FIX_S or (not self.enabled and now_s - self.lost_s >= LOSS_S):
            self.fix_type = NO_FIX
        elif self.enabled:
            self.fix_type = RTK_FIXED
            self.last_fix_s = now_s
            self.sample = Sample(
                now_s,
                body.n + self.error_n + self.glitch_n + gauss(0.0, WHITE_M),
                body.e + self.error_e + self.glitch_e + gauss(0.0, WHITE_M),
                -body.d + self._markov_u + self.glitch_u + gauss(0.0, WHITE_M),
                (body.vn, body.ve, body.vd),
            )

    def settle(self, now_s: float, body: Body) -> None:
        """A receiver that has had its fix for long."""
        self._next_s = now_s
        self._measure(now_s, body)
