"""Fitting a calibration: what a gallery's size does is not read out of galleries that are all about one size."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.bundle import Bundle
from tests.bench.calibrate import FEATURES, PAIRS, Row, fit


def _rows(spread: float) -> list[Row]:
    """Right places are sharper; the more chances, the fewer are right."""
    rng = np.random.default_rng(5)
    rows: list[Row] = []
    for _ in range(300):
        right = bool(rng.random() < 0.5)
        values = {name: rng.normal() for name in FEATURES} | {"sharpness": rng.normal(1.0 if right else -1.0)}
        values["log_chances"] = 3.4 + spread * rng.normal(-1.0 if right else 1.0)
        rows.append({"features": values, "right": right})
    return rows


@pytest.mark.parametrize(("spread", "said"), [(0.3, True), (0.01, False)])
def test_what_hardly_varied_gets_no_weight(spread: float, said: bool) -> None:
    table = fit(_rows(spread))
    weights = dict(zip(FEATURES, table["weights"], strict=True))
    assert weights["sharpness"] > 0.5
    assert (weights["log_chances"] < -0.5) if said else (weights["log_chances"] == 0.0)


@pytest.mark.parametrize("pair", list(PAIRS))
def test_in_what_ships_no_size_of_a_gallery_decides_alone(pair: str) -> None:
    table = Bundle.load().calibration(*PAIRS[pair])
    assert table is not None
    chances = table["features"].index("log_chances")
    a_thousand_times = np.log(1000.0) * table["weights"][chances] / table["scale"][chances]
    assert abs(a_thousand_times) < 2.0  # of the logit; from .5 to .88 at most
