"""The vehicle as a point mass under thrust, gravity, drag and wind, above flat ground; plain floats for speed."""

from __future__ import annotations

import math
import random

from sim.autopilot.config import AutopilotConfig, Vector

GRAVITY_M_S2 = 9.80665
THRUST_LAG_S = 0.12  # first-order response of thrust and tilt
GUST_TIME_S = 4.0  # correlation time of gusts
CONTACT_M_S = 0.05  # slower touches are not worth a text


class Wind:
    """A steady wind with first-order Gauss-Markov gusts on the horizontal axes."""

    __slots__ = ("_gust_e", "_gust_n", "_mean", "_random", "_sigma", "east", "north")

    def __init__(self, mean_ned_m_s: Vector, gust_m_s: float, seed: random.Random) -> None:
        self._mean = mean_ned_m_s
        self._sigma = gust_m_s
        self._random = seed
        self._gust_n = self._gust_e = 0.0
        self.north, self.east = mean_ned_m_s[0], mean_ned_m_s[1]

    def step(self, dt: float) -> None:
        """Advances the gusts; costs nothing in steady wind."""
        if not self._sigma:
            return
        keep = math.exp(-dt / GUST_TIME_S)
        drive = self._sigma * math.sqrt(1.0 - keep * keep)
        self._gust_n = keep * self._gust_n + drive * self._random.gauss(0.0, 1.0)
        self._gust_e = keep * self._gust_e + drive * self._random.gauss(0.0, 1.0)
        self.north, self.east = self._mean[0] + self._gust_n, self._mean[1] + self._gust_e


class Body:
    """State of the airframe: NED position and velocity, thrust per mass, yaw; attitude follows the thrust.

    ``step`` takes the commanded specific thrust (m/s^2, NED: north, east, *up* positive) and yaw rate.
    """

    __slots__ = (
        "_drag", "d", "e", "fe", "fn", "fu", "hit_m_s", "n", "on_ground", "pitch", "rates", "roll", "vd", "ve",
        "vn", "wind", "yaw",
    )  # fmt: skip

    def __init__(self, config: AutopilotConfig, seed: random.Random) -> None:
        self._drag = config.drag
        self.wind = Wind(config.wind_ned_m_s, config.gust_m_s, seed)
        self.n = self.e = self.d = self.vn = self.ve = self.vd = 0.0
        self.fn = self.fe = self.fu = 0.0
        self.roll = self.pitch = 0.0
        self.yaw = math.radians(config.home_heading_deg)
        self.rates: Vector = (0.0, 0.0, 0.0)
        self.on_ground = True
        self.hit_m_s: float | None = None  # speed of a touch-down in the last step

    def step(self, dt: float, fn: float, fe: float, fu: float, yaw_rate: float) -> None:
        """Advances by ``dt`` seconds under the commanded thrust."""
        k = dt / THRUST_LAG_S
        self.fn += (fn - self.fn) * k
        self.fe += (fe - self.fe) * k
        self.fu += (fu - self.fu) * k
        self.hit_m_s = None
        self.wind.step(dt)
        if self.on_ground and self.fu <= GRAVITY_M_S2:
            self._rest()
            return
        self._fly(dt)
        self._turn(dt, yaw_rate)
        if self.d >= 0.0 and self.vd > 0.0:
            self._touch()

    def _fly(self, dt: float) -> None:
        rn, re = self.vn - self.wind.north, self.ve - self.wind.east
        drag = self._drag.linear_per_s + self._drag.quadratic_per_m * math.sqrt(rn * rn + re * re)
        self.vn += (self.fn - drag * rn) * dt
        self.ve += (self.fe - drag * re) * dt
        self.vd += (GRAVITY_M_S2 - self.fu) * dt
        self.n += self.vn * dt
        self.e += self.ve * dt
        self.d += self.vd * dt
        self.on_ground = False

    def _turn(self, dt: float, yaw_rate: float) -> None:
        """Body z stands against the thrust; roll and pitch follow from it and the yaw."""
        self.yaw = (self.yaw + yaw_rate * dt + math.pi) % (2 * math.pi) - math.pi
        size = math.sqrt(self.fn * self.fn + self.fe * self.fe + self.fu * self.fu)
        if size < 1.0:  # motors off: the airframe keeps its attitude while it falls
            self.rates = (0.0, 0.0, 0.0)
            return
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        zx = -(c * self.fn + s * self.fe) / size
        zy = (s * self.fn - c * self.fe) / size
        roll, pitch = -math.asin(zy), math.atan2(zx, self.fu / size)
        roll_rate, pitch_rate = (roll - self.roll) / dt, (pitch - self.pitch) / dt
        self.roll, self.pitch = roll, pitch
        cr, sr, cp, sp = math.cos(roll), math.sin(roll), math.cos(pitch), math.sin(pitch)
        self.rates = (
            roll_rate - yaw_rate * sp,
            pitch_rate * cr + yaw_rate * cp * sr,
            yaw_rate * cp * cr - pitch_rate * sr,
        )

    def _touch(self) -> None:
        if self.vd > CONTACT_M_S:
            self.hit_m_s = self.vd
        self._rest()

    def _rest(self) -> None:
        self.d = self.vn = self.ve = self.vd = 0.0
        self.roll = self.pitch = 0.0
        self.rates = (0.0, 0.0, 0.0)
        self.on_ground = True

    def place(self, n: float, e: float, d: float, yaw: float) -> None:
        """Puts the vehicle into a hover."""
        self.n, self.e, self.d, self.yaw = n, e, d, yaw
        self.vn = self.ve = self.vd = self.fn = self.fe = 0.0
        self.fu = GRAVITY_M_S2
        self.on_ground = d >= 0.0
