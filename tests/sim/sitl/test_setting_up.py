"""A vehicle is set up before a scenario, rebooted only where that is needed, and refused where it is another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runtime.errors import UsageError
from runtime.geodesy import distance_m
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.server import AutopilotServer
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.firmware import Firmware
from sim.sitl.pilot import Pilot
from sim.sitl.setting_up import set_up
from sim.sitl.wires import Wires
from tests.sim.sitl.built_in import HOME, TruthfulCopter, exact_autopilot


class Quick(TruthfulCopter):
    """The few parameters that the built-in autopilot has of those."""

    def set_up(self) -> dict[str, float]:
        return {"VISO_TYPE": 1.0, "VISO_DELAY_MS": 140.0}


@contextmanager
def connected(autopilot: Autopilot, firmware: Firmware) -> Iterator[Pilot]:
    with AutopilotServer(autopilot, ["tcpin:127.0.0.1:0", "tcpin:127.0.0.1:0"]) as server:
        first, second = ("tcp:{}:{}".format(*address) for address in server.addresses)
        wires = Wires(first, second, Pilot(firmware))
        try:
            yield wires.pilot
        finally:
            wires.close()


def test_it_is_set_up_and_says_where_it_stands() -> None:
    autopilot = exact_autopilot(VISO_TYPE=1.0)
    with connected(autopilot, Quick()) as pilot:
        stand = set_up(pilot, again_s=0.2)
        assert distance_m(stand.position, HOME) < 0.1
        assert pilot.parameters["VISO_DELAY_MS"] == 140.0
    assert autopilot.parameters["VISO_DELAY_MS"] == 140.0


def test_a_simulator_of_something_else_is_refused_with_what_it_lacks() -> None:
    with connected(exact_autopilot(), ArduCopter()) as pilot:
        with pytest.raises(UsageError, match="does not say where it is; is it the simulator of ArduCopter?"):
            set_up(pilot, patience_s=0.5, again_s=0.1)


class Newer(Quick):
    """Has a parameter that the autopilot there has not."""

    def set_up(self) -> dict[str, float]:
        return {**super().set_up(), "VISO_OF_LATER": 1.0}


def test_what_it_does_not_take_is_named() -> None:
    with connected(exact_autopilot(VISO_TYPE=1.0), Newer()) as pilot:
        with pytest.raises(UsageError, match="does not take VISO_OF_LATER; is it the simulator of ArduCopter?"):
            set_up(pilot, patience_s=1.0, again_s=0.2)


def test_a_vehicle_in_the_air_is_refused() -> None:
    autopilot = exact_autopilot(VISO_TYPE=1.0)
    autopilot.start_in_flight((0.0, 0.0, -30.0), "LOITER")
    with connected(autopilot, Quick()) as pilot, pytest.raises(UsageError, match="flies; a scenario begins on the gr"):
        set_up(pilot, again_s=0.2)
