"""MAVProxy and MAVSDK beside us on one ArduCopter throughout a flight, doing what a pilot does: neither is disturbed,
and what either takes over is let go at once. Nine minutes of its time.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
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
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.hangar import Asked, SitlHangar
from sim.world_cache import WorldCache
from tests.sim.conformance.facts import binary_of
from tests.sim.sitl.beside import Program, mavproxy, mavsdk

pytestmark = [
    pytest.mark.skipif(binary_of("ardupilot") is None, reason=f"{ArduCopter.variable} names no binary of ArduCopter"),
    pytest.mark.skipif(importlib.util.find_spec("MAVProxy") is None, reason="MAVProxy is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("mavsdk") is None, reason="MAVSDK is not installed"),
]
SEED = 1
UNDER_WAY_S, WATCHED_S = 6.0, 8.0
READ_EVERY_S = 5.0


class Reading(Course):
    """Has MAVProxy read parameters and missions while a flight goes on, by the way of those who look how far it is."""

    def __init__(self, proxy: Program) -> None:
        super().__init__(lambda share: self._read(), 1.0)
        self._proxy, self._calls = proxy, 0

    def _read(self) -> None:
        self._calls += 1
        if self._calls % int(READ_EVERY_S) == 0:  # the course is told once a second
            for line in ("wp list", "param fetch WPNAV_SPEED", "status GLOBAL_POSITION_INT"):
                self._proxy.type_in(line)


@pytest.fixture
def hangar(tmp_path: Path) -> Iterator[SitlHangar]:
    with SitlHangar(Asked("ardupilot", launch=binary_of("ardupilot")), tmp_path / "sitl") as hangar:
        yield hangar


def test_nobody_is_disturbed_and_either_takes_over(hangar: SitlHangar, tmp_path: Path) -> None:
    world, _ = hangar.world("procedural", SEED, True, print, False)
    site = Site.prepare(world, SEED, tmp_path, small=True, cache=WorldCache.default())
    third = hangar.lines[1].rsplit(":", 1)[0] + f":{int(hangar.lines[1].rsplit(':', 1)[1]) + 1}"
    with mavproxy(third, tmp_path / "proxy") as proxy, hangar.launcher(site, "pictures", print) as launcher:
        proxy.wait_for("online system 1")
        proxy.type_in("output add 127.0.0.1:14599")
        proxy.type_in("param fetch")
        run = launcher.launch(site, "beside", record=True)
        flight = run.flight
        with mavsdk("udpin://127.0.0.1:14599", tmp_path / "sdk") as tablet:
            try:
                fly_survey(site, flight, print, Reading(proxy))
                tablet.wait_for("connected")
                reply = choose(world.origin, flight, write_questions(site.world, site.plan, site.out / "targets"))
                assert reply is not None
                _taken_over(site, flight, reply.question, lambda: proxy.type_in("mode LOITER"))
                _taken_over(site, flight, reply.question, lambda: tablet.type_in("hold"))
                outcome, recording = Outcome(), Recording({})
                arrive(site, flight, reply.question, outcome, recording, Reading(proxy))
            finally:
                run.close()
            assert flight.referee.without_authority == 0
            assert outcome.arrival_error_m is not None and outcome.arrival_error_m < 10.0
            _undisturbed(proxy.said, tablet.said)


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


def _undisturbed(proxy: str, tablet: str) -> None:
    """Each of their questions was answered, and each of their transfers came whole."""
    fetched = re.search(r"Received (\d+) parameters", proxy)
    assert fetched is not None and int(fetched[1]) > 1000
    lists = [int(count) for count in re.findall(r"Requesting (\d+) waypoints", proxy)]
    assert len(lists) >= 5 and max(lists) > 3
    assert "link 1 down" not in proxy and "no link" not in proxy
    downloads = [int(count) for count in re.findall(r"^mission items: (\d+)", tablet, re.M)]
    assert len(downloads) >= 10 and max(downloads) == max(lists)
    assert len(re.findall(r"^parameter: ", tablet, re.M)) >= 10
    failed = [line for line in tablet.splitlines() if "FAILED" in line and "NO_MISSION_AVAILABLE" not in line]
    assert failed == []  # there is none until it is loaded
