"""The lattice over the ground agrees with adding up every keyframe's surface point by point."""

from __future__ import annotations

import numpy as np

from runtime.place.ground import Field, Ground

CELL_M = 5.0


def bump(at_ne_m: tuple[float, float], centre_ne_m: tuple[float, float], reach: int = 8) -> np.ndarray:
    """(1, K, K) cosines: a peak at one point of the ground as a keyframe elsewhere sees it."""
    shifts = np.arange(-reach, reach + 1) * CELL_M
    north, east = centre_ne_m[0] - shifts[:, None], centre_ne_m[1] + shifts[None, :]
    distance2 = (north - at_ne_m[0]) ** 2 + (east - at_ne_m[1]) ** 2
    return np.asarray(100 * (0.05 + 0.3 * np.exp(-distance2 / (2 * 6.0**2))), np.float32)[None]


COUNTS = np.full((17, 17), 100.0, np.float32)


def field_of(peaks: list[tuple[float, float]], centres: list[tuple[float, float]]) -> Field:
    """Every keyframe sees every peak within its reach."""
    ground = Ground(np.array(centres), 80.0)
    dots = np.concatenate([sum(bump(peak, centre) for peak in peaks) for centre in centres]).astype(np.float32)
    ground.add(np.array(centres), dots, COUNTS, CELL_M, 100.0)
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


def test_a_broad_rise_is_no_peak() -> None:
    """The kind of ground changes slowly; a place is a few metres wide."""
    centres = np.array([(0.0, 0.0)])
    shifts = np.arange(-8, 9) * CELL_M
    slope = 100 * (0.3 + 0.005 * np.broadcast_to(shifts, (17, 17)))
    rising, flat = Ground(centres, 80.0), Ground(centres, 80.0)
    rising.add(centres, slope[None].astype(np.float32), COUNTS, CELL_M, 100.0)
    flat.add(centres, np.full((1, 17, 17), 30.0, np.float32), COUNTS, CELL_M, 100.0)
    middle = tuple(side // 2 for side in rising.field().sharpness.shape)
    assert rising.field().similarity[middle] > 0.25
    assert abs(rising.field().sharpness[middle]) < 0.01
    assert abs(flat.field().sharpness[middle]) < 1e-6


def test_cover_counts_full_overlaps_and_only_flown_ground_is_scored() -> None:
    one = field_of([(0.0, 0.0)], [(0.0, 0.0)])
    two = field_of([(0.0, 0.0)], [(0.0, 0.0), (4.0, 3.0)])
    at = tuple(np.round((np.zeros(2) - one.origin_ne_m) / one.pitch_m).astype(int))
    assert abs(one.cover[at] - 1.0) < 0.1
    assert abs(two.peaks(1, 30.0)[0].cover - 2.0) < 0.2
    assert abs(one.area_m2 - 80.0**2) < 0.12 * 80.0**2
    rows, columns = np.nonzero(np.isfinite(one.sharpness))
    north, east = one.origin_ne_m[0] + rows * one.pitch_m, one.origin_ne_m[1] + columns * one.pitch_m
    assert max(np.abs(north).max(), np.abs(east).max()) <= 40.0


def test_the_sum_is_that_of_a_slow_loop() -> None:
    """Without smoothing: each sample shared out by area between its four nodes."""
    rng = np.random.default_rng(1)
    centres = rng.uniform(-20, 20, (3, 2))
    dots = rng.normal(size=(3, 5, 5)).astype(np.float32)
    counts = rng.uniform(1, 2, (5, 5)).astype(np.float32)
    ground = Ground(centres, 80.0)
    ground.add(centres, dots, counts, CELL_M, 1.0)
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
    summed = ground._dots.reshape(ground._shape)
    for (i, j), value in expected.items():
        assert abs(summed[i, j] - value) < 1e-5
    assert abs(summed.sum() - dots.sum()) < 1e-4
