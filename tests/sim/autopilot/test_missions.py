"""The mission protocol, AUTO and RTL."""

from __future__ import annotations

from typing import Any

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.sim.autopilot.companion import Companion, autopilot

LATITUDE, LONGITUDE = 473977000, 85456000
Plan = list[tuple[int, int, float, int, int, float]]  # command, frame, parameter 1, x, y, z
SURVEY: Plan = [
    (16, 0, 0.0, LATITUDE, LONGITUDE, 488.1),
    (22, 6, 0.0, 0, 0, 20.0),
    (16, 6, 0.0, LATITUDE + 3000, LONGITUDE, 20.0),
    (16, 6, 2.0, LATITUDE + 3000, LONGITUDE + 3000, 25.0),
    (20, 6, 0.0, 0, 0, 0.0),
]


def _item(seq: int, plan: Plan) -> Any:
    command, frame, p1, x, y, z = plan[seq]
    return mavlink.MAVLink_mission_item_int_message(1, 1, seq, frame, command, 0, 1, p1, 0, 0, 0, x, y, z)


def upload(companion: Companion, plan: Plan) -> list[Any]:
    """Uploads as a ground station does; everything the vehicle said meanwhile."""
    said = companion.send(mavlink.MAVLink_mission_count_message(1, 1, len(plan), 0))
    while said[-1].get_type() != "MISSION_ACK" and any(m.get_type() == "MISSION_REQUEST" for m in said[-2:]):
        request = next(m for m in reversed(said) if m.get_type() == "MISSION_REQUEST")
        answer = companion.send(_item(request.seq, plan))
        said += answer
        if any(m.get_type() == "MISSION_ACK" for m in answer):
            break
    return said


def _acks(said: list[Any]) -> list[int]:
    return [m.type for m in said if m.get_type() == "MISSION_ACK"]


def test_it_asks_with_mission_request_and_tells_when_it_has_all() -> None:
    companion = Companion(autopilot())
    said = upload(companion, SURVEY)
    assert [m.seq for m in said if m.get_type() == "MISSION_REQUEST"] == [0, 1, 2, 3, 4]
    assert _acks(said) == [0]
    companion.run(0.1)
    assert companion.texts() == ["Flight plan received"]


def test_a_read_back_has_home_as_item_0_and_other_frames() -> None:
    companion = Companion(autopilot())
    plan = [(16, 0, 0.0, 1, 2, 3.0), *SURVEY[1:]]  # whatever item 0 was, home is read back
    upload(companion, plan)
    (count,) = companion.send(mavlink.MAVLink_mission_request_list_message(1, 1))
    assert count.count == 5
    items = [companion.send(mavlink.MAVLink_mission_request_int_message(1, 1, i))[0] for i in range(5)]
    assert [(m.command, m.frame) for m in items] == [(16, 0), (22, 3), (16, 3), (16, 3), (20, 0)]
    assert (items[0].x, items[0].y) == (LATITUDE, LONGITUDE)
    (old,) = companion.send(mavlink.MAVLink_mission_request_message(1, 1, 2))
    assert old.get_type() == "MISSION_ITEM" and old.x == pytest.approx(47.3980)
    (wrong,) = companion.send(mavlink.MAVLink_mission_request_int_message(1, 1, 9))
    assert wrong.type == 13


def test_nothing_there_has_an_answer_too() -> None:
    companion = Companion(autopilot())
    for kind in (0, 1, 2):
        (count,) = companion.send(mavlink.MAVLink_mission_request_list_message(1, 1, kind))
        assert (count.count, count.mission_type) == (0, kind)
    (refused,) = companion.send(mavlink.MAVLink_mission_count_message(1, 1, 3, 1))
    assert refused.type == 3  # fences are not covered
    (cleared, *_) = companion.send(mavlink.MAVLink_mission_clear_all_message(1, 1))
    assert cleared.type == 0


def test_an_item_out_of_turn_one_twice_and_one_unknown() -> None:
    companion = Companion(autopilot())
    companion.send(mavlink.MAVLink_mission_count_message(1, 1, 5, 0))
    assert _acks(companion.send(_item(3, SURVEY))) == [13]
    assert [m.seq for m in companion.send(_item(0, SURVEY)) if m.get_type() == "MISSION_REQUEST"] == [1]
    assert companion.send(_item(0, SURVEY)) == []
    unknown: Plan = [SURVEY[0], (201, 6, 0.0, 0, 0, 0.0)]
    assert _acks(companion.send(_item(1, unknown))) == [3]
    assert _acks(companion.send(_item(2, SURVEY))) == [1]  # no upload is under way any more


