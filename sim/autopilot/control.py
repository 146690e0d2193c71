"""From a demanded place or velocity to thrust: the shape of ArduCopter's position control.

A kinematic reference obeys speed, acceleration and jerk limits; the vehicle follows it with a P loop on position
and a PI loop on velocity. The gains are ArduCopter's defaults, the braking accelerations are fitted to the
recordings (150 m in 19 s, 40 m of climb in 21 s).
"""

from __future__ import annotations

import math

from sim.autopilot.physics import GRAVITY_M_S2

ACCEL_M_S2 = 2.5  # WPNAV_ACCEL
JERK_M_S3 = 5.0  # PSC_JERK_XY
BRAKE_M_S2 = 1.5  # recorded: v^2 / 2d between 1.5 and 1.9 over the last 25 m
POSITION_P = 1.0  # PSC_POSXY_P
VELOCITY_P, VELOCITY_I = 2.0, 1.0  # PSC_VELXY_P, _I
LEASH_M = 2.0  # the reference never runs further ahead of the vehicle
TILT_LIMIT = math.tan(math.radians(30.0)) * GRAVITY_M_S2  # ANGLE_MAX
CLIMB_ACCEL_M_S2 = 1.0  # WPNAV_ACCEL_Z
CLIMB_BRAKE_M_S2 = 0.55  # recorded: v^2 / 2d over the last 5 m of the climb
CLIMB_JERK_M_S3 = 5.0  # PSC_JERK_Z
YAW_P = 2.5
YAW_RATE_RAD_S = math.radians(60.0)  # ATC_SLEW_YAW
YAW_ACCEL_RAD_S2 = math.radians(150.0)


def approach_speed(distance: float, brake: float, p: float) -> float:
    """Speed from which the distance is just enough to stop: square root far away, proportional near."""
    linear = brake / (p * p)
    if distance <= linear:
        return p * distance
    return math.sqrt(2.0 * brake * (distance - linear / 2.0))


def wrap(angle: float) -> float:
    """The angle in [-pi, pi)."""
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


class Horizontal:
    """North and east: a reference and the loops that follow it."""

    __slots__ = ("ae", "an", "ie", "in_", "pe", "pn", "ve", "vn")

    def __init__(self) -> None:
        self.in_ = self.ie = 0.0
        self.reset(0.0, 0.0, 0.0, 0.0)

    def reset(self, n: float, e: float, vn: float, ve: float) -> None:
        """Starts the reference from where the vehicle is; the learnt drag is kept."""
        self.pn, self.pe, self.vn, self.ve = n, e, vn, ve
        self.an = self.ae = 0.0

    def shift(self, dn: float, de: float) -> None:
        """Moves the reference with the estimate when the EKF resets its position."""
        self.pn += dn
        self.pe += de

    def toward(self, n: float, e: float, speed: float, brake: float = BRAKE_M_S2) -> tuple[float, float]:
        """Velocity that brings the reference to a place and stops there."""
        dn, de = n - self.pn, e - self.pe
        distance = math.sqrt(dn * dn + de * de)
        if distance < 1e-6:
            return 0.0, 0.0
        scale = min(speed, approach_speed(distance, brake, POSITION_P)) / distance
        return dn * scale, de * scale

    def _shape(self, dt: float, vn: float, ve: float, accel: float, start_jerk: float) -> None:
        an, ae = (vn - self.vn) * 2.0, (ve - self.ve) * 2.0
        size = math.sqrt(an * an + ae * ae)
        if size > accel:
            an, ae = an * accel / size, ae * accel / size
        jn, je = an - self.an, ae - self.ae
        # The gentler limit is for picking up speed only; braking and levelling out are never delayed.
        wants = an * self.vn + ae * self.ve
        starting = wants >= 0.0 and self.an * self.vn + self.ae * self.ve >= 0.0 and jn * an + je * ae > 0.0
        size, limit = math.sqrt(jn * jn + je * je), (start_jerk if starting else JERK_M_S3) * dt
        if size > limit:
            jn, je = jn * limit / size, je * limit / size
        self.an += jn
        self.ae += je
        self.vn += self.an * dt
        self.ve += self.ae * dt
        self.pn += self.vn * dt
        self.pe += self.ve * dt

    def step(
        self, dt: float, target: tuple[float, float], n: float, e: float, vn: float, ve: float,
        accel: float = ACCEL_M_S2, start_jerk: float = JERK_M_S3,
    ) -> tuple[float, float]:  # fmt: skip
        """Specific thrust (north, east) in m/s^2 that follows the target velocity (m/s)."""
        self._shape(dt, target[0], target[1], accel, start_jerk)
        dn, de = self.pn - n, self.pe - e
        ahead = math.sqrt(dn * dn + de * de)
        if ahead > LEASH_M:
            dn, de = dn * LEASH_M / ahead, de * LEASH_M / ahead
            self.pn, self.pe = n + dn, e + de
        error_n = self.vn + POSITION_P * dn - vn
        error_e = self.ve + POSITION_P * de - ve
        fn = self.an + VELOCITY_P * error_n + self.in_
        fe = self.ae + VELOCITY_P * error_e + self.ie
        size = math.sqrt(fn * fn + fe * fe)
        if size > TILT_LIMIT:  # saturated: the integrators wait
            return fn * TILT_LIMIT / size, fe * TILT_LIMIT / size
        self.in_ += VELOCITY_I * error_n * dt
        self.ie += VELOCITY_I * error_e * dt
        return fn, fe


class Vertical:
    """Height above the launch point, up positive."""

    __slots__ = ("a", "v", "z")

    def __init__(self) -> None:
        self.reset(0.0, 0.0)

    def reset(self, z: float, v: float) -> None:
        """Starts the reference from where the vehicle is."""
        self.z, self.v, self.a = z, v, 0.0

    def toward(self, z: float, up: float, down: float) -> float:
        """Climb rate that brings the reference to a height and stops there."""
        error = z - self.z
        speed = approach_speed(abs(error), CLIMB_BRAKE_M_S2, 1.0)
        return min(speed, up) if error > 0 else -min(speed, down)

    def step(self, dt: float, climb: float, z: float, v: float) -> float:
        """Specific thrust (up, m/s^2) that follows the climb rate (m/s)."""
        a = max(-CLIMB_ACCEL_M_S2, min(CLIMB_ACCEL_M_S2, (climb - self.v) * 3.0))
        limit = CLIMB_JERK_M_S3 * dt
        self.a += max(-limit, min(limit, a - self.a))
        self.v += self.a * dt
        self.z += self.v * dt
        self.z = max(z - LEASH_M, min(z + LEASH_M, self.z))
        accel = self.a + 4.0 * (self.v + (self.z - z) - v)
        return GRAVITY_M_S2 + max(-5.0, min(5.0, accel))


class Heading:
    """Turns the nose to a demanded yaw, or at a demanded rate, within ArduCopter's slew limits."""

    __slots__ = ("rate",)

    def __init__(self) -> None:
        self.rate = 0.0

    def step(self, dt: float, yaw: float, target: float | None, rate: float) -> float:
        """Yaw rate in rad/s towards ``target`` (rad), or ``rate`` where there is no target."""
        wanted = rate if target is None else YAW_P * wrap(target - yaw)
        wanted = max(-YAW_RATE_RAD_S, min(YAW_RATE_RAD_S, wanted))
        limit = YAW_ACCEL_RAD_S2 * dt
        self.rate += max(-limit, min(limit, wanted - self.rate))
        return self.rate
