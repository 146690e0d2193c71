"""What runs the towers is in the daemon's status, every fallback with it; an unsigned bundle can be refused."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from runtime.cli.control import _engine_lines
from runtime.config.config import load_config
from runtime.daemon.assembly import assemble
from runtime.daemon.status import status
from runtime.daemon.workers import InlineWorkers
from runtime.errors import BundleError
from runtime.machine import gpu_in_sight
from runtime.signature import new_key, sign
from tests.runtime.small_bundle import small_bundle

CONFIG = """
[camera]
uri = "/dev/video0"
width_px = 64
height_px = 48
hfov_deg = 70.0

[vehicle]
uri = "udpin:127.0.0.1:14550"

[history]
path = "history.db"

[record]
enabled = true

[bundle]
path = "bundle"
{more}
"""


def _engine(folder: Path, more: str) -> dict[str, object]:
    (folder / "homing.toml").write_text(CONFIG.format(more=more))
    assembly = assemble(load_config(folder / "homing.toml"), InlineWorkers())
    try:
        return status(assembly.daemon, 0)["engine"]
    finally:
        assembly.close()


@pytest.mark.skipif(
    gpu_in_sight() or "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="there is a GPU here"
)
def test_every_fallback_is_in_the_status_and_in_its_lines(tmp_path: Path) -> None:
    small_bundle(tmp_path / "bundle")
    engine = _engine(tmp_path, "threads = 1")
    assert engine["precision"] == "fp32" and engine["backend"] == "onnxruntime CPU x1"
    lines = _engine_lines(engine)
    for name in ("tensorrt", "onnxruntime-tensorrt", "onnxruntime-cuda"):
        assert any(line.startswith(f"warning   {name} is passed over") for line in lines)
    assert _engine(tmp_path, 'backends = ["onnxruntime-cpu"]')["warnings"] == ()


def test_a_signature_can_be_required(tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path / "bundle").path
    new_key(tmp_path / "key")
    more = 'signed_by = "key.pub"\nbackends = ["onnxruntime-cpu"]'
    with pytest.raises(BundleError, match="is not signed"):
        _engine(tmp_path, more)
    sign(bundle, tmp_path / "key")
    assert float(str(_engine(tmp_path, more)["parity"])) > 0.9999
