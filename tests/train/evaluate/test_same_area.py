"""The gallery of one area, by hand: where answers are, what a near miss is, and that the map finds what was moved."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from runtime.matching.alignment import align  # noqa: E402
from train.data.places import Square  # noqa: E402
from train.data.views import Picture  # noqa: E402
from train.evaluate.encoder import Embedded  # noqa: E402
from train.evaluate.intervals import Share  # noqa: E402
from train.evaluate.measure import misjudged, scaled_at_random, turned_at_random, unknown_heading, unknown_scale  # noqa: E402
from train.evaluate.protocol import normalised  # noqa: E402
from train.evaluate.same_area import by_map, by_variants, by_vector, measured, overlapping_neighbours  # noqa: E402

GALLERY = [Square("w", 25.0 * i, 0.0, 90.0) for i in range(8)] + [Square("v", 0.0, 0.0, 90.0)]


def test_hits_misses_and_near_misses() -> None:
    asked = [Square("w", 10.0, 5.0, 90.0)] * 4
    result = measured(np.array([0, 2, 3, 8]), asked, GALLERY)  # 11 m, 40 m, 65 m, another world
    np.testing.assert_allclose(result.distances_m[:3, 0], [np.hypot(10, 5), np.hypot(40, 5), np.hypot(65, 5)])
    assert result.distances_m[3, 0] == np.inf
    assert (result.recall.hits, result.recall.of) == (2, 4)
    assert (result.near_misses.hits, result.near_misses.of) == (1, 2)
    assert overlapping_neighbours(GALLERY) == 8
    ranked = measured(np.array([[3, 0], [0, 3], [8, 0], [0, 8]]), asked, GALLERY)  # only the first answer is one
    assert ranked.recall.hits == 2 and ranked.right.tolist() == [[False, True], [True, False]] * 2


def test_wilson_by_its_definition() -> None:
    """Its ends are the shares p at which the count observed is 1.96 of p's own standard deviations away."""
    for share in (Share(0, 40), Share(37, 40), Share(40, 40), Share(500, 1000)):
        for end in share.interval:
            if 0.0 < end < 1.0:
                away = abs(share.value - end) / np.sqrt(end * (1 - end) / share.of)
                assert away == pytest.approx(1.96, abs=1e-3)
    assert Share(0, 0).interval == (0.0, 1.0) and Share(40, 40).interval[1] == pytest.approx(1.0)
    assert str(Share(1, 2)) == "0.500 [0.095, 0.905]"


def _embedded(maps: np.ndarray, features: np.ndarray, names: list[str]) -> Embedded:
    from pathlib import Path

    unit = maps / np.linalg.norm(maps, axis=1, keepdims=True)
    pictures = tuple(Picture(Path(n), n) for n in names)
    return Embedded(pictures, normalised(features), unit.astype(np.float32))


def test_the_map_finds_a_moved_place_that_the_vector_misses() -> None:
    rng = np.random.default_rng(0)
    ground = rng.normal(size=(9, 6, 12, 12))
    gallery = _embedded(ground[:, :, 2:10, 2:10], rng.normal(size=(9, 4)), [str(i) for i in range(9)])
    moved = ground[3:4, :, 4:12, 1:9] + 0.2 * rng.normal(size=(1, 6, 8, 8))  # two rows down, a column to the left
    query = _embedded(moved, gallery.features[5:6] + 0.01, ["q"])
    assert by_vector(query.features, gallery.features)[0][0, 0] == 5
    answer, score = by_map(query, gallery, candidates=9)
    share = 6 * 7 / 64  # of the cells overlap
    assert answer[0, 0] == 3 and 0.9 * share**0.5 < score[0, 0] <= share**0.5
    assert sorted(answer[0]) == list(range(9)) and (np.diff(score[0]) <= 0).all()


def test_a_neighbour_that_shares_a_corner_does_not_beat_the_place() -> None:
    """The corner fits a little better than the whole does: few cells, and a matter of chance."""
    rng = np.random.default_rng(5)
    place = rng.normal(size=(1, 6, 8, 8))
    query = _embedded(place + 0.5 * rng.normal(size=place.shape), np.ones((1, 4)), ["q"])
    corner = rng.normal(size=(1, 6, 8, 8))
    corner[0, :, :4, :4] = query.maps[0][:, 4:, 4:]  # type: ignore[index]
    both = _embedded(np.concatenate([corner, place]), np.ones((2, 4)), ["corner", "place"])
    assert both.maps is not None and query.maps is not None
    assert align(query.maps[0], both.maps, 4).score.argmax() == 0  # by the mean alone it would
    assert by_map(query, both, candidates=2)[0][0, 0] == 1


def test_a_misjudged_crop_is_turned_and_scaled_about_its_middle() -> None:
    crop = np.zeros((1, 41, 41, 3), np.uint8)
    crop[0, 20, 30] = 255  # ten right of the middle
    turned = misjudged(heading_deg=90.0)(crop)[0, :, :, 0]
    assert turned[10, 20] > 200  # ten above it
    larger = misjudged(scale_error=0.5)(crop)[0, :, :, 0]
    assert larger[20, 35] > 200


def test_of_unknown_headings_the_right_hypothesis_and_place_are_found() -> None:
    """A quarter turn of cells is exact; the vectors of the true hypothesis are made to be no help."""
    rng = np.random.default_rng(1)
    ground, names = rng.normal(size=(9, 6, 12, 12)), [str(i) for i in range(9)]
    gallery = _embedded(ground, rng.normal(size=(9, 4)), names)
    seen = np.rot90(ground[[3, 7]], 1, axes=(2, 3)) + 0.2 * rng.normal(size=(2, 6, 12, 12))
    lure = gallery.features[[5, 5]]
    variants = [
        _embedded(np.rot90(seen, turn, axes=(2, 3)), lure if turn == 1 else rng.normal(size=(2, 4)), ["a", "b"])
        for turn in range(4)
    ]
    by_cosine, by_fit = by_variants(variants, gallery, candidates=36)
    assert by_cosine.tolist() == [5, 5] and by_fit.tolist() == [3, 7]
    with pytest.raises(ValueError, match="needs maps"):
        by_variants(variants, Embedded(gallery.pictures, gallery.features, None))


def test_one_of_the_hypotheses_of_an_unknown_pose_nearly_undoes_it() -> None:
    rng = np.random.default_rng(2)
    small = rng.integers(0, 256, (3, 8, 8, 3), np.uint8)
    crops = np.stack([cv2.resize(crop, (96, 96), interpolation=cv2.INTER_CUBIC) for crop in small])
    middle = (slice(None), slice(32, 64), slice(32, 64))
    for changed, hypotheses in ((turned_at_random(), unknown_heading()), (scaled_at_random(), unknown_scale())):
        before = np.abs(changed(crops)[middle].astype(float) - crops[middle]).mean(axis=(1, 2, 3))
        after = [np.abs(one(crops)[middle].astype(float) - crops[middle]).mean(axis=(1, 2, 3)) for one in hypotheses]
        assert (np.min(after, axis=0) < 0.5 * before).all()
