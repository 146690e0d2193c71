"""Copies of a target's maps are the maps of a target that lies so: against embedding it again."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from runtime.centred import centred
from runtime.matching.gallery import GalleryCache
from runtime.place.attempt import Attempt, crops_of
from runtime.place.gallery import Rung
from runtime.place.target import Target
from runtime.place.versions import Layer, nudged, wrong_layouts
from runtime.values import ViewKind
from tests.runtime.place.fakes import CELLS, RUNGS_M, SIZE_PX, Colours, Land, new_history

TOWER = Colours()


@pytest.fixture(scope="module")
def rung(tmp_path_factory: pytest.TempPathFactory) -> Rung:
    with new_history(tmp_path_factory.mktemp("versions") / "one.homing") as history:
        Land().record(history, TOWER, [(0.0, 0.0)])
        return Rung(GalleryCache(history).snapshot(), ViewKind.DRONE, RUNGS_M[0])


def layer_of(
    target: Target, rung: Rung, heading_rad: float = 0.0, gsd_m: float = 0.5, alone: bool = False
) -> Layer:
    attempt = Attempt(gsd_m, heading_rad, (RUNGS_M[0],))
    crops = crops_of(target, attempt, RUNGS_M[0], SIZE_PX, (CELLS, CELLS), alone)
    return Layer(rung, crops, centred(TOWER.embed(ViewKind.SATELLITE, np.stack([one.image for one in crops])).maps))


def by_place(layer: Layer) -> dict[tuple[int, int], np.ndarray]:
    """Its maps by where their crops lie: (north, east) in metres."""
    places = [(round(one.ne_m[0]), round(one.ne_m[1])) for one in layer.crops]
    return dict(zip(places, layer.queries, strict=True))


def test_a_wrong_layout_is_the_target_turned_and_mirrored(rung: Rung) -> None:
    target = Land().target(3.0, -7.0, side_m=72.0)
    image = target.image
    pictures = [np.rot90(image, 1), np.rot90(image, 3), image[:, ::-1], np.rot90(image[:, ::-1], 2)]
    made = wrong_layouts([layer_of(target, rung)])
    assert len(made) == len(pictures)
    for (own,), picture in zip(made, pictures, strict=True):
        expected = by_place(layer_of(replace(target, image=np.ascontiguousarray(picture)), rung))
        found = by_place(own)
        assert found.keys() == expected.keys() and len(found) == 4
        for place, maps in found.items():
            assert np.abs((maps * expected[place]).sum(axis=0)).min() > 0.99


@pytest.mark.parametrize(("degrees", "scale"), [(8.0, 1.0), (-8.0, 1.0), (0.0, 1.13), (0.0, 1 / 1.13), (5.0, 1.06)])
def test_a_nudged_layer_is_nearly_the_target_embedded_so(rung: Rung, degrees: float, scale: float) -> None:
    """The middle of a map, where no cell was drawn from outside; and the same crop as it was is less alike."""
    target = Land().target(3.0, -7.0, side_m=RUNGS_M[0])
    before = layer_of(target, rung, alone=True)
    expected = layer_of(target, rung, math.radians(degrees), 0.5 * scale, alone=True)
    (made,) = nudged([before], math.radians(degrees), scale)
    inner = (slice(None), slice(3, -3), slice(3, -3))
    alike = float((made.queries[0][inner] * expected.queries[0][inner]).sum(axis=0).mean())
    as_before = float((before.queries[0][inner] * expected.queries[0][inner]).sum(axis=0).mean())
    assert alike > 0.95 and alike > as_before + 0.01


def test_crops_beside_the_middle_move_and_cells_from_nowhere_count_nothing(rung: Rung) -> None:
    layer = layer_of(Land().target(3.0, -7.0, side_m=72.0), rung)
    (made,) = nudged([layer], math.radians(90.0), 0.5)
    for before, after in zip(layer.crops, made.crops, strict=True):
        north, east = before.ne_m
        assert after.ne_m == pytest.approx((-0.5 * east, 0.5 * north))  # clockwise: north becomes east
        assert after.weights[CELLS // 2, CELLS // 2] == pytest.approx(1.0)
        assert after.weights[0].max() == after.weights[:, 0].max() == 0.0
