"""What telemetry does not say, or said too long ago, is unknown to guidance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtime.daemon.situation_of import situation_of
from runtime.freshness import POSITION_GAP, RC_CHANNELS, SYS_STATUS
from runtime.guidance.situation import Situation
from runtime.values import GeoPoint
from runtime.vehicle.telemetry.state import EstimatorState, Telemetry, VehicleState

NOW_NS = 100_000_000_000
HEARD = Telemetry(
    system_status=4,
    sys_status_t_ns=NOW_NS,
    rc_receiver_ok=True,
    sticks_moved=False,
    sticks_t_ns=NOW_NS,
    fence_breached=False,
)


def seen(heard: Telemetry = HEARD, later_ns: int = 0, yield_to_sticks: bool = True) -> Situation:
    return situation_of(VehicleState(NOW_NS, telemetry=heard), NOW_NS + later_ns, yield_to_sticks)


def test_nothing_heard_is_nothing_known() -> None:
    situation = situation_of(VehicleState(NOW_NS), NOW_NS)
    assert (situation.failsafe, situation.fence_breached, situation.sticks_moved) == (None, None, None)
    assert not situation.streams_ok and situation.heartbeat_age_s is None  # no stream was asked for yet


def test_all_heard_is_all_well() -> None:
    situation = seen()
    assert (situation.failsafe, situation.fence_breached, situation.sticks_moved) == (False, False, False)


@pytest.mark.parametrize(
    ("field", "limit_ns"),
    [("failsafe", SYS_STATUS.ns), ("fence_breached", SYS_STATUS.ns), ("sticks_moved", RC_CHANNELS.ns)],
)
def test_good_news_ages_and_bad_news_does_not(field: str, limit_ns: int) -> None:
    assert getattr(seen(later_ns=limit_ns), field) is False and getattr(seen(later_ns=limit_ns + 1), field) is None
    bad = replace(HEARD, failsafes=frozenset({"critical"}), fence_breached=True)
    if field != "sticks_moved":
        assert getattr(seen(bad, later_ns=10 * limit_ns), field) is True


@pytest.mark.parametrize(
    ("heard", "yields", "known"),
    [
        ({"sticks_moved": True}, True, True),
        ({"sticks_moved": True}, False, False),
        ({"sticks_moved": True, "rc_receiver_ok": None}, True, True),
        ({"sticks_moved": True, "rc_receiver_ok": None}, False, None),
        ({"rc_receiver_ok": None}, True, None),
        ({"rc_receiver_ok": False}, True, None),
        ({"sticks_moved": None}, True, None),
        ({"sticks_t_ns": None}, False, None),
        ({"station_sticks_t_ns": NOW_NS}, True, True),  # a ground station's joystick, whatever the receiver says
        ({"station_sticks_t_ns": NOW_NS}, False, False),
        ({"station_sticks_t_ns": NOW_NS - RC_CHANNELS.ns - 1}, True, False),
    ],
)
def test_sticks_at_rest_are_known_from_a_receiver_that_works(
    heard: dict[str, Any], yields: bool, known: bool | None
) -> None:
    assert seen(replace(HEARD, **heard), yield_to_sticks=yields).sticks_moved is known


@pytest.mark.parametrize("name", ["critical", "emergency", "terminated", "rc", "battery"])
def test_every_failsafe_signal_that_stops(name: str) -> None:
    assert seen(replace(HEARD, failsafes=frozenset({name}), system_status=None, sys_status_t_ns=None)).failsafe is True


@pytest.mark.parametrize(("status", "known"), [(3, False), (4, False), (0, None), (1, None), (2, None), (7, None)])
def test_a_vehicle_that_starts_calibrates_or_switches_off_is_not_known_to_be_well(
    status: int, known: bool | None
) -> None:
    assert seen(replace(HEARD, system_status=status)).failsafe is known
    assert seen(replace(HEARD, system_status=None)).failsafe is None


@pytest.mark.parametrize(("kind", "hovers"), [(2, True), (13, True), (4, True), (1, False), (10, False), (20, False),
                                              (None, False)])  # fmt: skip
def test_only_a_multicopter_hovers(kind: int | None, hovers: bool) -> None:
    assert seen(replace(HEARD, vehicle_type=kind)).hovers is hovers


def test_the_position_that_the_autopilot_steers_by_ages() -> None:
    here = GeoPoint(60.0, 22.0)
    heard = replace(HEARD, position=here, position_t_ns=NOW_NS)
    assert seen(heard, POSITION_GAP.ns).position == here and seen(heard, POSITION_GAP.ns + 1).position is None
    assert seen(replace(heard, position=None)).position is None


def test_an_estimator_that_is_well_may_still_reject_its_receiver() -> None:
    estimator = EstimatorState(NOW_NS, 0x33F, True, True, 0.1, 0.1)
    situation = seen(replace(HEARD, estimator=estimator))
    assert situation.ekf_ok and situation.gps_glitch
    assert not seen().ekf_ok and not seen().gps_glitch


@pytest.mark.parametrize(
    ("position", "velocity", "rejects"),
    [(0.4, 0.4, False), (1.0, 1.0, False), (1.1, 0.1, True), (0.1, 1.1, True), (float("nan"), 0.1, False)],
)
def test_an_estimator_whose_flags_are_good_may_reject_what_it_measures(
    position: float, velocity: float, rejects: bool
) -> None:
    """Recorded: a receiver that jumps by 222 m gives a ratio of 59, ordinary flights of both stacks less than 0.5."""
    situation = seen(replace(HEARD, estimator=EstimatorState(NOW_NS, 0x33F, True, False, position, velocity)))
    assert situation.ekf_ok and situation.ekf_rejects is rejects and not seen().ekf_rejects
