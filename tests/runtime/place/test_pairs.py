"""Local features as evidence for a place: a target whose layout is not enough is accepted, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest

from runtime.features.network import Described
from runtime.geodesy import distance_m, offset
from runtime.history.history import History
from runtime.place.hypothesis import Support
from runtime.place.locator import Locator, Question
from runtime.values import Decision
from tests.runtime.place.fakes import ORIGIN, TABLE, Colours, Land, grid, new_history

PLACE = (3.0, -7.0)
HARD = Colours(table={**TABLE, "bias": -7.0})  # no layout is accepted by itself


@dataclass
class Manifest:
    """The part of a manifest that is asked for."""

    input_size_px: int = 320


@dataclass
class Patches:
    """A network's place taken by corners and the colours about them."""

    manifest: Manifest = field(default_factory=Manifest)
    pictures: int = 0

    def describe(self, images: Sequence[np.ndarray]) -> list[Described]:
        """See `FeatureNetwork.describe`."""
        self.pictures += len(images)
        return [self._described(cv2.GaussianBlur(one, (0, 0), 2.0)) for one in images]

    def _described(self, image: np.ndarray) -> Described:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        points = cv2.goodFeaturesToTrack(grey, 200, 0.01, 6.0).reshape(-1, 2)
        patches = [cv2.getRectSubPix(image, (28, 28), tuple(map(float, point))) for point in points]
        rows = np.stack([cv2.resize(one, (7, 7), interpolation=cv2.INTER_AREA).reshape(-1, 3) for one in patches])
        rows = (rows - rows.mean(axis=1, keepdims=True, dtype=np.float64)).reshape(len(rows), -1)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return Described(np.asarray(points + 0.5, np.float32), np.asarray(rows, np.float32))


@pytest.fixture(scope="module")
def land() -> Land:
    return Land()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, land: Land) -> Iterator[History]:
    with new_history(tmp_path_factory.mktemp("pairs") / "a.homing") as made:
        land.record(made, HARD, grid(45.0, 22.5), gsd_m=0.5)
        yield made


def test_features_accept_a_place_that_its_layout_does_not(history: History, land: Land) -> None:
    target = land.target(*PLACE)
    assert Locator(history, HARD).locate(target).decision is Decision.NO_MATCH
    answer = Locator(history, HARD, network=Patches()).locate(target)
    assert answer.decision is Decision.MATCH and "local features agree on it" in answer.reason
    assert answer.place is not None and distance_m(answer.place, offset(ORIGIN, *PLACE)) < 3.0


@pytest.mark.parametrize("heading_rad", [0.15, -0.15])
def test_also_where_the_target_is_a_little_turned(history: History, land: Land, heading_rad: float) -> None:
    answer = Locator(history, HARD, network=Patches()).locate(land.target(*PLACE, heading_rad=heading_rad))
    assert answer.place is not None and distance_m(answer.place, offset(ORIGIN, *PLACE)) < 4.0


@pytest.mark.parametrize("place", [(250.0, 0.0), (0.0, -172.0)])
def test_a_query_out_of_coverage_is_accepted_by_no_feature(
    history: History, land: Land, place: tuple[float, float]
) -> None:
    answer = Locator(history, HARD, network=Patches()).locate(land.target(*place))
    assert answer.decision is Decision.NO_MATCH and answer.place is None


def test_a_turned_and_mirrored_target_is_accepted_by_no_feature(history: History, land: Land) -> None:
    target = land.target(*PLACE)
    for image in (target.image[:, ::-1], np.rot90(target.image)):
        wrong = replace(target, image=np.ascontiguousarray(image))
        assert Locator(history, HARD, network=Patches()).locate(wrong).decision is Decision.NO_MATCH


def test_the_place_with_pairs_comes_first_where_they_have_it_and_once(history: History, land: Land) -> None:
    hypothesis, tried = Locator(history, HARD)._by_layout(Question(land.target(*PLACE), HARD.pair[1], False))
    assert hypothesis is not None and len(hypothesis.peaks) > 3
    first, second, third, *rest = hypothesis.peaks
    north, east = third.ne_m
    none, there = Support(9, first.ne_m, 1), Support(40, (north + 0.4, east - 0.3), 7)
    moved = hypothesis.supported([none, none, there])
    assert [one.ne_m for one in moved.peaks[:3]] == [there.ne_m, first.ne_m, second.ne_m]
    assert moved.nearest[0] == 7 and moved.pairs[:3] == (40, 9, 9) and moved.places(tried)[0]["pairs"] == 40.0
    twice = hypothesis.supported([replace(there, pairs=30, keyframe_id=8), none, there])
    assert [one.ne_m for one in twice.peaks] == [there.ne_m, *(one.ne_m for one in (second, *rest))]
    few = hypothesis.supported([none, none, replace(there, pairs=12)])
    assert few.peaks == hypothesis.peaks  # as many as chance makes move nothing


def test_the_network_looks_only_where_the_layout_is_not_enough(history: History, land: Land) -> None:
    network = Patches()
    assert Locator(history, Colours(), network=network).locate(land.target(*PLACE)).decision is Decision.MATCH
    assert network.pictures == 0
