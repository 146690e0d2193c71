"""Pairs that agree on where a target lies, among pairs that chance made."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.place.agreement import NONE, agreement


def pairs(right: int, wrong: int, turn_deg: float, scale: float, shift: tuple[float, float], seed: int = 0):
    """(N, 2) target and window pixels: ``right`` that a similarity explains to a pixel, and ``wrong`` strewn ones."""
    rng = np.random.default_rng(seed)
    target = rng.uniform(-128, 128, (right + wrong, 2))
    turn = math.radians(turn_deg)
    matrix = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    window = target @ matrix.T + shift + rng.normal(0, 1, target.shape)
    window[right:] = rng.uniform(-190, 190, (wrong, 2))
    return target, window


@pytest.mark.parametrize(
    ("turn_deg", "scale", "shift"),
    [(0.0, 1.0, (0.0, 0.0)), (8.0, 1.0, (20.0, -31.0)), (-12.0, 1.1, (-40.0, 5.0)), (3.0, 0.8, (7.0, 33.0))],
)
def test_few_right_pairs_are_found_among_many_wrong_ones(
    turn_deg: float, scale: float, shift: tuple[float, float]
) -> None:
    found = agreement(*pairs(25, 150, turn_deg, scale, shift))
    assert 25 <= found.count <= 30
    assert found.centre_px == pytest.approx(shift, abs=1.5)


def test_chance_makes_few_agree() -> None:
    assert max(agreement(*pairs(0, 175, 0.0, 1.0, (0.0, 0.0), seed)).count for seed in range(12)) <= 10


@pytest.mark.parametrize(("turn_deg", "scale"), [(30.0, 1.0), (0.0, 1.6), (180.0, 1.0)])
def test_a_map_that_is_no_near_identity_agrees_on_nothing(turn_deg: float, scale: float) -> None:
    assert agreement(*pairs(40, 0, turn_deg, scale, (0.0, 0.0))).count < 20


def test_pairs_along_a_line_fix_nothing() -> None:
    along = np.linspace(-120, 120, 30)
    line = np.stack([along, 0.5 * along], axis=1)
    assert agreement(line, line + 3.0) == NONE


def test_no_pairs_agree_on_nothing() -> None:
    for count in (0, 1, 3):
        assert agreement(np.ones((count, 2)), np.ones((count, 2))) == NONE
