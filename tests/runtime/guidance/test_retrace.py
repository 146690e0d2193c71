"""Ground that is covered, and the shortest way over it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, box

from runtime.geodesy import distance_m
from runtime.guidance.covered_ground import CoveredGround
from runtime.guidance.retrace import Retrace
from runtime.values import Coverage, GeoPoint
from sim.authority.pilot import HOME
from tests.runtime.guidance.ground import Corner, at, seen, track

EVERYWHERE = box(-1e5, -1e5, 1e5, 1e5)
METRES = st.floats(-300.0, 300.0, allow_subnormal=False)
SIDES = st.floats(10.0, 200.0, allow_subnormal=False)
CORNERS = st.tuples(METRES, METRES)


def bare_m(coverage: Coverage, way: Sequence[GeoPoint]) -> list[float]:
    ground = CoveredGround(coverage)
    return [stretch.length_m for stretch in ground.bare(ground.plane(way))]


def length_m(way: Sequence[GeoPoint]) -> float:
    return sum(distance_m(a, b) for a, b in pairwise(way))


def planned(coverage: Coverage, start: GeoPoint, target: GeoPoint, bridge_m: float = 80.0) -> list[GeoPoint]:
    corners = Retrace(CoveredGround(coverage), bridge_m).plan(start, target, EVERYWHERE)
    assert corners is not None and corners[-1] == target
    return [start, *corners]


# What is bare


def test_the_bare_stretches_of_a_way_lie_between_the_squares() -> None:
    ground = CoveredGround(seen([(0.0, 0.0), (200.0, 0.0)]))
    (stretch,) = ground.bare(ground.plane([at(0.0, 0.0), at(200.0, 0.0)]))
    assert (stretch.start_m, stretch.end_m) == pytest.approx((50.0, 150.0), abs=0.01)
    assert ground.bare(ground.plane([at(-50.0, 50.0), at(50.0, -50.0)])) == []  # a square, with its corners
    found = ground.bare(ground.plane([at(-100.0, 0.0), at(-100.0, 100.0), at(0.0, 100.0), at(0.0, 0.0)]))
    assert [(round(one.start_m), round(one.end_m)) for one in found] == [(0, 250)]  # round two corners, one stretch


def test_the_tiles_of_a_map_leave_no_seam() -> None:
    tiles = [(north * 100.0, east * 100.0) for north in range(5) for east in range(5)]
    assert bare_m(seen(tiles), [at(-40.0, -40.0), at(440.0, 430.0)]) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(CORNERS, SIDES), min_size=1, max_size=6), CORNERS, CORNERS)
def test_what_is_bare_is_what_no_sample_of_the_way_finds_covered(
    squares: list[tuple[Corner, float]], start: Corner, end: Corner
) -> None:
    coverage = seen([centre for centre, _ in squares], [side_m for _, side_m in squares])
    ground = CoveredGround(coverage)
    way = ground.plane([at(*start), at(*end)])
    samples = np.linspace(way[0], way[1], 2001)
    off = np.abs(samples[:, None] - ground.centres_m[None]).max(axis=2) <= ground.half_m
    share = 1.0 - off.any(axis=1).mean()
    whole_m = float(np.hypot(*(way[1] - way[0])))
    assert sum(one.length_m for one in ground.bare(way)) == pytest.approx(share * whole_m, abs=0.01 * whole_m + 0.1)


# The way


def test_a_way_over_an_l_goes_round_its_corner_and_no_farther_than_it_must() -> None:
    coverage = seen(track([(0.0, 0.0), (600.0, 0.0), (600.0, 600.0)]))
    way = planned(coverage, at(0.0, 0.0), at(600.0, 600.0))
    assert bare_m(coverage, way) == []
    # The inner corner of the corridor is (550, 50): the shortest line that stays inside it passes there.
    shortest = math.hypot(550.0, 50.0) + math.hypot(50.0, 550.0)
    assert shortest - 0.1 <= length_m(way) <= 1.05 * shortest
    assert 3 <= len(way) <= 6


def test_where_the_straight_way_is_covered_it_is_taken() -> None:
    survey = [(north, east) for east in range(0, 400, 45) for north in range(0, 400, 15)]
    assert len(planned(seen(survey), at(10.0, 5.0), at(380.0, 350.0))) == 2


def test_a_gap_that_may_be_coasted_is_bridged_and_a_wider_one_is_gone_around() -> None:
    ring = track([(0.0, 0.0), (0.0, 400.0), (400.0, 400.0), (400.0, 0.0)], 20.0)
    open_side = seen([*ring, *track([(0.0, 0.0), (150.0, 0.0)]), *track([(300.0, 0.0), (400.0, 0.0)])])
    straight = planned(open_side, at(0.0, 0.0), at(400.0, 0.0), bridge_m=60.0)
    assert len(straight) == 2 and bare_m(open_side, straight) == pytest.approx([50.0], abs=0.1)
    assert len(planned(open_side, at(0.0, 0.0), at(400.0, 0.0), bridge_m=40.0)) > 2
    around = planned(seen(ring), at(0.0, 0.0), at(400.0, 0.0), bridge_m=60.0)
    assert len(around) > 2 and bare_m(seen(ring), around) == []


def test_a_place_beyond_the_ground_is_reached_over_a_bridge_or_not_at_all() -> None:
    line = seen(track([(0.0, 0.0), (300.0, 0.0)]))
    assert bare_m(line, planned(line, at(0.0, 0.0), at(420.0, 0.0))) == pytest.approx([70.0], abs=0.1)
    assert Retrace(CoveredGround(line), 80.0).plan(at(0.0, 0.0), at(450.0, 0.0), EVERYWHERE) is None


def test_a_way_stays_inside_the_region_whatever_its_shape() -> None:
    field = seen([(north, east) for north in range(0, 601, 40) for east in range(0, 601, 40)])
    ground = CoveredGround(field)
    wall = box(200.0, -50.0, 400.0, 500.0)  # open at its eastern end only
    region = box(-50.0, -50.0, 650.0, 650.0).difference(wall)
    corners = Retrace(ground, 80.0).plan(at(0.0, 0.0), at(600.0, 0.0), region)
    assert corners is not None
    assert region.buffer(0.1).covers(LineString(ground.plane([at(0.0, 0.0), *corners])))
    closed = box(-50.0, -50.0, 650.0, 650.0).difference(box(200.0, -50.0, 400.0, 660.0))
    assert Retrace(ground, 80.0).plan(at(0.0, 0.0), at(600.0, 0.0), closed) is None


@settings(max_examples=40, deadline=None)
@given(st.lists(CORNERS, min_size=1, max_size=30), st.sampled_from([20.0, 60.0, 150.0]), CORNERS, CORNERS)
def test_no_way_over_any_ground_is_bare_for_longer_than_the_bridge_or_longer_than_a_straight_one_that_is_allowed(
    centres: list[Corner], side_m: float, start: Corner, end: Corner
) -> None:
    coverage = seen(centres, side_m)
    corners = Retrace(CoveredGround(coverage), 50.0).plan(at(*start), at(*end), EVERYWHERE)
    straight = [at(*start), at(*end)]
    bare = bare_m(coverage, straight)
    if corners is None:
        assert max(bare, default=0.0) > 50.0  # else the straight way would have done
        return
    way = [at(*start), *corners]
    assert max(bare_m(coverage, way), default=0.0) <= 50.0 + 0.01
    assert sum(bare_m(coverage, way)) <= length_m(way) + 1e-6
    if not bare:
        assert corners == (at(*end),)


@pytest.mark.parametrize("centres", [[(0.0, 0.0)], [(0.0, 0.0)] * 9, [(float(k), 0.0) for k in range(300)]])
def test_one_keyframe_many_of_one_place_and_a_straight_line_of_them_are_grounds_too(centres: list[Corner]) -> None:
    assert len(planned(seen(centres), at(0.0, 10.0), at(20.0, 0.0))) == 2
    assert len(planned(seen(centres), at(0.0, 0.0), at(0.0, 0.0))) == 2


def test_ten_thousand_keyframes_cost_a_fraction_of_a_second() -> None:
    turns = np.cumsum(np.random.default_rng(1).normal(0.0, 0.15, 10_000))
    centres = np.cumsum(12.0 * np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0)
    coverage = seen([(0.0, 0.0)])
    scale = np.array([1.0 / 111_320.0, 1.0 / (111_320.0 * math.cos(math.radians(HOME.latitude_deg)))])
    degrees = np.array([HOME.latitude_deg, HOME.longitude_deg]) + centres * scale
    coverage = Coverage(degrees, np.full(10_000, 100.0))
    begun_s = process_time()
    way = planned(coverage, GeoPoint(*degrees[0]), GeoPoint(*degrees[-1]))
    assert process_time() - begun_s < 2.0  # 0.3 s where it was written
    assert max(bare_m(coverage, way), default=0.0) <= 80.0
