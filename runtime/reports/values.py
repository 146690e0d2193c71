"""One report of a vehicle as a typed value, whatever the message was that brought it: MAVLink's, uORB's or dataflash's.

Every number in them is finite and in range; what was not is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.rotations import ned_from_euler
from runtime.values import GeoPoint, Quaternion, Velocity

_FIXES = range(3, 9)  # of GPS_FIX_TYPE: 3D and better; numbers beyond are no fix that is known
FALLBACK_SIGMA_M = 2.5  # of a 3D fix that reports no accuracy
_LEAST_SIGMA_M = 0.01  # of a fixed RTK solution: what claims to be better is rounded, or wrong
_ALTITUDES_M = (-1000.0, 20_000.0)  # above mean sea level: from below the Dead Sea's shore to above Everest
_HEIGHTS_M = (-2000.0, 20_000.0)  # above take-off: from a mountain into its valley
_FASTEST_M_S = 500.0  # no drone flies faster than sound
_DATES_S = (1_262_304_000, 4_102_444_800)  # 2010 to 2100: before, a receiver's weeks rolled over; beyond, nonsense
_GPS_EPOCH_S, _WEEK_S = 315_964_800, 604_800  # 1980-01-06 (IS-GPS-200, section 20.3.3.3)
_LEAP_SECONDS = ((1_483_228_800, 18), (1_435_708_800, 17), (1_341_100_800, 16), (0, 15))  # since when (IERS bulletin C)
_UNIT = 0.1  # what a quaternion's length may differ from one: rounding does a millionth


@dataclass(frozen=True, slots=True)
class Fused:
    """The estimator's position; ``point`` None while it has none. ``doubt`` says in words why it is not to be believed
    by the estimator's own word, "" where it does not say so. Velocity north, east, down."""

    point: GeoPoint | None
    altitude_amsl_m: float | None = None
    height_takeoff_m: float | None = None
    velocity_ned_m_s: Velocity | None = None
    sigma_m: float | None = None
    altitude_sigma_m: float | None = None
    height_agl_m: float | None = None
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A satellite receiver's own answer; ``fix_type`` as MAVLink's GPS_FIX_TYPE, accuracies None where not reported;
    ``instance`` counts from 0."""

    fix_type: int
    satellites: int
    point: GeoPoint | None = None
    altitude_amsl_m: float | None = None
    horizontal_sigma_m: float | None = None
    vertical_sigma_m: float | None = None
    instance: int = 0
    height_takeoff_m: float | None = None
    doubt: str = ""

    @property
    def fixed(self) -> bool:
        """Whether it has a 3D fix, or better."""
        return self.fix_type in _FIXES

    @property
    def sigma_m(self) -> float:
        """How well it knows the position: as it reports; infinite without a 3D fix."""
        if not self.fixed:
            return math.inf
        return FALLBACK_SIGMA_M if self.horizontal_sigma_m is None else self.horizontal_sigma_m


@dataclass(frozen=True, slots=True)
class Estimator:
    """The estimator's word on itself, judged by its own dialect's rules; ratios above 1: the estimator rejects."""

    flags: int
    ok: bool
    gps_glitch: bool
    position_ratio: float = 0.0
    velocity_ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class Attitude:
    """``ned_from_body`` (w, x, y, z) and the body's rates."""

    ned_from_body: Quaternion
    rates_rad_s: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Ground:
    """A range finder's distance straight down."""

    range_m: float


def geo_point(latitude_deg: float, longitude_deg: float) -> GeoPoint | None:
    """A place on this planet, or None: 0, 0 is what an estimator without an origin reports, not a place off Ghana."""
    if not (abs(latitude_deg) <= 90.0 and abs(longitude_deg) <= 180.0):  # False for NaN
        return None
    return GeoPoint(latitude_deg, longitude_deg) if latitude_deg or longitude_deg else None


def sigma_m(reported_m: float) -> float | None:
    """A reported accuracy, at best a centimetre; None where it is none: zero, negative or not finite."""
    return max(reported_m, _LEAST_SIGMA_M) if 0.0 < reported_m < math.inf else None


def utc_s(seconds: float) -> float | None:
    """Seconds since 1970 at which something can have flown, or None."""
    return seconds if _DATES_S[0] <= seconds < _DATES_S[1] else None


def utc_of_week_s(week: float, seconds: float) -> float | None:
    """UTC, in seconds since 1970, of a GPS week and the seconds in it, or None."""
    if not (0.0 <= seconds < _WEEK_S and math.isfinite(week)):
        return None
    gps_s = _GPS_EPOCH_S + week * _WEEK_S + seconds
    return utc_s(gps_s - next((leap for since_s, leap in _LEAP_SECONDS if gps_s - leap >= since_s), 0))


def altitude_m(amsl_m: float) -> float | None:
    """A height above mean sea level at which something can fly, or None."""
    return amsl_m if _ALTITUDES_M[0] <= amsl_m <= _ALTITUDES_M[1] else None


def height_m(above_takeoff_m: float) -> float | None:
    """A height above the take-off point at which something can fly, or None."""
    return above_takeoff_m if _HEIGHTS_M[0] <= above_takeoff_m <= _HEIGHTS_M[1] else None


def velocity_m_s(north: float, east: float, down: float) -> Velocity | None:
    """A velocity that something can have, or None."""
    velocity = (north, east, down)
    return velocity if all(abs(component) <= _FASTEST_M_S for component in velocity) else None


def ground(range_m: float, least_m: float, most_m: float) -> Ground | None:
    """A range within what the sensor can measure, or None."""
    return Ground(range_m) if 0.0 <= least_m < range_m < most_m < math.inf else None


def attitude(
    angles_rad: tuple[float, float, float], rates_rad_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Attitude | None:
    """Of roll, pitch and yaw (aerospace order), None where one is not finite."""
    if not all(map(math.isfinite, angles_rad + rates_rad_s)):
        return None
    return Attitude(ned_from_euler(*angles_rad), rates_rad_s)


def attitude_of_quaternion(wxyz: Sequence[float]) -> Attitude | None:
    """Of a unit quaternion (w, x, y, z), None where it is none: not finite, zero, or of another length."""
    length = math.sqrt(sum(part * part for part in wxyz))
    if not abs(length - 1.0) <= _UNIT:  # True for NaN
        return None
    w, x, y, z = (part / length for part in wxyz)
    return Attitude((w, x, y, z))
