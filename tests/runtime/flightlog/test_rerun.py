"""An exported log, read by rerun's own importer. Half a gigabyte, so it is no part of the environment:
`pip install rerun-sdk` makes this test run."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from runtime.flightlog.foxglove import export

_INSTALLED = importlib.util.find_spec("rerun_cli")
pytestmark = pytest.mark.skipif(_INSTALLED is None, reason="rerun is not installed: pip install rerun-sdk")

FLIGHT = Path(__file__).parents[2] / "data/replay/town.mcap"


def rerun(*words: str | Path) -> str:
    """What rerun's own program prints."""
    assert _INSTALLED is not None and _INSTALLED.origin is not None
    program = Path(_INSTALLED.origin).with_name("rerun")
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rerun_shows_pictures_positions_poses_and_words_as_such(tmp_path: Path) -> None:
    exported, recording = tmp_path / "flight.mcap", tmp_path / "flight.rrd"
    export(FLIGHT, exported)
    rerun("mcap", "check", exported)
    rerun("mcap", "convert", exported, "-o", recording)
    shown: dict[str, set[str]] = defaultdict(set)
    entity = ""
    for line in rerun("rrd", "print", "-vvv", recording).splitlines():
        if line.startswith("Chunk("):
            entity = line.split(" - ")[1]
        shown[entity].update(re.findall(r"archetype: (\w+)", line))
    assert "EncodedImage" in shown["/camera"] & shown["/camera/reduced"]
    for kind in ("fix", "estimate", "autopilot", "camera", "truth"):
        assert "GeoPoints" in shown[f"/position/{kind}"]
    assert "InstancePoses3D" in shown["/pose"] and "TextLog" in shown["/log"]
    assert "McapMessage" in shown["/match"] & shown["/setpoint"]  # of no schema that it knows: kept as they are
