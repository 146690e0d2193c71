"""How good the camera's word on the position was, frame by frame, against the truth that the simulator alone knows.

Of every record of the ``vision`` channel: how far it was from where the vehicle really was at the instant that it is
of, and whether its ellipse held the truth. The ellipse that holds 68 % of a two-dimensional Gaussian is what "inside
1 sigma" means here, and the one that holds 95 % is "2 sigma"; a tenth of a metre an axis at 1 sigma is *not* that.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from runtime.flightlog.flightlog import read_flightlog
from runtime.geodesy import north_east_m
from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import PacketReader
from runtime.values import GeoPoint, TrackingState
from sim.scenario.aircraft import Truth
from sim.scenario.plan import Point

ONE_SIGMA, TWO_SIGMA = (float(chi2.ppf(share, 2)) for share in (0.68, 0.95))  # squared Mahalanobis distances
_ANYWHERE_M2 = 1e12  # variance of a position that nothing is known of
_WRONG_SIGMAS, _WRONG_M = 4.0, 15.0  # an error beyond both, while TRACKING, is confidently wrong

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One estimate by the camera: of the instant ``t_ns``, ``error_ne_m`` from the truth (None without a position)."""

    t_ns: int
    state: str
    place: Point | None
    error_ne_m: Point | None
    covariance_m2: tuple[Point, Point]

    @property
    def tracking(self) -> bool:
        """Whether it was to be steered by."""
        return self.state == TrackingState.TRACKING.value and self.error_ne_m is not None

    @property
    def error_m(self) -> float:
        """Distance from the truth; infinite without a position."""
        return float("inf") if self.error_ne_m is None else float(np.hypot(*self.error_ne_m))

    @property
    def square_sigmas(self) -> float:
        """Squared Mahalanobis distance of the truth."""
        if self.error_ne_m is None:
            return float("inf")
        off = np.array(self.error_ne_m)
        return float(off @ np.linalg.solve(np.array(self.covariance_m2), off))

    @property
    def right(self) -> bool:
        """TRACKING, and not confidently wrong."""
        return self.tracking and not self.confidently_wrong

    @property
    def confidently_wrong(self) -> bool:
        """TRACKING, beyond 4 sigma and beyond 15 m."""
        return self.tracking and self.error_m > _WRONG_M and self.square_sigmas > _WRONG_SIGMAS**2


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares are of 1; None where there was nothing to take a share of. Errors are those of TRACKING frames."""

    frames: int
    position_error_m: dict[str, float | None]
    tracking_share: float | None
    inside_1sigma: float | None
    inside_2sigma: float | None
    confidently_wrong_share: float | None


def accuracy_of(sightings: Sequence[Sighting]) -> Accuracy:
    """The figures of a flight, or of the part of it that is given."""
    tracking = [one for one in sightings if one.tracking]
    errors = [one.error_m for one in tracking]
    squares = np.array([one.square_sigmas for one in tracking])
    wrong = sum(one.confidently_wrong for one in tracking)
    return Accuracy(
        frames=len(sightings),
        position_error_m=spread(errors),
        tracking_share=round(len(tracking) / len(sightings), 4) if sightings else None,
        inside_1sigma=_share(squares <= ONE_SIGMA),
        inside_2sigma=_share(squares <= TWO_SIGMA),
        confidently_wrong_share=round(wrong / len(sightings), 6) if sightings else None,
    )


def spread(errors_m: Sequence[float]) -> dict[str, float | None]:
    """Median, 95th and 99th percentile and the largest, to the millimetre."""
    named = {"median": 50, "p95": 95, "p99": 99, "max": 100}
    if not errors_m:
        return dict.fromkeys(named)
    return {name: round(float(np.percentile(errors_m, at)), 3) for name, at in named.items()}


def _share(held: NDArray[np.bool_]) -> float | None:
    return round(float(held.mean()), 4) if held.size else None


class TrueTrack:
    """Where the vehicle really was at any instant of a flight."""

    def __init__(self, track: Sequence[Truth]) -> None:
        self._t_ns = np.array([step.t_ns for step in track], np.float64)
        self._ground = np.array([step.ground for step in track], np.float64).reshape(-1, 2)

    def at(self, t_ns: int) -> Point:
        """(north, east) from the world's origin, between the steps of 20 ms."""
        north, east = (float(np.interp(t_ns, self._t_ns, self._ground[:, axis])) for axis in (0, 1))
        return north, east


