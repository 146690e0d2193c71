"""The pilot of a real autopilot knows the truth he is told, and speaks as its firmware wants."""

from __future__ import annotations

import math

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import offset
from runtime.values import GeoPoint
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.pilot import Pilot, version_in_words

HOME = GeoPoint(-35.3632621, 149.1652374)


def test_what_the_autopilot_believes_is_held_against_the_truth() -> None:
    pilot, vehicle = Pilot(ArduCopter()), mavlink.MAVLink(None, srcSystem=1, srcComponent=1)

    def believes(place: GeoPoint) -> bytes:
        degrees = round(place.latitude_deg * 1e7), round(place.longitude_deg * 1e7)
        said = mavlink.MAVLink_global_position_int_message(0, *degrees, 624_000, 40_000, 0, 0, 0, 0)
        return bytes(said.pack(vehicle))

    pilot.receive(believes(HOME))
    assert pilot.beliefs == [], "nothing says yet where it really is"
    degrees = HOME.latitude_deg, HOME.longitude_deg
    numbers = [1.0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0, 0, 0, *degrees, 584.0, 0, 0, 0.0, 0, 0]
    state = mavlink.MAVLink_sim_state_message(*numbers, *(round(degree * 1e7) for degree in degrees))
    pilot.receive(bytes(state.pack(vehicle)) + believes(offset(HOME, 3.0, -4.0)))
    (belief,) = pilot.beliefs
    assert (belief.north_m, belief.east_m) == pytest.approx((3.0, -4.0), abs=0.02)
    assert belief.error_m == pytest.approx(5.0, abs=0.02)


def test_the_truth_is_carried_on_from_what_the_simulator_said() -> None:
    pilot, vehicle = Pilot(ArduCopter()), mavlink.MAVLink(None, srcSystem=1, srcComponent=1)

    def state(place: GeoPoint, amsl_m: float, north_m_s: float) -> bytes:
        degrees = place.latitude_deg, place.longitude_deg
        numbers = [1.0, 0, 0, 0, 0, 0, math.pi / 2, 0, 0, 0, 0, 0, 0, *degrees, amsl_m, 0, 0, north_m_s, 0, 0]
        message = mavlink.MAVLink_sim_state_message(*numbers, *(round(degree * 1e7) for degree in degrees))
        return bytes(message.pack(vehicle))

    pilot.receive(state(HOME, 584.0, 0.0))
    pilot.receive(state(offset(HOME, 30.0, 40.0), 684.0, 8.0))
    first, second = pilot.truth, pilot.truth
    assert first.position_ned_m[1:] == pytest.approx((40.0, -100.0), abs=0.02)
    assert first.ned_from_body == pytest.approx((math.sqrt(0.5), 0, 0, math.sqrt(0.5)))
    dt_s = (second.t_ns - first.t_ns) * 1e-9
    assert dt_s > 0
    assert first.position_ned_m[0] >= 29.98  # the message rounds to a centimetre
    assert second.position_ned_m[0] - first.position_ned_m[0] == pytest.approx(8.0 * dt_s)


def test_a_version_is_told_as_people_write_it() -> None:
    assert version_in_words(4 << 24 | 7 << 16 | 0 << 8 | 0, b"2598e9d4") == "4.7.0-dev (2598e9d4)"
    assert version_in_words(1 << 24 | 18 << 16 | 2 << 8 | 255, bytes.fromhex("4433221100f4ca9b")) == "1.18.2 (9bcaf400)"
