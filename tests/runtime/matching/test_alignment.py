"""Alignment by one product of matrices, and by spectra, agrees with sliding a map over another, cell by cell."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.centred import centred
from runtime.matching.alignment import Sought, align, surfaces

Maps = NDArray[np.float32]


def unit_map(channels: int, side: int, seed: int) -> Maps:
    values = np.random.default_rng(seed).standard_normal((channels, side, side)).astype(np.float32)
    return np.asarray(values / np.linalg.norm(values, axis=0))


def slid(query: Maps, gallery: Maps, weights: Maps, rows: int, columns: int) -> tuple[float, float]:
    """Summed cosines and summed weights with query cell (r, c) on gallery cell (r + rows, c + columns)."""
    _, height, width = query.shape
    dots = counts = 0.0
    for r in range(height):
        for c in range(width):
            if 0 <= r + rows < height and 0 <= c + columns < width:
                dots += weights[r, c] * float(query[:, r, c] @ gallery[:, r + rows, c + columns])
                counts += weights[r, c]
    return dots, counts


@pytest.mark.parametrize("weighted", [False, True])
def test_every_translation_is_scored_as_by_sliding(weighted: bool) -> None:
    query = unit_map(5, 6, 1)
    gallery = np.stack([unit_map(5, 6, seed) for seed in (2, 3)])
    weights = np.random.default_rng(4).random((6, 6)).astype(np.float32) if weighted else np.ones((6, 6), np.float32)
    (found,) = Sought(query[None], 3, weights[None]).surfaces(gallery)
    every = [found, surfaces(query, gallery, 3, weights if weighted else None)]
    assert all(one.dots.shape == (2, 7, 7) and one.counts.shape == (7, 7) for one in every)
    for n in range(2):
        for rows in range(-3, 4):
            for columns in range(-3, 4):
                dots, counts = slid(query, gallery[n], weights, rows, columns)
                for one in every:
                    assert one.dots[n, rows + 3, columns + 3] == pytest.approx(dots, abs=1e-4)
                    assert one.counts[rows + 3, columns + 3] == pytest.approx(counts, abs=1e-4)


@pytest.mark.parametrize(("height", "width", "reach"), [(16, 16, 8), (16, 16, 15), (14, 9, 8), (5, 7, 2)])
def test_many_queries_over_many_maps_are_scored_as_each_over_each(height: int, width: int, reach: int) -> None:
    """More maps than spectra are made at a time, in half precision as galleries keep them."""
    rng = np.random.default_rng(7)
    gallery = rng.standard_normal((150, 4, height, width)).astype(np.float16)
    queries = rng.standard_normal((3, 4, height, width)).astype(np.float32)
    weights = rng.random((3, height, width)).astype(np.float32)
    for query, shown, found in zip(queries, weights, Sought(queries, reach, weights).surfaces(gallery), strict=True):
        product = surfaces(query, gallery, reach, shown)
        np.testing.assert_allclose(found.dots, product.dots, atol=2e-5 * float(np.abs(product.dots).max()))


def test_a_window_of_the_same_ground_is_found_where_it_lies() -> None:
    ground = unit_map(16, 30, 5)
    query = ground[:, 10:20, 10:20]
    origins = [(10, 10), (7, 12), (12, 9), (10, 6)]
    gallery = np.stack([ground[:, r : r + 10, c : c + 10] for r, c in origins])
    found = align(query, gallery, 5)
    np.testing.assert_allclose(found.score, 1.0, atol=1e-5)
    np.testing.assert_allclose(found.shift_rows, [10 - r for r, _ in origins], atol=0.05)
    np.testing.assert_allclose(found.shift_cols, [10 - c for _, c in origins], atol=0.05)


def test_half_a_cell_is_interpolated() -> None:
    """Smooth ground, sampled every four points, half a cell apart."""
    noise = np.random.default_rng(6).standard_normal((8, 80, 80)).astype(np.float32)
    ground = np.stack([cv2.GaussianBlur(channel, (0, 0), 5.0) for channel in noise])
    ground /= np.linalg.norm(ground, axis=0)
    query, gallery = ground[:, 8:56:4, 8:56:4], ground[:, 6:54:4, 8:56:4]
    found = align(query, gallery[None], 3)
    assert abs(found.shift_rows[0] - 0.5) < 0.1
    assert abs(found.shift_cols[0]) < 0.1


def test_the_reach_stops_short_of_the_map() -> None:
    query = unit_map(3, 4, 1)
    assert surfaces(query, query[None], 99).dots.shape == (1, 7, 7)
    assert len(align(query, np.zeros((0, 3, 4, 4), np.float32), 2).score) == 0


def test_centring_takes_out_what_all_cells_share() -> None:
    layout = unit_map(8, 6, 1)
    shared = np.ones((8, 1, 1), np.float32)
    np.testing.assert_allclose(centred(layout + 3 * shared), centred(layout), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(centred(layout), axis=0), 1.0, atol=1e-5)
