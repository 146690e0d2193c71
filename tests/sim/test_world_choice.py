"""A world that is too easy is refused, or seen on other dates until it is not; the figures of all are told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import HardnessError
from runtime.values import GeoPoint
from sim.hardness import PAIRS, POOL, HardnessReport, galleries, hardness, measure, network
from sim.world.world import AnyWorld, Scene, World
from sim.world_choice import MOST_DATES, RECORDED, accepted, judged_world, open_world, record, recorded, tried

SEED, SIDE_M = 100_230, 180.0


class SameDay:
    """A world whose satellite passed while the drone flew: one rendering, twice."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.origin: GeoPoint = world.origin
        self.size_m, self.seed, self.registration_ne_m = world.size_m, world.seed, (0.0, 0.0)

    def scene(self, date: str) -> Scene:
        return self._world.scene("flight")


def small(world: AnyWorld) -> HardnessReport:
    """The measurement itself, on a small part of a world."""
    return measure(*galleries(world, pairs=6, pool=9), network())


def figures(sift: float) -> HardnessReport:
    return HardnessReport(sift, 0.1, 0.6, 200, 500)


def test_the_same_date_twice_is_refused_whatever_the_dates() -> None:
    world, told = World.generate(SEED, SIDE_M), list[str]()
    easy = SameDay(world)
    report = small(easy)
    assert report.sift > 0.5 > small(world).sift
    with pytest.raises(HardnessError, match=f"too easy or too hard on {MOST_DATES} pairs") as refusal:
        accepted(lambda dates: easy, told.append, lambda world: report)
    assert refusal.value.exit_status == 3
    assert len(told) == MOST_DATES
    assert all("not accepted" in line for line in told)


def test_the_first_accepted_pair_of_dates_is_taken() -> None:
    made = list[int]()

    def make(dates: int) -> World:
        made.append(dates)
        return World.generate(SEED, 60.0, dates=dates)

    shares = iter((0.155, 0.11, 0.10, 0.0))
    told = list[str]()
    world, report = accepted(make, told.append, lambda world: figures(next(shares)))
    assert made == [0, 1, 2]
    assert isinstance(world, World) and world.dates == report.dates == 2
    assert report.sift == 0.10
    assert [line.endswith("not accepted") for line in told] == [True, True, False]
    assert "SIFT 0.155" in told[0]


def test_what_the_command_flies_in_is_what_was_accepted() -> None:
    shares, told = iter((0.5, 0.05)), list[str]()
    world, report = judged_world("procedural", SEED, told.append, lambda world: figures(next(shares)))
    assert isinstance(world, World) and world.dates == 1 and report.sift == 0.05
    assert len(told) == 2


def test_a_world_on_record_is_flown_without_being_measured_and_only_where_it_was_accepted() -> None:
    told = list[str]()
    world, report = judged_world("procedural", 1, told.append)
    assert isinstance(world, World) and report == recorded(1) and world.dates == recorded(1).dates
    assert "on record" in told[0] and told[0].endswith(": accepted")
    on_record = json.loads(RECORDED.read_text())
    assert set(map(str, range(1, 11))) <= on_record.keys()
    for seed in on_record:
        kept = recorded(int(seed))
        assert kept is not None and kept.accepted and (kept.pairs, kept.pool) == (PAIRS, POOL), seed


def test_a_world_that_nobody_measured_is_not_on_record_and_what_is_written_is_read(tmp_path: Path) -> None:
    assert recorded(SEED) is None
    path = tmp_path / "record.json"
    for seed, report in ((12, figures(0.05)), (3, replace(figures(0.01), dates=2)), (12, figures(0.02))):
        record(seed, report, path)
    assert list(json.loads(path.read_text())) == ["3", "12"]
    assert recorded(12, path) == figures(0.02) and recorded(3, path) == replace(figures(0.01), dates=2)


@pytest.mark.long
@pytest.mark.slow
def test_the_record_still_holds_for_the_world_that_is_flown_most() -> None:
    """The whole measurement of seed 1, the demonstration's: who changes how worlds look has to measure them anew."""
    on_record = recorded(1)
    assert on_record is not None
    measured = hardness(open_world("procedural", 1, on_record.dates))
    for figure in ("sift", "correlation", "pooled"):
        assert getattr(measured, figure) == pytest.approx(getattr(on_record, figure), abs=0.03), figure
    assert measured.accepted


def test_nothing_is_tried_beyond_the_last_pair() -> None:
    world = World.generate(SEED, 60.0)
    reports = [report for _, report in tried(lambda dates: world, lambda world: figures(0.5))]
    assert [report.dates for report in reports] == list(range(MOST_DATES))


def test_the_rule_is_measured_on_200_pairs_in_a_pool_of_500() -> None:
    assert (PAIRS, POOL) == (200, 500)
    assert galleries.__defaults__ == (0, PAIRS, POOL)
