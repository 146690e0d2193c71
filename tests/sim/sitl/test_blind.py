"""The camera of a real autopilot's flight sees nothing for ten seconds, with GPS and without: three minutes of its time
for each autopilot.

Nothing is commanded, and what is fed never throws the estimator: its own position, less the truth, makes no step when
vision stops, nor when it resumes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.geodesy import offset
from sim.scenario.by_sight import CAMERA_NS, SIGHT_LIMIT_S, sees, upwind_of_middle, wait_until
from sim.scenario.conditions import Conditions
from sim.scenario.engagement import status_of
from sim.scenario.plan import Point
from sim.scenario.setup import Site
from sim.sitl.airfield import fly_to
from sim.sitl.belief import Belief
from sim.sitl.flight import SitlFlight
from sim.sitl.hangar import FIRMWARE, Asked, SitlHangar
from sim.world_cache import WorldCache
from tests.sim.conformance.facts import binary_of

SEED = 1
BLIND_S, AFTER_S, FED_S = 10.0, 20.0, 15.0
ROUND: tuple[Point, ...] = ((40.0, 0.0), (40.0, 40.0), (0.0, 40.0), (0.0, 0.0))  # metres: what is remembered
MET = Conditions(fed=True)
MOST_STEP_M = 1.0  # between two positions, a tenth of a second apart, with GPS: three sigma of what is fed
MOST_OFF_M = 5.0  # in the end, without GPS: what an arrival by sight may be off


@dataclass(frozen=True, slots=True)
class Blind:
    """How far the autopilot's position stepped at most while the camera saw nothing and after, and was off in the
    end; seconds until the camera's word was trusted again; the mode in the end."""

    step_m: float
    worst_m: float
    end_m: float
    seen_again_s: float
    mode_kept: bool

    def __str__(self) -> str:
        kept = "holds" if self.mode_kept else "holds no more"
        return (f"largest step {self.step_m:.2f} m, off by {self.worst_m:.1f} m at worst and {self.end_m:.1f} m in the "
                f"end, camera trusted again after {self.seen_again_s:.1f} s, {kept}")  # fmt: skip


@pytest.fixture(params=["ardupilot", "px4"])
def hangar(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SitlHangar]:
    name, binary = request.param, binary_of(request.param)
    if binary is None:
        pytest.skip(f"{FIRMWARE[name]().variable} names no binary of the simulator of {FIRMWARE[name]().name}")
    with SitlHangar(Asked(name, launch=binary), tmp_path / "sitl") as hangar:
        yield hangar


def test_ten_seconds_without_sight_throw_nothing(hangar: SitlHangar, tmp_path: Path) -> None:
    world, _ = hangar.world("procedural", SEED, True, print, False)
    site = Site.prepare(world, SEED, tmp_path, small=True, cache=WorldCache.default())
    start = upwind_of_middle(site, (0.0, 0.0), 0.0)
    with hangar.launcher(site, "pictures", print) as launcher:
        run = launcher.meeting(MET).launch(site, "blind", record=True, airborne=start)
        flight, pilot = run.flight, hangar.pilot
        assert isinstance(flight, SitlFlight)
        try:
            flight.expose_every(CAMERA_NS)
            for north, east in ROUND:
                place = offset(site.world.origin, start[0] + north, start[1] + east)
                assert flight.run(fly_to(pilot, place, MET), 60.0), "the pilot did not get round"
            assert wait_until(flight, sees, SIGHT_LIMIT_S), "the camera knows no place"
            with_gps = _blind(flight, hangar)
            print(f"{hangar.autopilot}, with GPS: {with_gps}")
            flight.cut_gps()
            flight.fly(FED_S)
            assert sees(flight) and pilot.is_in("LOITER"), f"it does not hold on what it is fed: {status_of(flight)}"
            without = _blind(flight, hangar)
            print(f"{hangar.autopilot}, without GPS: {without}")
        finally:
            run.close()
    assert len(flight.referee.commands) == 0
    assert with_gps.mode_kept and with_gps.step_m < MOST_STEP_M
    assert without.end_m < MOST_OFF_M


def _blind(flight: SitlFlight, hangar: SitlHangar) -> Blind:
    beliefs = hangar.pilot.beliefs
    before = len(beliefs)
    flight.cover_camera(True)
    flight.fly(BLIND_S)
    flight.cover_camera(False)
    freed_ns = flight.t_ns
    assert wait_until(flight, sees, SIGHT_LIMIT_S), "the camera does not find its place again"
    seen_again_s = (flight.t_ns - freed_ns) * 1e-9
    flight.fly(AFTER_S)
    told = beliefs[before:]
    return Blind(_largest_step_m(told), max(one.error_m for one in told), told[-1].error_m, seen_again_s,
                 hangar.pilot.is_in("LOITER"))  # fmt: skip


def _largest_step_m(beliefs: list[Belief]) -> float:
    pairs = zip(beliefs, beliefs[1:], strict=False)
    return max(math.hypot(b.north_m - a.north_m, b.east_m - a.east_m) for a, b in pairs)