def test_an_upload_that_stops_is_asked_for_again_and_given_up() -> None:
    companion = Companion(autopilot())
    companion.send(mavlink.MAVLink_mission_count_message(1, 1, 5, 0))
    said = companion.run(9.0)
    assert [m.seq for m in said if m.get_type() == "MISSION_REQUEST"] == [0] * 7
    assert _acks(said) == [15]
    assert "Mission upload timeout" in companion.texts()


@pytest.fixture(scope="module")
def flown() -> Companion:
    companion = Companion(autopilot())
    upload(companion, SURVEY)
    companion.stream(mavlink.MAVLINK_MSG_ID_MISSION_CURRENT, 5)
    companion.run(0.5)
    for number, parameters in ((176, (1, 4)), (400, (1,)), (176, (1, 3))):
        assert companion.command(number, *parameters) == 0
    companion.run(5.0)
    assert companion.vehicle.truth.position_ned_m[2] == 0.0  # waits for MISSION_START
    assert companion.command(300) == 0
    companion.run(120.0)
    return companion


def test_auto_flies_the_plan(flown: Companion) -> None:
    reached = [m.seq for m in flown.heard if m.get_type() == "MISSION_ITEM_REACHED"]
    assert reached == [1, 2, 3, 4]
    current = [(m.seq, m.mission_state) for m in flown.heard if m.get_type() == "MISSION_CURRENT"]
    changes = [each for i, each in enumerate(current) if i == 0 or each != current[i - 1]]
    assert changes == [(0, 2), (1, 3), (2, 3), (3, 3), (4, 3), (0, 5)]
    assert [text for text in flown.texts() if text.startswith(("Mission", "Reached"))] == [
        "Mission: 1 Takeoff", "Mission: 2 WP", "Reached command #2", "Mission: 3 WP", "Reached command #3",
        "Mission: 4 RTL",
    ]  # fmt: skip


def test_rtl_ends_at_home_disarmed(flown: Companion) -> None:
    assert flown.vehicle.truth.position_ned_m == pytest.approx((0, 0, 0), abs=0.3)
    assert not flown.vehicle.armed


def test_mission_start_is_accepted_even_disarmed() -> None:
    companion = Companion(autopilot())
    assert companion.command(300) == 0
    companion.run(5.0)
    assert not companion.vehicle.armed


def test_auto_is_refused_without_a_mission_or_a_take_off() -> None:
    companion = Companion(autopilot())
    companion.command(176, 1, 4)
    companion.command(400, 1)
    assert companion.command(176, 1, 3) == 4
    upload(companion, [SURVEY[0], SURVEY[2]])
    assert companion.command(176, 1, 3) == 4
    companion.run(0.1)
    assert "Auto: Missing Takeoff Cmd" in companion.texts()
    assert companion.vehicle.mode == "GUIDED"


def test_a_mission_interrupted_by_guided_goes_on_where_it_was() -> None:
    companion = Companion(autopilot())
    upload(companion, SURVEY)
    companion.vehicle.start_in_flight((0.0, 0.0, -20.0), "GUIDED")
    upload(companion, SURVEY)
    companion.send(mavlink.MAVLink_mission_set_current_message(1, 1, 3))
    assert companion.command(176, 1, 3) == 0
    companion.run(2.0)
    companion.command(176, 1, 4)
    current = companion.ask(mavlink.MAVLINK_MSG_ID_MISSION_CURRENT)
    assert (current.seq, current.mission_state) == (3, 4)
    companion.command(176, 1, 3)
    companion.run(20.0)
    assert [m.seq for m in companion.heard if m.get_type() == "MISSION_ITEM_REACHED"] == [3]


def test_rtl_climbs_to_its_height_first() -> None:
    companion = Companion(autopilot(parameters={"RTL_ALT": 3000}))
    companion.vehicle.start_in_flight((80.0, 0.0, -10.0), "GUIDED")
    companion.command(20)
    companion.run(10.0)
    north, _, down = companion.vehicle.truth.position_ned_m
    assert -down > 28.0 or north > 79.0
    companion.run(90.0)
    assert not companion.vehicle.armed
