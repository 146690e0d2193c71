"""What an autopilot is made with, and the truth that only the simulator may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.values import GeoPoint, Quaternion

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Drag:
    """Deceleration per unit of airspeed: ``linear_per_s + quadratic_per_m * airspeed``."""

    linear_per_s: float
    quadratic_per_m: float


TYPICAL_DRAG = Drag(0.12, 0.009)  # 12 degrees of tilt at 10 m/s, as camera drones of 2-5 kg fly
# ArduCopter's own simulator, fitted to the recordings: level coasting 8.77 -> 5.37 -> 3.42 m/s in 2.1 s, and
# 29 degrees of tilt at 10 m/s.
SITL_DRAG = Drag(0.32, 0.022)


@dataclass(frozen=True, slots=True)
class AutopilotConfig:
    """One vehicle. Errors with a sign or a direction take it from ``seed``; their size is what is written here.

    ``home`` with ``home_altitude_amsl_m`` is the launch point and the origin of `VehicleTruth`'s NED frame.
    ``clock_offset_ns`` is how long the autopilot had been on at ``t_ns`` = 0, so that its clock is never ours.
    ``ready_at_boot`` skips the 41 s until the EKF uses GPS. ``parameters`` override defaults by name.
    """

    home: GeoPoint
    home_altitude_amsl_m: float = 488.1
    home_heading_deg: float = 0.0
    seed: int = 0
    wind_ned_m_s: Vector = (0.0, 0.0, 0.0)
    gust_m_s: float = 0.0  # 1-sigma of a first-order Gauss-Markov gust per horizontal axis
    gps_noise_m: float = 1.0  # 1-sigma per horizontal axis of the slowly varying GPS error
    gps_noise_time_s: float = 60.0  # its correlation time
    attitude_bias_deg: float = 1.0
    heading_bias_deg: float = 3.0
    height_error: float = 0.03  # share of the height
    accel_bias_m_s2: float = 0.03  # what an unaided EKF drifts with; recorded: 0.9 m after 9 s
    drag: Drag = TYPICAL_DRAG
    battery_capacity_mah: float = 10000.0  # 21 min of hover; ArduCopter's simulator has 3300
    throttle_pwm: int = 1500  # the pilot's stick; ArduCopter's simulator starts at 1000, and arms only there: not ours
    ready_at_boot: bool = False
    clock_offset_ns: int = 0
    step_ns: int = 10_000_000
    system_id: int = 1
    component_id: int = 1
    unix_time_s: float = 1_760_000_000.0  # what SYSTEM_TIME says at boot
    parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VehicleTruth:
    """What really is: for the simulator's camera and referee, never for the daemon.

    ``position_ned_m`` in the tangent plane of ``AutopilotConfig.home``; body is FRD.
    """

    t_ns: int
    position_ned_m: Vector
    velocity_ned_m_s: Vector
    ned_from_body: Quaternion
    body_rates_rad_s: Vector
