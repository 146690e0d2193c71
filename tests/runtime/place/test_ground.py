"""The lattice over the ground agrees with adding up every keyframe's surface point by point."""

from __future__ import annotations

import cv2
import numpy as np

from runtime.place.field import Field
from runtime.place.ground import APART, Ground

CELL_M = 5.0


def bump(at_ne_m: tuple[float, float], centre_ne_m: tuple[float, float], reach: int = 8) -> np.ndarray:
    """(1, K, K) cosines: a peak at one point of the ground as a keyframe elsewhere sees it."""
    shifts = np.arange(-reach, reach + 1) * CELL_M
    north, east = centre_ne_m[0] - shifts[:, None], centre_ne_m[1] + shifts[None, :]
    distance2 = (north - at_ne_m[0]) ** 2 + (east - at_ne_m[1]) ** 2
    return np.asarray(100 * (0.05 + 0.3 * np.exp(-distance2 / (2 * 6.0**2))), np.float32)[None]


COUNTS = np.full((17, 17), 100.0, np.float32)


def lay(ground: Ground, centres: np.ndarray, dots: np.ndarray, counts: np.ndarray) -> None:
    ground.lay(ground.spread(centres, len(counts), CELL_M), dots, counts)


def field_of(peaks: list[tuple[float, float]], centres: list[tuple[float, float]]) -> Field:
    """Every keyframe sees every peak within its reach."""
    ground = Ground(np.array(centres), 80.0)
    dots = np.concatenate([sum(bump(peak, centre) for peak in peaks) for centre in centres]).astype(np.float32)
    ground.expect(100.0, CELL_M)
    lay(ground, np.array(centres), dots, COUNTS)
    return ground.field()


def test_a_peak_is_found_between_nodes_and_cells() -> None:
    for at in ((3.3, -7.9), (21.7, 14.2), (-16.4, 30.0)):
        found = field_of([at], [(0.0, 0.0), (17.0, 23.0), (-20.0, 9.0)]).peaks(1, 30.0)
        assert np.hypot(found[0].ne_m[0] - at[0], found[0].ne_m[1] - at[1]) < 1.0
        assert found[0].sharpness > 0.1


def test_peaks_are_distinct_and_sorted() -> None:
    field = field_of([(0.0, 0.0), (30.0, 30.0)], [(10.0, 10.0), (20.0, 20.0)])
    found = field.peaks(3, 20.0)
    assert [one.sharpness for one in found] == sorted((one.sharpness for one in found), reverse=True)
    for number, one in enumerate(found):
        for other in found[:number]:
            assert np.hypot(one.ne_m[0] - other.ne_m[0], one.ne_m[1] - other.ne_m[1]) >= 20.0 - 3.0
    assert {tuple(np.round(np.array(one.ne_m) / 10).astype(int)) for one in found[:2]} == {(0, 0), (3, 3)}


def test_a_place_is_open_where_its_surroundings_are_not_seen_on_every_side() -> None:
    """The square of one keyframe ends 40 m from its middle."""
    for north, is_open in ((0.0, False), (-25.0, False), (34.0, True), (39.0, True), (48.0, True)):
        best = field_of([(north, 5.0)], [(0.0, 0.0)]).peaks(1, 20.0)[0]
        assert best.open == is_open and (abs(best.ne_m[0] - north) < 1.0 or north > 40.0)
        more = field_of([(north, 5.0)], [(0.0, 0.0), (40.0, 0.0)]).peaks(1, 20.0)[0]
        assert abs(more.ne_m[0] - north) < 1.0 and not more.open, "what lies further north was seen too"


def test_a_street_that_leads_out_of_the_flown_ground_is_open_where_it_leaves() -> None:
    """It fits the better, the nearer to the true place, 30 m beyond."""
    street = [(70.0 - 6.0 * step, 0.0) for step in range(10)]
    centres = np.array([(0.0, 0.0), (0.0, 30.0)])
    ground = Ground(centres, 80.0)
    ground.expect(100.0, CELL_M)
    dots = [sum(0.85**step * bump(at, (north, east)) for step, at in enumerate(street)) for north, east in centres]
    lay(ground, centres, np.concatenate(dots).astype(np.float32), COUNTS)
    best = ground.field().peaks(1, 20.0)[0]
    assert best.ne_m[0] > 30.0 and abs(best.ne_m[1]) < 2.0 and best.open


def test_two_houses_of_a_row_are_two_places() -> None:
    """23 m apart, as houses are: that one fits says that the other may be meant."""
    found = field_of([(-11.5, 0.0), (11.5, 3.0)], [(0.0, 0.0), (5.0, 9.0)]).peaks(4, APART * 80.0)
    assert {round(one.ne_m[0] / 11.5) for one in found[:2]} == {-1, 1}
    assert found[1].sharpness > 0.8 * found[0].sharpness
    alone = field_of([(11.5, 3.0)], [(0.0, 0.0), (5.0, 9.0)]).peaks(4, APART * 80.0)
    assert all(one.sharpness < 0.1 * alone[0].sharpness for one in alone[1:]), "its own flanks are none"


