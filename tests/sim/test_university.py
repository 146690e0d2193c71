"""The synthetic University-1652: its layout, its two dates, its spiral, and what only the test has."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import HardnessError, UsageError
from sim.hardness import HardnessReport
from sim.university import RECTIFIED, SPIRAL, Plan, make_university, spiral, without_kept_families, world_of
from sim.world.world import AnyWorld, World

# Of seed 4 one world holds both places of training, and it takes two for the three of the test.
SPIRAL_PLAN = Plan(places=2, test_places=3, seed=4, views=SPIRAL, drone_views=3, world_m=200.0, size_px=64)
RECTIFIED_PLAN = Plan(
    places=6, test_places=6, seed=1, views=RECTIFIED, drone_views=1, world_m=160.0, size_px=64, per_world=5
)


def _quiet(_: str) -> None: ...


def _figures(sift: float) -> HardnessReport:
    return HardnessReport(sift, 0.1, 0.6, 200, 500)


def _accept(world: AnyWorld) -> HardnessReport:
    """For plans whose worlds are too small to be measured."""
    return _figures(0.0)


def _of_the_second_dates_alone(world: AnyWorld) -> HardnessReport:
    assert isinstance(world, World)
    return _figures(0.0 if world.dates == 1 else 0.5)


@pytest.fixture(scope="module")
def spiral_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "university"
    make_university(SPIRAL_PLAN, out, _quiet)
    return out


@pytest.fixture(scope="module")
def rectified_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "rectified"
    make_university(RECTIFIED_PLAN, out, _quiet, _accept)
    return out


def test_the_folders_are_university_1652s(spiral_root: Path) -> None:
    found = sorted(str(p.relative_to(spiral_root)) for p in spiral_root.glob("*/*"))
    assert found == [
        "test/gallery_drone", "test/gallery_satellite", "test/gallery_street",
        "test/query_drone", "test/query_satellite", "test/query_street",
        "train/drone", "train/satellite", "train/street",
    ]  # fmt: skip
    assert [len(list((spiral_root / p).glob("*/*.jpg"))) for p in ("train/drone", "train/satellite")] == [6, 2]
    queries, gallery = (sorted(p.name for p in (spiral_root / "test" / n).iterdir()) for n in
                        ("query_drone", "gallery_satellite"))  # fmt: skip
    assert queries == ["0000", "0001"] and gallery == ["0000", "0001", "0002"]  # one distracts


def test_the_spiral_descends_around_the_building() -> None:
    views = spiral(54)
    assert len(views) == 54 and views[0][2] == 256.0 and views[-1][2] == 121.5
    assert all(a[2] > b[2] for a, b in zip(views, views[1:], strict=False))
    assert views[18][0] - views[0][0] == pytest.approx(2 * math.pi)  # three rounds of eighteen
    assert all(0.6 < distance / height < 0.8 for _, distance, height in views)


def test_the_drone_looks_at_the_place_and_the_dates_differ(rectified_root: Path) -> None:
    """Rectified views correlate with their own satellite crop better than with any other, yet far from perfectly."""

    def vectors(view: str) -> np.ndarray:
        paths = sorted((rectified_root / "train" / view).glob("*/00.jpg"))
        small = [cv2.resize(cv2.imread(str(p), cv2.IMREAD_GRAYSCALE), (32, 32)).astype(float).ravel() for p in paths]
        centred = np.stack(small) - np.mean(small, axis=1, keepdims=True)
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)

    similarity = vectors("drone") @ vectors("satellite").T
    own, others = np.diagonal(similarity), similarity[~np.eye(len(similarity), dtype=bool)]
    assert own.mean() > others.mean() + 0.1 and own.max() < 0.98


def test_rectified_places_say_where_they_are(rectified_root: Path) -> None:
    with (rectified_root / "places.csv").open() as file:
        rows = {row["place"]: row for row in csv.DictReader(file)}
    train = [p.name for p in (rectified_root / "train" / "drone").iterdir()]
    queries = [p.name for p in (rectified_root / "test" / "query_drone").iterdir()]
    gallery = [p.name for p in (rectified_root / "test" / "gallery_satellite").iterdir()]
    assert len(train) == 6 and len(gallery) == 6 and len(queries) == 3
    assert {*train, *queries, *gallery} == set(rows)
    assert {rows[p]["area"] for p in train}.isdisjoint({rows[p]["area"] for p in gallery})
    assert {rows[p]["area"] for p in queries} == {rows[p]["area"] for p in gallery}
    assert sorted(Counter(rows[p]["area"] for p in train).values()) == [1, 5]  # at most five of one world


@pytest.mark.long
def test_a_test_world_outside_the_hardness_rule_is_seen_on_other_dates(rectified_root: Path, tmp_path: Path) -> None:
    told: list[str] = []
    plan = dataclasses.replace(RECTIFIED_PLAN, places=0)
    make_university(plan, tmp_path / "redrawn", told.append, _of_the_second_dates_alone)
    assert [line.split(":")[0] for line in told] == ["hardness on dates 0", "hardness on dates 1", "test"] * 2
    assert not list((tmp_path / "redrawn").glob("train/*"))  # no places to train on were asked for
    first, second = (sorted((root / "test/gallery_satellite").glob("*/00.jpg")) for root in
                     (rectified_root, tmp_path / "redrawn"))  # fmt: skip
    assert [p.parent.name for p in first] == [p.parent.name for p in second]
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(first, second, strict=True))
    with pytest.raises(HardnessError, match="take another seed"):
        make_university(plan, tmp_path / "none", _quiet, lambda world: _figures(0.5))


def test_kept_families_are_in_the_test_alone() -> None:
    plan = Plan(1, 1, seed=3, world_m=250.0)
    train, test = world_of(plan, 0, False), world_of(plan, 0, True)
    assert not any(h.roof == "hip" for h in train.layout.houses) and not any(t.conifer for t in train.layout.trees)
    assert any(h.roof == "hip" for h in test.layout.houses) and any(t.conifer for t in test.layout.trees)
    assert train.seed != test.seed
    assert len(without_kept_families(test.layout).trees) == len(test.layout.trees)


def test_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        make_university(SPIRAL_PLAN, tmp_path, _quiet)
    with pytest.raises(UsageError, match="there are no nadir views: choose spiral or rectified"):
        make_university(Plan(1, 1, 1, views="nadir"), tmp_path / "new", _quiet)
