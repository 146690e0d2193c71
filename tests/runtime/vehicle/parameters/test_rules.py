"""The tables of what parameters have to be: what is to be set will do, and every name could be a parameter's."""

from __future__ import annotations

import itertools
import re

import pytest

from runtime.values import AidingRoute
from runtime.vehicle.ardupilot.parameters import RULES as ARDUPILOT
from runtime.vehicle.parameters.rules import Between, Bits, Figure, Near, NoneOf, OneOf, Rule, Use
from runtime.vehicle.px4.parameters import RULES as PX4
from sim.autopilot.parameters import _TABLE as BUILT_IN

FIGURES = {
    Figure.MAX_SIGMA_M: 8.0, Figure.LEAST_QUALITY: 6.0, Figure.DELAY_MS: 137.4, Figure.SENSOR_ID: 7.0,
    Figure.SYSTEM_ID: 1.0, Figure.CRUISE_M_S: 8.0, Figure.CRUISE_CM_S: 800.0,
}  # fmt: skip
VALUES = [-1.0, 0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 6.0, 8.0, 14.0, 15.0, 100.0, 255.0, 1e7]
TABLES = [*((rule, "ardupilot") for rule in ARDUPILOT), *((rule, "px4") for rule in PX4)]
ids = [f"{stack}-{rule.names[0]}-{number}" for number, (rule, stack) in enumerate(TABLES)]


def use(
    route: AidingRoute = AidingRoute.ODOMETRY, commanding: bool = True, rc: bool = True, airframe: str = "copter",
    repositions: bool = False,
) -> Use:
    return Use(route, 2, 1, commanding, rc, airframe, repositions)


@pytest.mark.parametrize("rule, stack", TABLES, ids=ids)
def test_what_is_to_be_set_will_do(rule: Rule, stack: str) -> None:
    set_to = {wanted for value in VALUES if (wanted := rule.wanted.better(value, FIGURES)) is not None}
    assert set_to, "a rule that every value satisfies says nothing"
    assert [rule.wanted.better(value, FIGURES) for value in set_to] == [None] * len(set_to)
    assert rule.why and rule.wanted.words(FIGURES)


@pytest.mark.parametrize("rule, stack", TABLES, ids=ids)
def test_a_rule_holds_for_something_and_names_a_parameter(rule: Rule, stack: str) -> None:
    either, airframes = (True, False), ("copter", "plane")
    uses = [use(*one) for one in itertools.product(AidingRoute, either, either, airframes, either)]
    assert any(rule.holds(one) for one in uses) and not rule.holds(use(AidingRoute.OFF, commanding=False))
    assert all(re.fullmatch(r"[A-Z0-9_]{1,16}", name) for name in rule.named(use()))


def test_the_built_in_autopilot_has_all_of_ardupilots() -> None:
    copters = [rule for rule in ARDUPILOT if rule.airframe in (None, "copter") and not rule.optional]
    assert {name for rule in copters for name in rule.named(use())[:1]} <= BUILT_IN.keys()


def test_a_plane_has_its_own() -> None:
    told = {rule.names[0] for rule in ARDUPILOT if rule.holds(use(airframe="plane"))}
    assert {"THR_FAILSAFE", "FS_LONG_ACTN", "Q_GUIDED_MODE", "Q_MAV_TYPE", "VISO_TYPE"} <= told
    assert not {"FS_THR_ENABLE", "FS_OPTIONS", "GUID_OPTIONS", "FS_EKF_ACTION"} & told


def test_which_rules_hold_is_a_matter_of_the_route() -> None:
    def of(table: tuple[Rule, ...], route: AidingRoute, commanding: bool = False) -> set[str]:
        return {rule.names[0] for rule in table if rule.holds(use(route, commanding))}

    assert "VISO_TYPE" in of(ARDUPILOT, AidingRoute.ODOMETRY) & of(ARDUPILOT, AidingRoute.VISION)
    assert "VISO_TYPE" not in of(ARDUPILOT, AidingRoute.GPS_INPUT)
    assert "EKF2_AGP0_ID" in of(PX4, AidingRoute.GLOBAL_POSITION) and "EKF2_EV_CTRL" in of(PX4, AidingRoute.VISION)
    assert "EKF2_EV_CTRL" not in of(PX4, AidingRoute.GLOBAL_POSITION)
    assert of(PX4, AidingRoute.OFF) == set()
    flown = of(PX4, AidingRoute.OFF, commanding=True)
    assert {"COM_OF_LOSS_T", "COM_OBL_RC_ACT", "COM_RCL_EXCEPT"} <= flown and "EKF2_EN" not in flown


def test_a_pilot_without_a_receiver_is_not_asked_for_one() -> None:
    told = [rule for rule in (*ARDUPILOT, *PX4) if rule.holds(use(rc=False))]
    assert not {"FS_THR_ENABLE", "COM_RCL_EXCEPT", "MAN_OVERRIDE_SPD"} & {rule.names[0] for rule in told}


def test_the_speed_is_the_one_that_is_flown_in_the_guided_mode() -> None:
    def of(repositions: bool) -> set[str]:
        told = [rule.names[0] for rule in PX4 if rule.holds(use(AidingRoute.OFF, repositions=repositions))]
        return {name for name in told if name.startswith("MPC_")}

    assert of(repositions=False) == {"MPC_XY_VEL_MAX"} and of(repositions=True) == {"MPC_XY_CRUISE"}
    rules = {rule.names[0]: rule.wanted for rule in (*PX4, *ARDUPILOT)}
    assert rules["MPC_XY_VEL_MAX"].better(12.0, FIGURES) == 8.0 and rules["MPC_XY_VEL_MAX"].better(8.5, FIGURES) is None
    assert rules["WPNAV_SPEED"].better(1000.0, FIGURES) == 800.0 and rules["WP_SPD"].better(5.0, FIGURES) == 8.0


def test_names_follow_the_configured_set_and_receiver() -> None:
    rules = {rule.names[0]: rule for rule in ARDUPILOT}
    assert rules["EK3_SRC{set}_POSXY"].named(use()) == ("EK3_SRC2_POSXY",)
    assert rules["GPS{receiver}_TYPE"].named(use()) == ("GPS2_TYPE", "GPS_TYPE2", "GPS_TYPE")


def test_each_kind_of_wish() -> None:
    assert OneOf((5, 4)).better(4, {}) is None and OneOf((5, 4)).better(3, {}) == 5
    assert NoneOf((Figure.SYSTEM_ID,), 255).better(1, FIGURES) == 255
    assert Between(0.3, None, 0.5).better(0.3000000119, {}) is None, "float32 has no 0.3"
    assert Between(8, None, 8, or_off=True).better(-1, {}) is None
    assert Near(Figure.DELAY_MS, within=30, most=100).better(10, FIGURES) == 100
    assert Bits(on=0b101, off=0b1010).better(15, {}) == 5 and Bits(off=2).better(5, {}) is None
    assert Bits(on=0b101, off=0b10).words({}) == "bits 0 and 2 on, bit 1 off"
    with pytest.raises(KeyError):
        Near(Figure.DELAY_MS, within=30, most=100).better(10, {})
