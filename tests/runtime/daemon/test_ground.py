"""The operator's words by radio keep every rule of his words at the terminal; the ground sees what it must see."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.daemon.daemon import Daemon, DaemonSettings
from runtime.events import LinkData
from runtime.geodesy import offset
from runtime.guidance.guidance import Guidance
from runtime.localizer.navigation import NavigationSource
from tests.runtime.daemon.cockpit import HOME, Cockpit

TARGET = offset(HOME, 60.0, 80.0)
SEQUENCE = count()
ENGAGE, DISENGAGE, RELOCALISE = mavlink.MAV_CMD_USER_1, mavlink.MAV_CMD_USER_2, mavlink.MAV_CMD_USER_3
ACCEPTED, LATER, DENIED = (
    mavlink.MAV_RESULT_ACCEPTED, mavlink.MAV_RESULT_TEMPORARILY_REJECTED, mavlink.MAV_RESULT_DENIED
)  # fmt: skip


def cockpit(**options: Any) -> Cockpit:
    made = Cockpit(operator_system_id=255, **options)
    made.fly(6.0)
    return made


def by_radio(pit: Cockpit, command: int, *parameters: float, station: int = 255) -> tuple[int, str]:
    """The result and the text that come back."""
    voice = mavlink.MAVLink(None, srcSystem=station, srcComponent=190)
    voice.seq = next(SEQUENCE) % 256
    message = mavlink.MAVLink_command_long_message(1, 191, command, 0, *parameters, *[0.0] * (7 - len(parameters)))
    before = len(pit.wire)
    pit._out(pit.daemon.step(LinkData(pit.t_ns, bytes(message.pack(voice)))))
    said = mavlink.MAVLink(None).parse_buffer(pit.wire[before:]) or []
    (ack,) = [m for m in said if m.get_type() == "COMMAND_ACK"]
    assert (ack.command, ack.target_system, ack.target_component) == (command, station, 190)
    return ack.result, "".join(m.text for m in said if m.get_type() == "STATUSTEXT")


def targets(pit: Cockpit) -> list[Any]:
    return [m for m in pit.commands() if m.get_type() == "SET_POSITION_TARGET_GLOBAL_INT"]


def test_engaging_by_radio_needs_a_confirmed_target_and_the_pilots_switch_as_ever() -> None:
    pit = cockpit()
    result, text = by_radio(pit, ENGAGE)
    assert result == LATER and text.startswith("Homing: no target is confirmed")
    pit.give_target(TARGET)
    assert by_radio(pit, ENGAGE) == (ACCEPTED, "Homing: engaged")
    pit.fly(1.0)
    status = pit.ask("status")
    assert status["state"] == "ready" and 298.0 < status["consent_left_s"] < 299.5
    assert targets(pit) == []
    pit.autopilot.pilot_set_mode("GUIDED")
    pit.fly(2.0)
    assert pit.ask("status")["state"] == "engaged" and targets(pit)
    (record, *_) = [one for one in pit.journal.of("control") if one["request"]["command"] == "engage"]
    assert "no target is confirmed" in record["answer"]["error"], "the log has his words by radio too"


def test_in_the_guided_mode_it_grants_nothing() -> None:
    pit = cockpit(mode="GUIDED")
    pit.give_target(TARGET)
    assert by_radio(pit, ENGAGE)[0] == ACCEPTED
    pit.fly(3.0)
    assert targets(pit) == [] and "already_guided" in pit.ask("status")["reasons"]


def test_a_switch_that_is_read_together_with_the_word_came_before_ready() -> None:
    pit = cockpit()
    pit.give_target(TARGET)
    station, autopilot = (mavlink.MAVLink(None, srcSystem=s, srcComponent=c) for s, c in ((255, 190), (1, 1)))
    engage = mavlink.MAVLink_command_long_message(1, 191, ENGAGE, 0, *[0.0] * 7).pack(station)
    guided = mavlink.MAVLink_heartbeat_message(2, 3, 217, 4, 4, 3).pack(autopilot)
    pit.autopilot.pilot_set_mode("GUIDED")
    pit._out(pit.daemon.step(LinkData(pit.t_ns, bytes(engage + guided))))
    pit.fly(3.0)
    assert targets(pit) == []


def test_where_commanding_is_off_the_radio_is_denied() -> None:
    pit = cockpit()
    pit.daemon = Daemon(replace(pit.daemon.rooms, guidance=Guidance(None)), pit.settings)
    pit.fly(0.1)
    result, text = by_radio(pit, ENGAGE)
    assert result == DENIED and text.startswith("Homing: commanding is disabled")


def test_disengaging_by_radio_ends_the_flight_with_one_hold() -> None:
    pit = cockpit()
    pit.to_ready(TARGET)
    pit.autopilot.pilot_set_mode("GUIDED")
    pit.fly(3.0)
    pit.forget_wire()
    assert by_radio(pit, DISENGAGE) == (ACCEPTED, "Homing: disengaged")
    pit.fly(3.0)
    assert len(targets(pit)) == 1 and pit.ask("status")["target"] is None


@pytest.mark.parametrize("command", [ENGAGE, DISENGAGE, RELOCALISE])
def test_another_station_than_the_configured_one_changes_nothing(command: int) -> None:
    pit = cockpit()
    pit.to_ready(TARGET)
    assert by_radio(pit, command, 100.0, 0, 0, 0, 60.0, 22.0, station=254) == (
        DENIED, "Homing: no commands from system 254"
    )  # fmt: skip
    assert pit.ask("status")["state"] == "ready"


# Where it is, in the operator's words


def test_a_place_from_the_operator_lets_the_camera_find_it_anew_and_is_no_position_itself() -> None:
    pit = cockpit(source=NavigationSource.VISION)
    assert pit.ask("status")["navigation"]["vision"]["state"] == "tracking"
    assert by_radio(pit, RELOCALISE, 150.0, 0, 0, 0, pit.here.latitude_deg, pit.here.longitude_deg) == (
        ACCEPTED, "Homing: looks for its place anew"
    )  # fmt: skip
    vision = pit.ask("status")["navigation"]["vision"]
    assert vision["state"] == "lost" and vision["position"] is None
    pit.fly(4.0)
    assert pit.ask("status")["navigation"]["vision"]["state"] == "tracking"


def test_fixes_far_from_the_operators_word_are_not_believed() -> None:
    pit = cockpit(source=NavigationSource.VISION)
    wrong = offset(HOME, 3000.0, 0.0)
    assert by_radio(pit, RELOCALISE, 150.0, 0, 0, 0, wrong.latitude_deg, wrong.longitude_deg)[0] == ACCEPTED
    pit.fly(4.0)
    assert pit.ask("status")["navigation"]["vision"]["state"] == "lost"


def test_in_flight_the_place_is_not_given_up() -> None:
    pit = cockpit()
    pit.to_ready(TARGET)
    pit.autopilot.pilot_set_mode("GUIDED")
    pit.fly(2.0)
    result, text = by_radio(pit, RELOCALISE, 150.0, 0, 0, 0, HOME.latitude_deg, HOME.longitude_deg)
    assert result == LATER and text.startswith("Homing: a flight is under way")
    assert pit.ask("status")["state"] == "engaged"


# What is seen


def figures(pit: Cockpit) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for m in mavlink.MAVLink(None).parse_buffer(pit.wire) or []:
        if m.get_type() == "NAMED_VALUE_FLOAT":
            found.setdefault(m.name.rstrip("\0"), []).append(m.value)
    return found


def test_figures_come_once_a_second_and_only_where_they_are_wanted() -> None:
    pit = cockpit(settings=DaemonSettings(figures_interval_ns=1_000_000_000), source=NavigationSource.VISION)
    said = figures(pit)
    assert set(said) == {"hm_sigma", "hm_fixage", "hm_prob", "hm_coast"} and len(said["hm_sigma"]) == 5
    assert 0.0 < said["hm_sigma"][-1] < 10.0 and 0.0 <= said["hm_fixage"][-1] < 2.0
    assert 15.0 < said["hm_coast"][-1] <= 20.0 and math.isnan(said["hm_prob"][-1])
    assert figures(cockpit()) == {}


@contextmanager
def radio(pit: Cockpit) -> Iterator[tuple[Any, Any]]:
    """A ground station of pymavlink's own on a real socket, and what lets time pass."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as line:
        line.bind(("127.0.0.1", 0))
        line.setblocking(False)
        address = f"udpout:127.0.0.1:{line.getsockname()[1]}"
        station = mavutil.mavlink_connection(address, source_system=255, source_component=190, dialect="ardupilotmega")
        station.mav.heartbeat_send(6, 8, 0, 0, 4)
        peer: list[Any] = []

        def pass_time(seconds: float) -> None:
            for _ in range(round(seconds / 0.02)):
                begun = len(pit.wire)
                while True:
                    try:
                        data, sender = line.recvfrom(65536)
                    except BlockingIOError:
                        break
                    peer[:] = [sender]
                    pit._out(pit.daemon.step(LinkData(pit.t_ns, data)))
                pit.step()
                if peer and pit.wire[begun:]:
                    line.sendto(bytes(pit.wire[begun:]), peer[0])

        try:
            yield station, pass_time
        finally:
            station.close()


