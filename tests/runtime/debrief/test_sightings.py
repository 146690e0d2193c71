"""What is measured of the camera's word, on flight logs whose truth is made up here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from runtime.debrief.flown import Flown
from runtime.debrief.sightings import Sighting, accuracy_of, first_right_s, sightings_of
from runtime.debrief.truth import Truth
from runtime.flightlog.beliefs import VisionRecord
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.record import Record
from runtime.geodesy import offset
from runtime.values import GeoPoint

ORIGIN = GeoPoint(60.4, 22.4)
SECOND = 1_000_000_000
SPEED_M_S = 8.0
STAMPS_NS = [step * 500_000_000 for step in range(20)]
TRUTH = Truth("simulator", STAMPS_NS, [offset(ORIGIN, SPEED_M_S * t_ns * 1e-9, -5.0) for t_ns in STAMPS_NS])


@dataclass
class At:
    """A clock that stands where a record is written."""

    t_ns: int = 0

    def now_ns(self) -> int:
        return self.t_ns


def log_of(folder: Path, *records: tuple[int, Record]) -> Path:
    clock = At()
    log = FlightLog.open(folder, clock, unix_ns=1_760_000_000 * SECOND, name="flight")
    for clock.t_ns, record in records:
        log.write(clock.t_ns, record)
    log.close()
    return log.mcap_path


def vision(t_ns: int, off_m: tuple[float, float] | None, sigma_m: float = 2.0, state: str = "tracking") -> VisionRecord:
    """The camera's word of ``t_ns``: off the truth by so much."""
    north, east = SPEED_M_S * t_ns * 1e-9, -5.0
    place = None if off_m is None else offset(ORIGIN, north + off_m[0], east + off_m[1])
    variance = sigma_m**2
    return VisionRecord(
        state=state, position=place, covariance_m2=((variance, 0.0), (0.0, variance)), sigma_m=sigma_m,
        velocity_ned_m_s=None, heading_rad=None, trusted=state == "tracking", source="vision", reason="",
        measured_t_ns=t_ns, believed_t_ns=t_ns,
    )  # fmt: skip


def sighting(off_m: tuple[float, float], covariance: tuple[tuple[float, float], tuple[float, float]], t_ns: int = 0,
             state: str = "tracking") -> Sighting:  # fmt: skip
    return Sighting(t_ns, state, ORIGIN, off_m, covariance)


def test_an_estimate_is_held_against_the_truth_of_its_own_instant(tmp_path: Path) -> None:
    seen = 3 * SECOND + 7_000_000  # between two steps; written 100 ms later, when the vehicle is 0.8 m on
    log = log_of(tmp_path, (seen + 100_000_000, vision(seen, (3.0, -4.0))))
    (one,) = sightings_of(Flown.open(log).records["vision"], TRUTH)
    assert one.error_ne_m == pytest.approx((3.0, -4.0), abs=1e-3)
    assert one.error_m == pytest.approx(5.0, abs=1e-3)
    assert one.square_sigmas == pytest.approx(25.0 / 4.0, abs=1e-2)


def test_a_gaussian_of_the_stated_covariance_is_inside_68_and_95_times_in_100() -> None:
    covariance = ((9.0, 3.0), (3.0, 4.0))
    shape = np.linalg.cholesky(np.array(covariance))
    sightings = []
    for index in range(100):
        radius, angle = math.sqrt(-2.0 * math.log(1.0 - (index + 0.5) / 100)), 2.4 * index  # chi-squared of two
        off = shape @ (radius * np.array([math.cos(angle), math.sin(angle)]))
        sightings.append(sighting((float(off[0]), float(off[1])), covariance))
    accuracy = accuracy_of(sightings)
    assert (accuracy.inside_1sigma, accuracy.inside_2sigma) == (0.68, 0.95)
    doubled = accuracy_of(
        [sighting((2 * n, 2 * e), covariance) for n, e in (one.error_ne_m or (0, 0) for one in sightings)]
    )
    assert doubled.inside_1sigma is not None and doubled.inside_1sigma < 0.3


def test_only_tracking_counts_for_errors_and_every_frame_for_shares(tmp_path: Path) -> None:
    searching, lost = vision(SECOND, (80.0, 0.0), 50.0, "searching"), vision(0, None, 1e6, "lost")
    frames = [lost, searching, vision(2 * SECOND, (1.0, 0.0)), vision(3 * SECOND, (3.0, 0.0))]
    log = log_of(tmp_path, *((frame.believed_t_ns, frame) for frame in frames))
    sightings = sightings_of(Flown.open(log).records["vision"], TRUTH)
    accuracy = accuracy_of(sightings)
    assert accuracy.frames == 4
    assert accuracy.tracking_share == 0.5
    assert accuracy.position_error_m["median"] == pytest.approx(2.0, abs=1e-2)
    assert accuracy.position_error_m["max"] == pytest.approx(3.0, abs=1e-2)
    assert first_right_s(sightings, 0) == 2.0
    assert first_right_s(sightings, 2 * SECOND + 1) == 1.0
    assert first_right_s(sightings, 4 * SECOND) is None


def test_an_infinite_covariance_is_read_back(tmp_path: Path) -> None:
    log = log_of(tmp_path, (0, vision(0, (1.0, 1.0), math.inf, "searching")))
    (one,) = sightings_of(Flown.open(log).records["vision"], TRUTH)
    assert one.square_sigmas < 1e-6 and not one.tracking


def test_nothing_seen_has_no_figures() -> None:
    accuracy = accuracy_of([])
    assert (accuracy.frames, accuracy.tracking_share, accuracy.inside_1sigma) == (0, None, None)
    assert set(accuracy.position_error_m.values()) == {None}


@pytest.mark.parametrize(
    "off_m, sigma_m, state, wrong",
    [
        (40.0, 5.0, "tracking", True),
        (40.0, 11.0, "tracking", False),  # far, and known to be
        (12.0, 1.0, "tracking", False),  # beyond 4 sigma, and near enough
        (40.0, 5.0, "searching", False),  # nobody steers by it
    ],
)
def test_what_is_confidently_wrong(off_m: float, sigma_m: float, state: str, wrong: bool) -> None:
    one = sighting((0.0, off_m), ((sigma_m**2, 0.0), (0.0, sigma_m**2)), state=state)
    assert one.confidently_wrong is wrong
    assert accuracy_of([one, one]).confidently_wrong_share == float(wrong)
    assert one.right is (state == "tracking" and not wrong)