def test_a_broad_rise_is_no_peak() -> None:
    """The kind of ground changes slowly; a place is a few metres wide."""
    centres = np.array([(0.0, 0.0)])
    shifts = np.arange(-8, 9) * CELL_M
    slope = 100 * (0.3 + 0.005 * np.broadcast_to(shifts, (17, 17)))
    rising, flat = Ground(centres, 80.0), Ground(centres, 80.0)
    for ground, surface in ((rising, slope), (flat, np.full((17, 17), 30.0))):
        ground.expect(100.0, CELL_M)
        lay(ground, centres, surface[None].astype(np.float32), COUNTS)
    assert rising.field().similarity[node_at(rising.field(), 0.0, 0.0)] > 0.25
    assert abs(rising.field().sharpness[node_at(rising.field(), 0.0, 0.0)]) < 0.01
    assert abs(flat.field().sharpness[node_at(flat.field(), 0.0, 0.0)]) < 1e-6


def test_cover_counts_full_overlaps_and_only_flown_ground_is_scored() -> None:
    one = field_of([(0.0, 0.0)], [(0.0, 0.0)])
    two = field_of([(0.0, 0.0)], [(0.0, 0.0), (4.0, 3.0)])
    assert abs(one.cover[node_at(one, 0.0, 0.0)] - 1.0) < 0.1
    assert abs(two.peaks(1, 30.0)[0].cover - 2.0) < 0.2
    assert abs(one.area_m2 - 80.0**2) < 0.12 * 80.0**2
    assert np.abs(one.origin_ne_m + one.nodes * one.pitch_m).max() <= 40.0


def test_the_sum_is_that_of_a_slow_loop() -> None:
    """Without smoothing: each sample shared out by area between its four nodes."""
    rng = np.random.default_rng(1)
    centres = rng.uniform(-20, 20, (3, 2))
    dots = rng.normal(size=(3, 5, 5)).astype(np.float32)
    counts = rng.uniform(1, 2, (5, 5)).astype(np.float32)
    ground = Ground(centres, 80.0)
    lay(ground, centres, dots, counts)
    expected: dict[tuple[int, int], float] = {}
    low = centres.min(axis=0) - 80.0
    for n in range(3):
        for r in range(5):
            for c in range(5):
                y = (centres[n, 0] - (r - 2) * CELL_M - low[0]) / 3.0
                x = (centres[n, 1] + (c - 2) * CELL_M - low[1]) / 3.0
                for i in (int(y), int(y) + 1):
                    for j in (int(x), int(x) + 1):
                        share = (1 - abs(y - i)) * (1 - abs(x - j))
                        expected[i, j] = expected.get((i, j), 0.0) + share * float(dots[n, r, c])
    for (i, j), value in expected.items():
        assert abs(ground._dots[ground._lattice.at(np.array(i), np.array(j))] - value) < 1e-5
    assert abs(ground._dots.sum() - dots.sum()) < 1e-4


def test_what_lies_far_apart_or_across_blocks_scores_as_it_does_alone() -> None:
    """Only tiles about the squares are kept, and 256 nodes are scored at a time: neither is to be seen in a score."""
    rng = np.random.default_rng(2)
    near = rng.uniform(0, 1500, (40, 2))  # 500 nodes along each side
    far = np.array([[60_000.0, 90_000.0]])
    dots = rng.normal(20, 10, (41, 17, 17)).astype(np.float32)
    together = Ground(np.concatenate([near, far]), 80.0)
    together.expect(100.0, CELL_M)
    lay(together, np.concatenate([near, far]), dots, COUNTS)
    field, dense = together.field(), dense_sharpness(near, dots[:40], near.min(axis=0) - 80.0)
    assert together._lattice.size < 1_000_000 < np.prod(together._lattice.shape) / 500
    scored = field.nodes[field.nodes[:, 0] < len(dense)]
    assert len(scored) == np.isfinite(dense).sum() > 20_000
    np.testing.assert_allclose(field.sharpness[: len(scored)], dense[tuple(scored.T)], atol=1e-6)


def dense_sharpness(centres: np.ndarray, dots: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """The same on a lattice of which every node is kept, NaN where nothing is known."""
    side = int(1700 / 3)
    sums, flown = np.zeros((2, side, side)), np.zeros((side, side), bool)
    shifts = np.arange(-8, 9) * CELL_M
    for centre, surface in zip(centres - origin, dots, strict=True):
        low, high = np.ceil((centre - 40.0) / 3.0).astype(int), np.floor((centre + 40.0) / 3.0).astype(int)
        flown[low[0] : high[0] + 1, low[1] : high[1] + 1] = True
        y, x = np.meshgrid((centre[0] - shifts) / 3.0, (centre[1] + shifts) / 3.0, indexing="ij")
        for i in (0, 1):
            for j in (0, 1):
                at = np.floor(y).astype(int) + i, np.floor(x).astype(int) + j
                share = (1 - np.abs(y - at[0])) * (1 - np.abs(x - at[1]))
                np.add.at(sums[0], at, share * surface)
                np.add.at(sums[1], at, share * COUNTS)
    similarity, counts = (cv2.GaussianBlur(one, (0, 0), 1.0, borderType=cv2.BORDER_CONSTANT) for one in sums)
    known = flown & (counts / (100.0 / CELL_M**2 * 9.0) >= 0.5)
    similarity = np.where(known, similarity / np.maximum(counts, 1e-9), 0.0)
    mean, weight = (
        cv2.GaussianBlur(one, (0, 0), 10 / 3, borderType=cv2.BORDER_CONSTANT) for one in (similarity, known * 1.0)
    )
    return np.where(known, similarity - mean / np.maximum(weight, 1e-6), np.nan)


def node_at(field: Field, north_m: float, east_m: float) -> int:
    """Which of the field's nodes is nearest to a point."""
    row, column = np.round((np.array([north_m, east_m]) - field.origin_ne_m) / field.pitch_m).astype(int)
    node = field.at(int(row), int(column))
    assert node is not None
    return node
