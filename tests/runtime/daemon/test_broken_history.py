"""The daemon starts, fixes and records with a history that holds rows which must not be there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import cv2
import pytest

from runtime.bundle import Bundle
from runtime.config.config import load_config
from runtime.daemon.assembly import assemble
from runtime.daemon.workers import InlineWorkers
from runtime.embedder.embedder import Embedder
from runtime.history.history import History, stored
from runtime.values import Frame, Pose, ViewKind
from tests.runtime.daemon.test_engine_status import CONFIG
from tests.runtime.history.recording import keyframe
from tests.runtime.small_bundle import small_bundle


@pytest.mark.parametrize("record", [True, False])
def test_it_starts_and_fixes_without_the_broken_rows(
    tmp_path: Path, record: bool, caplog: pytest.LogCaptureFixture
) -> None:
    small_bundle(tmp_path / "bundle")
    bundle = Bundle.load(tmp_path / "bundle")
    rung = bundle.footprints_m[0]
    tower, size = Embedder(bundle, threads=1), bundle.input_size_px
    with History.create(tmp_path / "history.db", bundle.embedding_space_id, bundle.name) as history:
        for number in range(1, 5):
            one = keyframe(number)
            crop = cv2.resize(one.crop, (size, size))[None]
            history.add(one, stored(tower.embed(ViewKind.DRONE, crop), (rung,)))
    with sqlite3.connect(tmp_path / "history.db") as connection:
        connection.execute("UPDATE keyframe SET ground_latitude_deg = NULL, ground_longitude_deg = NULL WHERE id < 3")
    connection.close()
    text = CONFIG.format(more="threads = 1").replace("enabled = true", f"enabled = {str(record).lower()}")
    (tmp_path / "homing.toml").write_text(text)
    assembly = assemble(load_config(tmp_path / "homing.toml"), InlineWorkers())
    try:
        assert "2 broken keyframes are left out (keyframe 1: ground_latitude_deg is missing)" in caplog.text
        frame = Frame(cv2.resize(keyframe(3).crop, (320, 240)), 0, "test", 0)
        fix = assembly.daemon.rooms.fixer.fix(frame, Pose(0))
        assert fix.verified <= 2 and fix.reason
    finally:
        assembly.close()