def test_pymavlinks_own_ground_station_sees_the_component_asks_engages_and_is_answered() -> None:
    pit = cockpit(settings=DaemonSettings(figures_interval_ns=1_000_000_000))
    pit.give_target(TARGET)
    with radio(pit) as (station, pass_time):
        pass_time(1.5)
        beat = station.recv_match(type="HEARTBEAT", blocking=True, timeout=5)
        assert (beat.get_srcSystem(), beat.get_srcComponent(), beat.type) == (1, 191, 18)
        assert station.recv_match(type="NAMED_VALUE_FLOAT", blocking=True, timeout=5) is not None
        station.mav.param_request_list_send(1, 191)
        station.mav.command_long_send(1, 191, 512, 0, 148, 0, 0, 0, 0, 0, 0)
        station.mav.command_long_send(1, 191, ENGAGE, 0, 0, 0, 0, 0, 0, 0, 0)
        pass_time(0.2)
        results, kinds = {}, set()
        while (m := station.recv_match(blocking=False)) is not None:
            kinds.add(m.get_type())
            if m.get_type() == "COMMAND_ACK":
                results[m.command] = m.result
        assert "AUTOPILOT_VERSION" in kinds and "PARAM_VALUE" not in kinds
        assert results == {512: ACCEPTED, ENGAGE: ACCEPTED}
    assert pit.ask("status")["state"] == "ready"