def sightings_of(log: Path, track: TrueTrack, origin: GeoPoint) -> list[Sighting]:
    """Every estimate by the camera in a flight log, in order."""
    return [_sighting(record, track, origin) for _, _, record in read_flightlog(log, ("vision",))]


def _sighting(record: dict[str, Any], track: TrueTrack, origin: GeoPoint) -> Sighting:
    t_ns, said = int(record["believed_t_ns"]), record["position"]
    place = error = None
    if said is not None:
        place = north_east_m(origin, GeoPoint(said["latitude_deg"], said["longitude_deg"]))
        there = track.at(t_ns)
        error = (place[0] - there[0], place[1] - there[1])
    (nn, ne), (en, ee) = record["covariance_m2"]
    covariance = ((nn, ne), (en, ee))
    if nn is None or ee is None:  # infinity, which JSON has not
        covariance = ((_ANYWHERE_M2, 0.0), (0.0, _ANYWHERE_M2))
    return Sighting(t_ns, str(record["state"]), place, error, covariance)


def first_right_s(sightings: Sequence[Sighting], from_ns: int) -> float | None:
    """Seconds from an instant to the first frame after it that is TRACKING and not confidently wrong; None: never."""
    for one in sightings:
        if one.t_ns >= from_ns and one.right:
            return round((one.t_ns - from_ns) * 1e-9, 2)
    return None


@dataclass(frozen=True, slots=True)
class Received:
    """One report of the receiver itself: when it was heard, where it put the vehicle, and whether it had a fix."""

    t_ns: int
    place: Point
    has_fix: bool


def received_of(log: Path, origin: GeoPoint) -> list[Received]:
    """What the receiver said, from the bytes in a flight log; nothing before it had any position."""
    reader, heard = PacketReader(frozenset({mavlink.MAVLINK_MSG_ID_GPS_RAW_INT})), []
    for _, t_ns, record in read_flightlog(log, ("link",)):
        if record["direction"] != "in":
            continue
        for packet in reader.feed(base64.urlsafe_b64decode(record["data"])):
            message = packet.message
            if message is not None and message.get_type() == "GPS_RAW_INT" and (message.lat or message.lon):
                place = north_east_m(origin, GeoPoint(message.lat * 1e-7, message.lon * 1e-7))
                heard.append(Received(t_ns, place, message.fix_type >= 3))
    return heard


def alarms_of(log: Path) -> list[int]:
    """When the daemon began to doubt GPS, in the order of a flight log: at most once a daemon."""
    alarms, doubted = [], False
    for _, t_ns, record in read_flightlog(log, ("navigation",)):
        if record["alarm"] is not None and not doubted:
            alarms.append(int(t_ns))
        doubted = record["alarm"] is not None
    return alarms


@dataclass(frozen=True, slots=True)
class SpoofAlarm:
    """Seconds from the beginning of a forgery to the alarm, and how far off the receiver's last report then was."""

    s: float
    offset_m: float


def spoof_alarm(
    alarms_ns: Sequence[int], received: Sequence[Received], track: TrueTrack, begun_ns: int
) -> SpoofAlarm | None:
    """The first alarm after a forgery began; None where none was raised."""
    raised_ns = next((t_ns for t_ns in alarms_ns if t_ns >= begun_ns), None)
    if raised_ns is None:
        return None
    report = next((one for one in reversed(received) if one.t_ns <= raised_ns), None)
    there = track.at(raised_ns if report is None else report.t_ns)
    offset = float("nan") if report is None else float(np.hypot(report.place[0] - there[0], report.place[1] - there[1]))
    return SpoofAlarm(round((raised_ns - begun_ns) * 1e-9, 2), round(offset, 2))
