"""A receiver that is played for PX4: HIL_GPS as PX4 takes it, off the truth as far as somebody forges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.errors import UsageError
from runtime.geodesy import north_east_m
from runtime.values import GeoPoint
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.firmware import Reception, Stand, TrueState
from sim.sitl.pilot import Pilot
from sim.sitl.px4 import Px4
from sim.sitl.receiver import PlayedReceiver
from sim.sitl.setting_up import set_up

HOME, AMSL_M = GeoPoint(47.3977420, 8.5455940), 489.4
STATE = TrueState(HOME, AMSL_M, (8.0, -6.0, -1.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
PERIOD_NS = 100_000_000


def said(data: bytes) -> Any:
    """The one message, from the vehicle's own system: PX4 takes HIL_GPS from no other."""
    (message,) = mavlink.MAVLink(None).parse_buffer(data)
    assert (message.get_srcSystem(), message.get_srcComponent()) == (1, mavlink.MAV_COMP_ID_GPS)
    return message


def place_of(message: Any) -> GeoPoint:
    return GeoPoint(message.lat * 1e-7, message.lon * 1e-7)


def test_it_says_ten_times_a_second_where_the_vehicle_has_got_to() -> None:
    receiver = PlayedReceiver(Px4())
    assert receiver.outgoing(0) == b"", "nobody knows yet where it is"
    receiver.learn(STATE, 0)
    first = said(receiver.outgoing(PERIOD_NS // 2))
    assert receiver.outgoing(PERIOD_NS) == b""
    second = said(receiver.outgoing(PERIOD_NS + PERIOD_NS // 2))
    assert (first.fix_type, first.satellites_visible, first.alt) == (3, 10, round((AMSL_M + 0.05) * 1e3))
    assert (first.vel, first.vn, first.ve, first.vd, first.cog) == (1000, 800, -600, -100, 32313)
    assert north_east_m(HOME, place_of(first)) == pytest.approx((0.4, -0.3), abs=0.02)
    assert north_east_m(HOME, place_of(second)) == pytest.approx((1.2, -0.9), abs=0.02)


def test_a_forgery_is_told_with_its_velocity() -> None:
    fix = Px4().fix(STATE, Reception(offset_ne_m=(30.0, -40.0), rate_ne_m_s=(-8.0, 11.0)))
    assert north_east_m(HOME, place_of(fix)) == pytest.approx((30.0, -40.0), abs=0.02)
    assert (fix.vel, fix.vn, fix.ve) == (500, 0, 500)


def test_silence_has_no_fix() -> None:
    fix = Px4().fix(STATE, Reception(heard=False))
    assert (fix.fix_type, fix.satellites_visible) == (0, 0)


def test_the_pilot_plays_it_where_the_simulator_has_none_of_its_own() -> None:
    def gps_of(pilot: Pilot, t_ns: int) -> list[Any]:
        sent = mavlink.MAVLink(None).parse_buffer(pilot.outgoing(t_ns)) or []
        return [one for one in sent if one.get_type() == "HIL_GPS"]

    degrees = round(HOME.latitude_deg * 1e7), round(HOME.longitude_deg * 1e7)
    truth = mavlink.MAVLink_hil_state_quaternion_message(
        0, [1.0, 0.0, 0.0, 0.0], 0, 0, 0, *degrees, round(AMSL_M * 1e3), 0, 0, 0, 0, 0, 0, 0, 0
    )
    numbers = [1.0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0, 0, 0, HOME.latitude_deg, HOME.longitude_deg, AMSL_M, 0, 0, 0, 0, 0]
    told = {Px4: truth, ArduCopter: mavlink.MAVLink_sim_state_message(*numbers, *degrees)}
    for firmware, message in told.items():
        pilot = Pilot(firmware())
        pilot.receive(bytes(message.pack(mavlink.MAVLink(None, srcSystem=1, srcComponent=1))))
        now_ns = pilot.truth.t_ns
        played = gps_of(pilot, now_ns)
        assert len(played) == (firmware is Px4)
        if played:
            pilot.lose_gps(True)
            pilot.forge_gps((5.0, 0.0), (1.0, 0.0))
            (lost,) = gps_of(pilot, now_ns + PERIOD_NS)
            assert lost.fix_type == 0 and lost.vn == 100
            pilot.lose_gps(False)
            (forged,) = gps_of(pilot, now_ns + 2 * PERIOD_NS)
            assert forged.fix_type == 3 and north_east_m(HOME, place_of(forged))[0] == pytest.approx(5.0, abs=0.02)


def test_a_simulator_that_plays_its_own_receiver_is_refused_in_words() -> None:
    """Two receivers would be averaged, and none of both be forged."""
    pilot = Pilot(Px4())
    packer = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    degrees = round(HOME.latitude_deg * 1e7), round(HOME.longitude_deg * 1e7)
    truth = mavlink.MAVLink_hil_state_quaternion_message(
        0, [1.0, 0.0, 0.0, 0.0], 0, 0, 0, *degrees, round(AMSL_M * 1e3), 0, 0, 0, 0, 0, 0, 0, 0
    )

    class Started(dict[str, float]):
        """What PX4 answers, as soon as somebody forgets what it has answered before."""

        def clear(self) -> None:
            self["SENS_EN_GPSSIM"] = 1

    pilot.parameters = Started()
    pilot.receive(bytes(truth.pack(packer)))
    with pytest.raises(UsageError, match="PX4 there was not started with SENS_EN_GPSSIM 0"):
        set_up(pilot, patience_s=1.0, again_s=0.01)


def test_px4_is_launched_without_its_own_receiver(tmp_path: Path) -> None:
    words, _ = Px4().command(tmp_path / "build" / "bin" / "px4", tmp_path, 0, Stand(HOME, AMSL_M))
    assert "PX4_PARAM_SENS_EN_GPSSIM=0" in words and Px4().set_up()["MAV_USEHILGPS"] == 1
