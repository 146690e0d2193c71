"""The parameter protocol."""

from __future__ import annotations

from typing import Any

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from sim.autopilot.config import AutopilotConfig
from sim.autopilot.parameters import Parameters
from tests.sim.autopilot.companion import HOME, Companion, autopilot


def _set(name: str, value: float) -> Any:
    return mavlink.MAVLink_param_set_message(1, 1, name.encode(), value, 9)


def test_the_list_has_every_parameter_once() -> None:
    companion = Companion(autopilot())
    companion.send(mavlink.MAVLink_param_request_list_message(1, 1))
    values = [m for m in companion.run(1.0) if m.get_type() == "PARAM_VALUE"]
    assert [m.param_index for m in values] == list(range(values[0].param_count))
    assert {"WPNAV_SPEED", "FS_GCS_ENABLE", "SIM_GPS1_ENABLE", "GPS1_TYPE", "EK3_SRC1_POSXY"} < {
        m.param_id for m in values
    }


def test_read_by_name_and_by_index() -> None:
    companion = Companion(autopilot())
    (by_name,) = companion.send(mavlink.MAVLink_param_request_read_message(1, 1, b"RTL_ALT", -1))
    assert (by_name.param_value, by_name.param_type) == (1500.0, 6)
    (by_index,) = companion.send(mavlink.MAVLink_param_request_read_message(1, 1, b"", by_name.param_index))
    assert by_index.param_id == "RTL_ALT"


def test_an_unknown_name_gets_no_reply() -> None:
    companion = Companion(autopilot())
    assert companion.send(mavlink.MAVLink_param_request_read_message(1, 1, b"NO_SUCH", -1)) == []
    assert companion.send(_set("NO_SUCH", 1.0)) == []


@pytest.mark.parametrize(
    "name, sent, kept", [("WPNAV_SPEED", 812.5, 812.5), ("RTL_ALT", 2500.4, 2500.0), ("FS_GCS_ENABLE", 300.0, 127.0)]
)
def test_values_are_cast_to_the_parameters_type(name: str, sent: float, kept: float) -> None:
    companion = Companion(autopilot())
    (answer,) = companion.send(_set(name, sent))
    assert (answer.param_id, answer.param_value, answer.param_index) == (name, kept, 65535)
    assert companion.vehicle.parameters[name] == kept


def test_every_peer_hears_of_a_change() -> None:
    vehicle = autopilot()
    one, two = Companion(vehicle, 0), Companion(vehicle, 1, 255, 190)
    one.send(_set("WPNAV_SPEED", 600))
    assert two.listen()[0].param_value == 600.0


def test_overrides_and_a_misspelt_one() -> None:
    assert Parameters({"WPNAV_SPEED": 500.0})["WPNAV_SPEED"] == 500.0
    with pytest.raises(ValueError, match="WPNAV_SPED"):
        Parameters({"WPNAV_SPED": 500.0})
    with pytest.raises(KeyError):
        autopilot().set_parameter("WPNAV_SPED", 1.0)
    assert AutopilotConfig(HOME).parameters == {}
