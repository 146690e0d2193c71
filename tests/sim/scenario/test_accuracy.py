"""What a scenario measures of the camera's word, on flight logs whose truth is made up here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from runtime.flightlog.beliefs import AlarmRecord, NavigationRecord, VisionRecord
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.inputs import LinkRecord
from runtime.flightlog.record import Record
from runtime.geodesy import offset
from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint
from sim.scenario.accuracy import (
    Sighting,
    TrueTrack,
    accuracy_of,
    alarms_of,
    first_right_s,
    received_of,
    sightings_of,
    spoof_alarm,
)
from sim.scenario.aircraft import Truth

ORIGIN = GeoPoint(60.4, 22.4)
SECOND = 1_000_000_000
SPEED_M_S = 8.0
TRACK = TrueTrack([Truth(step * 20_000_000, (SPEED_M_S * step * 0.02, -5.0), 100.0) for step in range(5_000)])


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
    north, east = TRACK.at(t_ns)
    place = None if off_m is None else offset(ORIGIN, north + off_m[0], east + off_m[1])
    variance = sigma_m**2
    return VisionRecord(
        state=state, position=place, covariance_m2=((variance, 0.0), (0.0, variance)), sigma_m=sigma_m,
        velocity_ned_m_s=None, heading_rad=None, trusted=state == "tracking", source="vision", reason="",
        measured_t_ns=t_ns, believed_t_ns=t_ns,
    )  # fmt: skip


def sighting(off_m: tuple[float, float], covariance: tuple[tuple[float, float], tuple[float, float]], t_ns: int = 0,
             state: str = "tracking") -> Sighting:  # fmt: skip
    return Sighting(t_ns, state, (0.0, 0.0), off_m, covariance)


def test_an_estimate_is_held_against_the_truth_of_its_own_instant(tmp_path: Path) -> None:
    seen = 3 * SECOND + 7_000_000  # between two steps; written 100 ms later, when the vehicle is 0.8 m on
    log = log_of(tmp_path, (seen + 100_000_000, vision(seen, (3.0, -4.0))))
    (one,) = sightings_of(log, TRACK, ORIGIN)
    assert one.error_ne_m == pytest.approx((3.0, -4.0), abs=1e-3)
    assert one.error_m == pytest.approx(5.0, abs=1e-3)
    assert one.square_sigmas == pytest.approx(25.0 / 4.0, abs=1e-2)


def test_a_gaussian_of_the_stated_covariance_is_inside_68_and_95_times_in_100() -> None:
    covariance = ((9.0, 3.0), (3.0, 4.0))
    shape = np.linalg.cholesky(np.array(covariance))
    sightings = []
    for index in range(100):
        radius, angle = math.sqrt(chi2.ppf((index + 0.5) / 100, 2)), 2.4 * index
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
    sightings = sightings_of(log, TRACK, ORIGIN)
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
    (one,) = sightings_of(log, TRACK, ORIGIN)
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


def gps_raw(place: GeoPoint, fix: int = 6) -> bytes:
    message = mavlink.MAVLink_gps_raw_int_message(
        0, fix, round(place.latitude_deg * 1e7), round(place.longitude_deg * 1e7), 0, 121, 200, 0, 0, 10
    )
    return bytes(message.pack(mavlink.MAVLink(None, 1, 1)))


def test_the_alarm_is_told_in_seconds_and_in_metres_of_true_offset(tmp_path: Path) -> None:
    begun = 10 * SECOND
    records: list[tuple[int, Record]] = []
    for step in range(75):
        t_ns = 8 * SECOND + step * 200_000_000
        north, east = TRACK.at(t_ns)
        dragged = max(0.0, 2.0 * (t_ns - begun) * 1e-9)
        data = gps_raw(offset(ORIGIN, north, east + dragged))
        records += [(t_ns, LinkRecord("vehicle", "in", data[:7])), (t_ns, LinkRecord("vehicle", "in", data[7:]))]
        records.append((t_ns, LinkRecord("vehicle", "out", gps_raw(offset(ORIGIN, 900.0, 900.0)))))
        alarm = AlarmRecord(t_ns, 12.0, 6.0, "off") if t_ns >= begun + 6 * SECOND else None
        if step % 10 == 0:
            records.append((t_ns, NavigationRecord("autopilot", "believed" if alarm is None else "doubted", alarm)))
    log = log_of(tmp_path, *records)
    received, alarms = received_of(log, ORIGIN), alarms_of(log)
    assert len(received) == 75 and all(one.has_fix for one in received)
    assert alarms == [16 * SECOND]
    alarm = spoof_alarm(alarms, received, TRACK, begun)
    assert alarm is not None
    assert (alarm.s, alarm.offset_m) == (6.0, pytest.approx(12.0, abs=0.05))
    assert spoof_alarm(alarms, received, TRACK, 17 * SECOND) is None


def test_a_receiver_without_a_position_says_nothing(tmp_path: Path) -> None:
    nowhere = mavlink.MAVLink_gps_raw_int_message(0, 0, 0, 0, 0, 65535, 65535, 0, 0, 0)
    lost = gps_raw(ORIGIN, fix=1)
    data = bytes(nowhere.pack(mavlink.MAVLink(None, 1, 1))) + lost
    (one,) = received_of(log_of(tmp_path, (SECOND, LinkRecord("vehicle", "in", data))), ORIGIN)
    assert not one.has_fix and one.place == pytest.approx((0.0, 0.0), abs=0.01)
