"""`homing record --map`: a map is known by what its tiles show and where, and a tile that shows nothing is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from runtime.cli.main import app
from runtime.history.history import History
from runtime.plain import PLAIN
from tests.runtime.record.fakes import ground_texture

pytest.importorskip("rasterio")
from tests.runtime.record.test_map_tiles import write_map  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def record(path: Path, history: Path) -> dict[str, Any]:
    words = ["record", "--map", str(path), "--history", str(history), "--tile-m", "40", "--stride-m", "40", "--json"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, (told.output, told.exception)
    answer: dict[str, Any] = json.loads(told.stdout)
    return answer


def test_two_maps_of_one_name_are_two_and_a_copy_is_none(tmp_path: Path) -> None:
    history = tmp_path / "h.db"
    ground = ground_texture(480)
    half = ground[:240, :480].copy()
    half[:, :300] = 128  # more than half of it shows nothing
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    first = record(write_map(tmp_path / "a" / "map.tif", half, 0.25), history)
    assert first["keyframes"] > 0 and PLAIN in {row["reason"] for row in first["skipped"]}
    again = record(write_map(tmp_path / "b" / "map.tif", half, 0.25), history)
    assert again["keyframes"] == 0 and {row["reason"] for row in again["skipped"]} == {"already recorded", PLAIN}
    other = record(write_map(tmp_path / "c" / "map.tif", np.ascontiguousarray(ground[:200, ::-1]), 0.25), history)
    assert other["keyframes"] > 0
    with History.open(history) as opened:
        assert opened.flights() == ("map map.tif", "map map.tif (2)")
        assert all(one.pose.t_ns is None for one in opened.keyframes(crops=False))
