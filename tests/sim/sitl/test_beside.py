"""MAVProxy and MAVSDK beside us on one real autopilot throughout a flight, doing what a pilot does: neither is
disturbed, and what either takes over is let go at once. Nine minutes of its time for each autopilot.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sim.scenario.aircraft import Flight
from sim.scenario.by_sight import choose
from sim.scenario.course import Course
from sim.scenario.crew import until
from sim.scenario.dialect import Script
from sim.scenario.engagement import arrive, engage
from sim.scenario.outcome import Outcome, Recording
from sim.scenario.questions import Question, write_questions
from sim.scenario.setup import Site
from sim.scenario.survey import fly_survey
from sim.sitl.hangar import FIRMWARE, Asked, SitlHangar
from sim.world_cache import WorldCache
from tests.sim.conformance.facts import binary_of
from tests.sim.sitl.beside import Program, mavproxy, mavsdk

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("MAVProxy") is None, reason="MAVProxy is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("mavsdk") is None, reason="MAVSDK is not installed"),
]
SEED = 1
UNDER_WAY_S, WATCHED_S = 6.0, 8.0
READ_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Habits:
    """``speed``: a parameter that a pilot looks at; ``most``: of parameters there are more than that; ``hold``: what is
    typed into MAVProxy to hold; ``third``: a line of others' own, from the companion's and the pilot's."""

    speed: str
    most: int
    hold: str
    third: Callable[[Sequence[str]], str]


def _next_tcp(lines: Sequence[str]) -> str:
    """ArduPilot's third port is the next after the pilot's."""
    line, port = lines[1].rsplit(":", 1)
    return f"{line}:{int(port) + 1}"


def _payload(lines: Sequence[str]) -> str:
    """PX4 speaks to a payload's computer on a line of its own, as many ports below the companion's as here."""
    return f"udpin:0.0.0.0:{int(lines[0].rsplit(':', 1)[1]) - 510}"


# MAVProxy's `mode LOITER` ends in an error of its own on PX4, whose modes have three numbers.
HABITS = {
    "ardupilot": Habits("WPNAV_SPEED", 1000, "mode LOITER", _next_tcp),
    "px4": Habits("MPC_XY_CRUISE", 500, "long MAV_CMD_DO_SET_MODE 1 4 3 0 0 0 0", _payload),
}


class Reading(Course):
    """Has MAVProxy read parameters and missions while a flight goes on, by the way of those who look how far it is."""

    def __init__(self, proxy: Program, speed: str) -> None:
        super().__init__(lambda share: self._read(), 1.0)
        self._proxy, self._speed, self._calls = proxy, speed, 0

    def _read(self) -> None:
        self._calls += 1
        if self._calls % int(READ_EVERY_S) == 0:  # the course is told once a second
            for line in ("wp list", f"param fetch {self._speed}", "status GLOBAL_POSITION_INT"):
                self._proxy.type_in(line)


@pytest.fixture(params=list(HABITS))
def hangar(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SitlHangar]:
    name, binary = request.param, binary_of(request.param)
    if binary is None:
        pytest.skip(f"{FIRMWARE[name]().variable} names no binary of the simulator of {FIRMWARE[name]().name}")
    with SitlHangar(Asked(name, launch=binary), tmp_path / "sitl") as hangar:
        yield hangar


def test_nobody_is_disturbed_and_either_takes_over(
    hangar: SitlHangar, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    habits = HABITS[request.node.callspec.params["hangar"]]
    world, _ = hangar.world("procedural", SEED, True, print, False)
    site = Site.prepare(world, SEED, tmp_path, small=True, cache=WorldCache.default())
    third = habits.third(hangar.lines)
    with mavproxy(third, tmp_path / "proxy") as proxy, hangar.launcher(site, "pictures", print) as launcher:
        proxy.wait_for("online system 1")
        proxy.type_in("output add 127.0.0.1:14599")
        proxy.type_in("param fetch")
        run = launcher.launch(site, "beside", record=True)
        flight = run.flight
        with mavsdk("udpin://127.0.0.1:14599", habits.speed, tmp_path / "sdk") as tablet:
            try:
                fly_survey(site, flight, print, Reading(proxy, habits.speed))
                tablet.wait_for("connected")
                reply = choose(world.origin, flight, write_questions(site.world, site.plan, site.out / "targets"))
                assert reply is not None
                _taken_over(site, flight, reply.question, lambda: proxy.type_in(habits.hold))
                _taken_over(site, flight, reply.question, lambda: tablet.type_in("hold"))
                outcome, recording = Outcome(), Recording({})
                arrive(site, flight, reply.question, outcome, recording, Reading(proxy, habits.speed))
            finally:
                run.close()
            assert flight.referee.without_authority == 0
            assert outcome.arrival_error_m is not None and outcome.arrival_error_m < 10.0
            print(_undisturbed(proxy.said, tablet.said, habits.most))
            commands = len(flight.referee.commands)
            print(f"{hangar.autopilot}: arrived {outcome.arrival_error_m} m from the target, {commands} commands")


def _taken_over(site: Site, flight: Flight, question: Question, take: Callable[[], None]) -> None:
    """Engaged and under way; then somebody else's program changes the mode: not a command after that was heard."""
    assert engage(site, flight, question)
    flight.fly(UNDER_WAY_S)
    assert flight.referee.authority and len(flight.referee.commands) > 0
    take()
    assert flight.run(_out_of_guided(flight), 15.0), "the mode was not changed"
    flight.fly(1.0)  # what was on its way to the daemon has arrived
    before = len(flight.referee.commands)
    flight.fly(WATCHED_S)
    assert not flight.referee.authority
    assert len(flight.referee.commands) == before


def _out_of_guided(flight: Flight) -> Script:
    return until(lambda: not flight.station.is_in("GUIDED"))


def _undisturbed(proxy: str, tablet: str, most: int) -> str:
    """Each of their questions was answered, and each of their transfers came whole; the figures in words."""
    fetched = re.search(r"Received (\d+) parameters", proxy)
    assert fetched is not None and int(fetched[1]) > most
    lists = [int(count) for count in re.findall(r"Requesting (\d+) waypoints", proxy)]
    assert len(lists) >= 5 and max(lists) > 3
    assert "link 1 down" not in proxy and "no link" not in proxy
    downloads = [int(count) for count in re.findall(r"^mission items: (\d+)", tablet, re.M)]
    assert len(downloads) >= 10 and max(downloads) == max(lists)
    read = re.findall(r"^parameter: ", tablet, re.M)
    assert len(read) >= 10
    failed = [line for line in tablet.splitlines() if "FAILED" in line and "NO_MISSION_AVAILABLE" not in line]
    assert failed == []  # there is none until it is loaded
    return (f"MAVProxy: {fetched[1]} parameters, {len(lists)} lists of up to {max(lists)} items; "
            f"MAVSDK: {len(downloads)} downloads, {len(read)} parameters read")  # fmt: skip
