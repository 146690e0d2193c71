"""The autopilot is fed with what is known, told to fly on it when it must, and left alone when in doubt."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.geodesy import north_east_m
from runtime.injection.injection import Injection
from runtime.injection.settings import InjectionSettings, Route
from runtime.injection.values import InjectionReason, InjectionState, Support
from runtime.values import Aiding, FailedOdometry, LocalOdometry, LocalOrigin, ReceiverFix, says_failed
from tests.runtime.injection.flying import ORIGIN, SECOND, Flight, placed


def route(**values: Any) -> Injection:
    return Injection(InjectionSettings(**values))


# --- with what ---------------------------------------------------------------------------------------------------


def test_it_is_off_until_the_operator_turns_it_on() -> None:
    flight = Flight(Injection(InjectionSettings()))
    flight.lose_gps()
    assert flight.run(5.0).state is InjectionState.OFF
    assert not any(d.messages or d.switch_to for d in flight.decisions) and not flight.injection.echoing


def test_what_is_fed_is_the_place_by_sight_with_the_autopilots_own_height_attitude_and_climb() -> None:
    flight = Flight(vision_ne=(300.0, -200.0), belief_ne=(300.0, -200.0))
    flight.run(1.0)
    (fed,) = flight.decisions[-1].messages
    assert isinstance(fed, LocalOdometry)
    assert placed(fed) == pytest.approx((300.0, -200.0), abs=0.01) and fed.altitude_amsl_m == 52.0
    assert fed.velocity_ned_m_s == (6.0, -2.0, -1.5), "the camera measures no climb: zero would be a lie"
    assert fed.covariance_m2[0][0] == pytest.approx(1.5**2, rel=0.01) and fed.velocity_sigma_m_s == 0.3
    assert fed.ned_from_body == pytest.approx((math.cos(0.2), 0.0, 0.0, math.sin(0.2)))
    assert 1 <= fed.quality <= 100 and fed.t_ns == flight.t_ns


def test_nothing_is_repeated_under_a_new_stamp() -> None:
    flight = Flight()
    flight.run(0.2)
    vision, vehicle = flight.vision(), flight.vehicle()
    for later in range(1, 10):
        again = flight.injection.step(flight.t_ns + later, vision, _support(flight), vehicle)
        assert again.messages == () and again.state is InjectionState.ALIGNING
    stamps = [fed.t_ns for fed in flight.fed()]
    assert len(stamps) == 5 and stamps == sorted(set(stamps))


def _support(flight: Flight) -> Support:
    return Support(flight.t_ns, flight.t_ns)


# --- whether -----------------------------------------------------------------------------------------------------

DOUBTS: dict[InjectionReason, dict[str, Any]] = {
    InjectionReason.NOT_TRACKING: {"trusted": False},
    InjectionReason.UNCERTAIN: {"sigma_m": 9.0},
    InjectionReason.ODOMETRY_MISSING: {"support": {"odometry_t_ns": None}},
    InjectionReason.FIX_TOO_OLD: {"support": {"fix_t_ns": 80 * SECOND}},
    InjectionReason.VEHICLE_UNREACHABLE: {"situation": {"reachable": False}},
    InjectionReason.NO_POSE: {"situation": {"nav": None}},
    InjectionReason.NO_ORIGIN: {"situation": {"has_origin": False}},
}


@pytest.mark.parametrize("reason", DOUBTS, ids=lambda reason: reason.value)
def test_without_support_it_calls_itself_unhealthy_a_few_times_and_is_silent(reason: InjectionReason) -> None:
    flight = Flight()
    flight.run(1.0)
    for name, value in DOUBTS[reason].items():
        setattr(flight, name, value)
    flight.decisions.clear()
    decision = flight.run(5.0)
    assert decision.state is InjectionState.WAITING and reason in decision.reasons
    said = [one for d in flight.decisions for one in d.messages]
    assert len(said) == 5 and all(isinstance(one, FailedOdometry) for one in said)
    assert all(d.messages == () for d in flight.decisions[-50:])


def test_on_the_ground_it_says_that_it_is_there_and_measures_nothing() -> None:
    """ArduPilot arms only while its source is heard within 300 ms, and a camera on the ground sees no place."""
    flight = Flight(trusted=False, situation={"on_ground": True})
    flight.run(4.0)
    words = [one for d in flight.decisions for one in d.messages]
    assert all(isinstance(one, FailedOdometry) for one in words) and len(words) >= 4 / 0.3
    assert not flight.injection.echoing


def test_it_recovers_by_itself_from_what_was_only_missing() -> None:
    flight = Flight()
    flight.run(1.0)
    flight.trusted = False
    flight.run(3.0)
    flight.trusted = True
    assert flight.run(0.2).state is InjectionState.ALIGNING
    assert flight.decisions[-1].messages


# --- when the autopilot is to fly on it ------------------------------------------------------------------------------


def test_a_gps_that_nobody_doubts_is_left_in_use() -> None:
    flight = Flight()
    decision = flight.run(30.0)
    assert decision.state is InjectionState.ALIGNING and decision.reasons == (InjectionReason.GPS_IN_USE,)
    assert flight.switches == [] and not flight.injection.echoing


def test_once_gps_is_lost_it_switches_once_and_feeds_after_the_answer() -> None:
    flight = Flight()
    flight.run(2.0)
    flight.lose_gps()
    flight.run(0.9)
    assert flight.switches == []
    flight.run(0.3)
    assert flight.switches == [2] and flight.injection.echoing, "from the asking on: it may be obeyed before we hear"
    assert flight.decisions[-1].state is InjectionState.ALIGNING
    flight.injection.switched(accepted=True)
    flight.follows = True
    assert flight.run(10.0).state is InjectionState.FEEDING
    assert flight.switches == [2]


def test_a_switch_that_nobody_answers_is_asked_again_and_one_that_is_refused_ends_it() -> None:
    flight = Flight()
    flight.run(2.0)
    flight.lose_gps()
    flight.run(1.2)
    flight.injection.switched(accepted=False, answered=False)
    flight.run(0.2)
    assert flight.switches == [2, 2]
    flight.injection.switched(accepted=False)
    decision = flight.run(10.0)
    assert decision.state is InjectionState.STOPPED and decision.reasons == (InjectionReason.SWITCH_REFUSED,)
    assert flight.switches == [2, 2] and decision.messages == ()


def test_a_stream_that_has_just_begun_is_not_flown_on() -> None:
    flight = Flight(situation={"gps_lost_s": 5.0})
    assert InjectionReason.STREAM_TOO_SHORT in flight.run(0.9).reasons
    flight.run(0.3)
    assert flight.switches == [2]


def test_what_the_autopilot_begins_to_fly_on_is_where_it_believes_to_be() -> None:
    """The history and the receiver lie 4 m apart: no jump at the switch, and then over to sight in its own time."""
    flight = Flight(vision_ne=(100.0, 50.0), belief_ne=(103.0, 47.5))
    flight.fly_on_it()
    steps = [math.dist(placed(a), placed(b)) for a, b in zip(flight.fed(), flight.fed()[1:], strict=False)]
    assert math.dist(placed(flight.fed()[60]), (103.0, 47.5)) < 0.1 and max(steps[3:]) < 0.02
    widened = flight.fed()[60].covariance_m2
    assert widened[0][0] == pytest.approx(1.5**2 + 9.0, abs=0.5), "an offset is an error that is known of"
    flight.run(20.0)
    assert math.dist(placed(flight.fed()[-1]), (100.0, 50.0)) < 0.01
    assert flight.decisions[-1].state is InjectionState.FEEDING
    assert {fed.reset_counter for fed in flight.fed()} == {0}


def test_noise_of_sight_is_no_jump_either() -> None:
    """Seen on ArduCopter: its EKF is reset onto the first pose that it reads, whatever a mean over seconds says."""
    flight = Flight()
    for frame in range(75):
        flight.vision_ne = 100.0 + math.sin(frame), 50.0 + math.cos(frame)
        if frame == 40:
            flight.lose_gps()
        flight.step()
        assert placed(flight.fed()[-1]) == pytest.approx((100.0, 50.0), abs=0.01)
    assert flight.switches == [2]


def test_a_gps_that_lies_is_not_aligned_with() -> None:
    flight = Flight(belief_ne=(130.0, 50.0), support={"gps_alarm": True})
    flight.run(1.5)
    assert flight.switches == [2], "although the receiver has a fix"
    assert placed(flight.fed()[-1]) == pytest.approx((100.0, 50.0), abs=0.01)


def test_an_autopilot_that_is_elsewhere_is_not_moved_while_nothing_says_that_gps_lies() -> None:
    flight = Flight(belief_ne=(140.0, 50.0))
    flight.run(2.0)
    flight.lose_gps()
    decision = flight.run(4.0)
    assert flight.switches == [] and InjectionReason.NOT_ALIGNED in decision.reasons


def test_a_belief_that_its_estimator_gave_up_is_none() -> None:
    """Long without GPS, ArduPilot reports where it last was; it says so in its flags."""
    flight = Flight(belief_ne=(200.0, 50.0), situation={"gps_lost_s": 30.0, "estimator_ok": False})
    flight.run(1.5)
    assert flight.switches == [2]


def test_without_source_sets_an_estimator_that_has_gps_is_given_nothing_to_mix() -> None:
    flight = Flight(has_source_sets=False)
    flight.run(3.0)
    assert flight.fed() == []
    flight.lose_gps()
    flight.follows = True
    assert flight.run(3.0).state is InjectionState.FEEDING
    assert flight.switches == [] and len(flight.fed()) > 40 and flight.injection.echoing


# --- when that has failed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"position_ratio": 1.4}, InjectionReason.ESTIMATOR_REJECTS),
        ({"estimator_ok": False}, InjectionReason.ESTIMATOR_REJECTS),
    ],
)
def test_an_estimator_that_rejects_is_left_alone(change: dict[str, Any], reason: InjectionReason) -> None:
    flight = Flight()
    flight.fly_on_it()
    flight.run(3.0)
    flight.situation.update(change)
    assert flight.run(2.5).state is InjectionState.FEEDING, "it may be a moment's"
    decision = flight.run(1.0)
    assert decision.state is InjectionState.STOPPED and decision.reasons == (reason,)
    flight.situation.update(position_ratio=0.1, estimator_ok=True)
    assert flight.run(60.0).messages == () and flight.decisions[-1].state is InjectionState.STOPPED
    assert flight.injection.echoing, "what it reports still rests on what it was fed"


def test_an_autopilot_that_goes_elsewhere_is_left_alone() -> None:
    flight = Flight()
    flight.fly_on_it()
    flight.run(3.0)
    flight.follows, flight.belief_ne = False, (112.0, 50.0)
    assert flight.run(3.5).reasons == (InjectionReason.ECHO_DISAGREES,)
    flight.situation["on_ground"] = True
    flight.step()
    assert flight.decisions[-1].state is not InjectionState.STOPPED, "another flight"


def test_nor_is_one_that_does_so_through_brief_breaks_of_what_it_is_fed() -> None:
    """As PX4 was, that went on by a receiver which was dragged away, while every fifth second brought no pose."""
    flight = Flight()
    flight.fly_on_it()
    flight.run(3.0)
    flight.follows, flight.belief_ne = False, (150.0, 50.0)
    for _ in range(4):
        if flight.run(2.4).state is InjectionState.STOPPED:
            break
        flight.trusted = False
        assert flight.run(0.2).state is InjectionState.WAITING
        flight.trusted = True
    assert flight.decisions[-1].reasons == (InjectionReason.ECHO_DISAGREES,)


def test_after_a_longer_break_it_is_judged_anew() -> None:
    flight = Flight()
    flight.fly_on_it()
    flight.run(3.0)
    flight.follows, flight.belief_ne = False, (150.0, 50.0)
    flight.run(2.5)
    flight.trusted = False
    flight.run(1.5)
    flight.trusted = True
    assert flight.run(5.0).state is InjectionState.FEEDING, "it has time to go where it is put"
    assert flight.run(1.5).state is InjectionState.STOPPED


def test_a_jump_is_told_and_not_smoothed() -> None:
    flight = Flight()
    flight.fly_on_it()
    before = flight.fed()[-1].reset_counter
    flight.vision_ne, flight.support = (160.0, 50.0), {"reset_counter": 1}
    flight.run(0.2)
    assert flight.fed()[-1].reset_counter == before + 1
    assert placed(flight.fed()[-1]) == pytest.approx((160.0, 50.0), abs=0.01)


@pytest.mark.parametrize("wandered_m, jump", [(3.0, 0), (60.0, 1)])
def test_vision_that_comes_back_moves_the_autopilot_softly_or_tells_the_jump(wandered_m: float, jump: int) -> None:
    flight = Flight()
    flight.fly_on_it()
    before = flight.fed()[-1].reset_counter
    flight.trusted = False
    flight.run(10.0)
    assert flight.decisions[-1].messages == () and flight.belief_ne is not None
    flight.belief_ne = flight.belief_ne[0] + wandered_m, flight.belief_ne[1]
    flight.trusted, believed = True, flight.belief_ne
    flight.step()
    fed = flight.fed()[-1]
    assert fed.reset_counter == before + jump
    assert math.dist(placed(fed), believed if not jump else (100.0, 50.0)) < 0.05
    assert flight.switches == [2], "the source set is still the same"


def test_gps_that_comes_back_is_not_gone_back_to() -> None:
    flight = Flight()
    flight.fly_on_it()
    flight.situation["gps_lost_s"] = 0.0
    assert flight.run(20.0).state is InjectionState.FEEDING
    assert flight.switches == [2]


def test_a_rebooted_autopilot_speaks_for_itself_again() -> None:
    flight = Flight()
    flight.fly_on_it()
    flight.injection.rebooted()
    flight.situation.clear()
    assert flight.run(2.0).state is InjectionState.ALIGNING and not flight.injection.echoing


# --- the other forms ----------------------------------------------------------------------------------------------


def test_an_autopilot_without_an_origin_is_given_one_where_its_altitude_is_known() -> None:
    flight = Flight(
        route(route=Route.ODOMETRY, origin_altitude_amsl_m=35.0),
        belief_ne=None,
        situation={"has_origin": False, "gps_lost_s": math.inf},
    )
    flight.run(3.0)
    origins = [one for d in flight.decisions for one in d.messages if isinstance(one, LocalOrigin)]
    assert len(origins) == 2 and origins[0].altitude_amsl_m == 35.0
    assert north_east_m(ORIGIN, origins[0].position) == pytest.approx((100.0, 50.0), abs=0.01)
    flight.situation["has_origin"] = True
    flight.run(1.5)
    assert flight.switches == [2] and flight.fed()


@pytest.mark.parametrize("lost_s, reason", [(math.inf, "no_origin_altitude"), (0.0, "no_origin")])
def test_no_origin_is_invented(lost_s: float, reason: str) -> None:
    """Not at an unknown height, and not where GPS is about to set its own."""
    flight = Flight(belief_ne=None, situation={"has_origin": False, "gps_lost_s": lost_s})
    assert [one.value for one in flight.run(3.0).reasons] == [reason]
    assert not [one for d in flight.decisions for one in d.messages if isinstance(one, LocalOrigin)]


def test_a_second_receiver_streams_from_the_start_and_is_an_echo_once_it_is_alone() -> None:
    flight = Flight(route(route=Route.GPS_INPUT, receiver=1))
    flight.run(1.0)
    (fed,) = flight.decisions[-1].messages
    assert isinstance(fed, ReceiverFix) and fed.receiver == 1 and fed.position is not None
    assert not flight.injection.echoing and not flight.injection.echoing_receiver
    flight.lose_gps()
    assert flight.run(1.2).state is InjectionState.FEEDING and flight.injection.echoing
    assert flight.switches == []
    flight.trusted = False
    flight.decisions.clear()
    flight.run(2.0)
    words = [one for d in flight.decisions for one in d.messages]
    assert len(words) == 5 and all(isinstance(one, ReceiverFix) and one.position is None for one in words)


def test_the_only_receiver_is_an_echo_from_its_first_word() -> None:
    flight = Flight(route(route=Route.GPS_INPUT, receiver=0))
    assert flight.injection.echoing_receiver
    assert flight.step().state is InjectionState.FEEDING and flight.injection.echoing


def test_a_second_receiver_that_disagrees_with_the_first_is_not_offered() -> None:
    flight = Flight(route(route=Route.GPS_INPUT, receiver=1), belief_ne=(160.0, 50.0))
    assert InjectionReason.NOT_ALIGNED in flight.run(2.0).reasons
    assert not any(d.messages for d in flight.decisions)


# --- whatever happens ---------------------------------------------------------------------------------------------

MOMENTS = st.lists(
    st.sampled_from(
        ["lost", "alarm", "back", "untrusted", "trusted", "jump", "blind", "sees", "reject", "accept", "yes", "no",
         "wander", "ground", "air", "reboot"]
    ),
    max_size=14,
)  # fmt: skip


FED = [Route.ODOMETRY, Route.VISION, Route.GPS_INPUT, Route.GLOBAL_POSITION, Route.POSITION_ESTIMATE]


@given(MOMENTS, st.sampled_from([*FED, Route.ODOMETRY, Route.AUTO]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_whatever_happens_it_feeds_only_what_is_supported_and_never_gives_gps_back(
    moments: list[str], by: Route, has_source_sets: bool
) -> None:
    flight = Flight(route(route=by), follows=True, has_source_sets=has_source_sets)
    switches = has_source_sets and by in (Route.ODOMETRY, Route.VISION, Route.AUTO)
    mixes = by is not Route.GPS_INPUT and not switches
    flight.run(1.2)
    told: list[Aiding] = []
    for moment in moments:
        _happens(flight, moment)
        flight.decisions.clear()
        flight.run(0.6)
        supported = flight.trusted and "odometry_t_ns" not in flight.support
        for decision in flight.decisions:
            assert decision.switch_to in (None, 2)
            measured = [m for m in decision.messages if not isinstance(m, LocalOrigin) and not says_failed(m)]
            assert not measured or (supported and decision.state is not InjectionState.STOPPED)
            poses = [one for one in measured if isinstance(one, LocalOdometry)]
            assert all(math.isfinite(x) for one in poses for x in (*placed(one), *one.velocity_ned_m_s))
            needed = flight.support.get("gps_alarm") or flight.situation.get("gps_lost_s", 0.0) > 1.0
            assert decision.switch_to is None or (needed and not mixes)
            assert needed or not (measured and mixes), "an estimator that has GPS is given nothing to mix"
            told += measured
    stamps = [one.t_ns for one in told if not isinstance(one, LocalOrigin)]
    assert stamps == sorted(set(stamps))


def _happens(flight: Flight, moment: str) -> None:
    if moment == "lost":
        flight.lose_gps()
    elif moment == "back":
        flight.situation["gps_lost_s"] = 0.0
    elif moment == "alarm":
        flight.support["gps_alarm"] = True
    elif moment in ("untrusted", "trusted"):
        flight.trusted = moment == "trusted"
    elif moment == "jump":
        flight.vision_ne = flight.vision_ne[0] + 40.0, flight.vision_ne[1]
        flight.support["reset_counter"] = flight.support.get("reset_counter", 0) + 1
    elif moment == "blind":
        flight.support["odometry_t_ns"] = None
    elif moment == "sees":
        flight.support.pop("odometry_t_ns", None)
    elif moment in ("reject", "accept"):
        flight.situation["position_ratio"] = 2.0 if moment == "reject" else 0.1
    elif moment in ("yes", "no"):
        flight.injection.switched(accepted=moment == "yes")
        flight.injection.answered_estimate(accepted=moment == "yes")
    elif moment == "wander":
        flight.belief_ne = (500.0, 500.0)
    elif moment in ("ground", "air"):
        flight.situation["on_ground"] = moment == "ground"
    else:
        flight.injection.rebooted()
