"""How soon a forged receiver was noticed, on a flight log that is made up here."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.debrief.flown import Flown
from runtime.debrief.truth import alarms_ns
from runtime.flightlog.beliefs import AlarmRecord, NavigationRecord
from runtime.flightlog.inputs import LinkRecord
from runtime.flightlog.record import Record
from runtime.geodesy import distance_m, offset
from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint
from sim.scenario.aircraft import Truth
from sim.scenario.spoof_alarm import spoof_alarm, true_track
from tests.runtime.debrief.test_sightings import ORIGIN, SECOND, SPEED_M_S, log_of

TRUTH = true_track([Truth(step * 20_000_000, (SPEED_M_S * step * 0.02, -5.0), 100.0) for step in range(1_500)], ORIGIN)


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
        dragged = max(0.0, 2.0 * (t_ns - begun) * 1e-9)
        data = gps_raw(offset(ORIGIN, SPEED_M_S * t_ns * 1e-9, -5.0 + dragged))
        records += [(t_ns, LinkRecord("vehicle", "in", data[:7])), (t_ns, LinkRecord("vehicle", "in", data[7:]))]
        records.append((t_ns, LinkRecord("vehicle", "out", gps_raw(offset(ORIGIN, 900.0, 900.0)))))
        alarm = AlarmRecord(t_ns, 12.0, 6.0, "off") if t_ns >= begun + 6 * SECOND else None
        if step % 10 == 0:
            records.append((t_ns, NavigationRecord("autopilot", "believed" if alarm is None else "doubted", alarm)))
    flown = Flown.open(log_of(tmp_path, *records))
    received, alarms = flown.wire.received, alarms_ns(flown.records["navigation"])
    assert len(received) == 75 and all(one.has_fix for one in received)
    assert alarms == [16 * SECOND]
    alarm = spoof_alarm(alarms, received, TRUTH, begun)
    assert alarm is not None
    assert (alarm.s, alarm.offset_m) == (6.0, pytest.approx(12.0, abs=0.05))
    assert spoof_alarm(alarms, received, TRUTH, 17 * SECOND) is None


def test_a_receiver_without_a_position_says_nothing(tmp_path: Path) -> None:
    nowhere = mavlink.MAVLink_gps_raw_int_message(0, 0, 0, 0, 0, 65535, 65535, 0, 0, 0)
    lost = gps_raw(ORIGIN, fix=1)
    data = bytes(nowhere.pack(mavlink.MAVLink(None, 1, 1))) + lost
    log = log_of(tmp_path, (SECOND, LinkRecord("vehicle", "in", data)), (SECOND, NavigationRecord("x", "lost", None)))
    (one,) = Flown.open(log).wire.received
    assert not one.has_fix and distance_m(one.place, ORIGIN) < 0.02
