"""A mission over the link: both dialects, through loss, read back, put back where it fails, and not while armed."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import pytest

from runtime.errors import MissionError, VehicleError
from runtime.geodesy import offset
from runtime.mission.items import Mission, MissionItem, differences, on_the_wire
from runtime.mission.plan import plan_to
from runtime.mission.session import MissionSession
from runtime.vehicle.telemetry.state import GeoHeight
from tests.runtime.mission.vehicles import HOME, SECOND, Copter, Line, Px4
from tests.runtime.vehicle.peer import Peer

ROUTE = plan_to(offset(HOME, 10.0, 0.0), offset(HOME, 900.0, -400.0), 110.0, GeoHeight(HOME, 31.0)).mission
OTHER = plan_to(HOME, offset(HOME, -300.0, 0.0), 80.0, GeoHeight(HOME, 31.0)).mission


def talk(line: Line) -> MissionSession:
    session = MissionSession({"vehicle": line}, line)
    session.find(10.0)
    return session


@pytest.mark.parametrize("kind", [Copter, Px4])
def test_the_route_is_loaded_read_back_and_cleared(kind: type[Line]) -> None:
    line = kind()
    session = talk(line)
    assert session.upload(ROUTE) == []
    read = session.download()
    assert len(read.items) == len(ROUTE.items) == 6
    assert differences(on_the_wire(ROUTE, session.stack), on_the_wire(read, session.stack), session.stack) == []
    assert all(m.get_type() != "MISSION_ITEM" for m in line.sent), "a place never travels as float32"
    session.clear()
    assert session.download().items == ()
    assert {m.mission_type for m in line.sent if m.get_type().startswith("MISSION")} == {0}


def test_each_autopilot_gets_its_own_dialect() -> None:
    copter, px4 = on_the_wire(ROUTE, "ardupilot"), on_the_wire(ROUTE, "px4")
    assert len(copter) == len(px4) + 1
    assert (copter[0].latitude_deg, copter[0].longitude_deg, copter[0].height_m) == (60.4, 22.1, 31.0)
    assert not any(math.isnan(value) for item in copter for value in item.parameters)
    assert all(math.isnan(item.parameters[3]) for item in px4)


@pytest.mark.parametrize("kind", [Copter, Px4])
@pytest.mark.parametrize("loss", [0.15, 0.3])
def test_it_goes_through_loss(kind: type[Line], loss: float) -> None:
    line = kind(loss=loss, chance=random.Random(3))
    session = talk(line)
    begun_ns = line.t_ns
    assert session.upload(ROUTE) == []
    assert (line.t_ns - begun_ns) * 1e-9 < 60.0
    line.loss = 0.0
    assert len(session.download().items) == 6


def test_a_mission_that_is_kept_wrongly_once_is_sent_again() -> None:
    line = Px4(spoils=1)
    assert talk(line).upload(ROUTE) == []
    assert line.names().count("MISSION_COUNT") == 2


def test_a_mission_that_is_not_taken_leaves_the_one_that_was_there() -> None:
    line = Px4()
    session = talk(line)
    session.upload(OTHER)
    held, line.spoils = repr(line.held), 3
    with pytest.raises(MissionError, match=r"item 5 .*it became NAV_WAYPOINT; it has its former mission again\.$"):
        session.upload(ROUTE)
    assert repr(line.held) == held


@pytest.mark.parametrize("refuses, name", [(4, "NO_SPACE"), (14, "DENIED"), (3, "UNSUPPORTED")])
def test_a_refusal_is_named(refuses: int, name: str) -> None:
    line = Px4(refuses=refuses)
    with pytest.raises(MissionError, match=f"to 6 items with {name}; it has its former mission again"):
        talk(line).upload(ROUTE)
    assert line.held == []


def test_a_vehicle_that_falls_silent_is_not_waited_for_for_ever() -> None:
    line = Px4()
    session = talk(line)
    line.deaf = True
    begun_ns = line.t_ns
    with pytest.raises(MissionError, match="does not answer to 6 items; what its mission is now is not known"):
        session.upload(ROUTE)
    assert line.t_ns - begun_ns < 60 * SECOND
    with pytest.raises(MissionError, match="was not read: the autopilot does not answer what its mission is"):
        session.download()


def test_an_armed_vehicle_keeps_its_mission_unless_told_otherwise() -> None:
    line = Px4(armed=True)
    session = talk(line)
    for change in (lambda: session.upload(ROUTE), session.clear):
        with pytest.raises(VehicleError, match="is armed.*--while-armed"):
            change()
    assert not {name for name in line.names() if name.startswith("MISSION")}
    session.upload(ROUTE, while_armed=True)
    assert len(line.held) == 6


class ArmedMeanwhile(Px4):
    """The pilot arms it while its old mission is read."""

    def given(self, raw: bytes, message: Any) -> None:
        self.armed = self.armed or message.get_type() == "MISSION_REQUEST_INT"
        super().given(raw, message)


def test_a_vehicle_that_is_armed_meanwhile_keeps_its_mission() -> None:
    line = ArmedMeanwhile(held=list(OTHER.items) * 30)
    with pytest.raises(VehicleError, match="is armed"):
        talk(line).upload(ROUTE)
    assert "MISSION_COUNT" not in line.names()


class Shared(Px4):
    """A network with another vehicle on it."""

    def read(self) -> list[tuple[bytes, int]]:
        return [*super().read(), (OTHER_VEHICLE.step(self.t_ns), self.t_ns)]


OTHER_VEHICLE = Peer(system_id=7)


def test_two_autopilots_are_told_apart_by_the_operator_alone() -> None:
    line = Shared()
    with pytest.raises(VehicleError, match=r"more than one autopilot is heard \(\d/1 too\); say which by --system"):
        talk(line)
    session = MissionSession({"vehicle": line}, line, system_id=1)
    session.find(10.0)
    assert session.stack == "px4"


class Unsigned(Px4):
    """A signed link that hears nothing of what comes."""

    def read(self) -> list[tuple[bytes, int]]:
        return []

    def counts(self) -> dict[str, int]:
        return {"link_packets_unsigned": 12, "link_packets_forged": 3}


def test_a_wrong_key_is_named_where_nobody_is_heard() -> None:
    with pytest.raises(VehicleError, match="although 15 packets without a right signature came; check the key of both"):
        talk(Unsigned())


def test_what_the_autopilot_does_not_keep_is_told_and_what_it_changes_is_an_error() -> None:
    sent = (MissionItem(16, 3, (0.0, 5.0, 0.0, 0.0), 60.0, 22.0, 40.0),)
    mission = Mission((*ROUTE.items[:1], *sent))
    wire = on_the_wire(mission, "ardupilot")

    def read(**changed: object) -> tuple[MissionItem, ...]:
        return (*wire[:2], replace(wire[2], **changed))  # type: ignore[arg-type]

    assert differences(wire, read(parameters=(0.0, 0.0, 0.0, 0.0)), "ardupilot") == []
    assert differences(wire, read(frame=6), "ardupilot") == []
    assert differences(wire, read(height_m=40.01, latitude_deg=60.0000001), "ardupilot") == []
    for changed, what in (
        ({"parameters": (0.0, 0.0, 0.0, 0.0)}, "parameter 2 of 5 became 0"),
        ({"parameters": (9.0, 5.0, 0.0, 0.0)}, "parameter 1 of 0 became 9"),
        ({"frame": 0}, "its frame 3 became 0"),
        ({"height_m": 41.0}, "its place became another"),
        ({"longitude_deg": 22.00001}, "its place became another"),
        ({"command": 21}, "it became NAV_LAND"),
    ):
        assert differences(wire, read(**changed), "px4") == [f"item 2 (NAV_WAYPOINT): {_its(what)}"]
    assert differences(wire, wire[:2], "px4") == ["3 items were sent and 2 came back"]


def _its(what: str) -> str:
    return what if what.startswith("it") else f"its {what}"
