"""A short run of training, by its command, becomes a bundle, by its command: what was trained can be exported."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
if importlib.util.find_spec("timm") is None:
    pytest.skip("timm is not installed: pip install homing[train]", allow_module_level=True)

from runtime.bundle import Bundle  # noqa: E402
from runtime.embedder.embedder import Embedder, parity_images  # noqa: E402
from runtime.values import ViewKind  # noqa: E402
from tests.train.loop.tiny import area  # noqa: E402

ROOT = Path(__file__).parents[2]
CONFIG = """
[data]
train = ["area"]
size_px = 64

[towers]
shared = false

[towers.backbone]
name = "{name}"
stage = {stage}
weights = "none"

[towers.head]
map_channels = 0

[[loss]]
name = "info_nce"

[run]
out = "run"
steps = {steps}
batch = 4
precision = "fp32"
threads = 1
"""


def _ran(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *map(str, command)], cwd=cwd, env=environment, capture_output=True,
                          text=True, timeout=500)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stage", "steps"),
    [
        pytest.param("resnet18", -1, 20, marks=pytest.mark.long),  # after 20 steps it has neighbours equally near
        pytest.param("efficientnet_lite0", 4, 4, marks=pytest.mark.long),
    ],
)
def test_towers_of_their_own_without_a_map_are_trained_for_a_moment_and_exported(
    name: str, stage: int, steps: int, tmp_path: Path
) -> None:
    area(tmp_path / "area", places=40, test=False)
    (tmp_path / "run.toml").write_text(CONFIG.format(name=name, stage=stage, steps=steps))
    trained = _ran(ROOT / "train" / "fit.py", "run.toml", "--until", str(steps - 1), cwd=tmp_path)
    assert f"step {steps - 1} of {steps}" in trained.stdout and "homing-evaluate" in trained.stdout
    exported = _ran(ROOT / "export" / "export.py", "run/last.pt", "--out", "made", cwd=tmp_path)
    assert exported.stderr == ""  # nothing of what torch's exporter says of itself
    made = Bundle.load(tmp_path / "made")
    assert made.views == (ViewKind.DRONE, ViewKind.SATELLITE) and made.map_shape is None
    files = {made.model(view, "fp32").file for view in made.views}
    assert files == {"drone.fp32.onnx", "satellite.fp32.onnx"}
    embedder = Embedder(made, threads=1)
    assert embedder.parity > 0.9995
    crops = parity_images(made)[:2]
    drone, satellite = (embedder.embed(view, crops) for view in made.views)
    assert drone.maps is None and not np.allclose(drone.vectors, satellite.vectors, atol=0.01)
