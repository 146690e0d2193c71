"""`homing doctor`, `homing engine` and `homing bench`: what this computer would fly with, and how fast."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from typer.testing import CliRunner, Result

from runtime.cli.main import app
from runtime.errors import BundleError, EngineError, UsageError
from runtime.machine import gpu_in_sight
from runtime.signature import new_key, sign
from tests.runtime.small_bundle import small_bundle

CONFIG = """
[camera]
uri = "{folder}/frames"
width_px = 64
height_px = 48
hfov_deg = 70.0

[vehicle]
uri = "udpin:127.0.0.1:0"
answer_within_s = 0.1

[history]
path = "history.db"

[record]
enabled = true

[control]
socket = "absent.sock"

[bundle]
path = "{bundle}"
{more}
"""
without_gpu = pytest.mark.skipif(
    gpu_in_sight() or "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="there is a GPU here"
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_bundle(tmp_path_factory.mktemp("small") / "bundle").path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


NOTHING_ATTACHED = {"autopilot"}  # what is wrong where a computer stands alone on a desk


def examined(folder: Path, bundle: Path, more: str = "") -> tuple[set[str], dict[str, tuple[str, str]]]:
    """What is wrong, and everything that was found."""
    (folder / "frames").mkdir(exist_ok=True)
    texture = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "frames" / "1.png"), texture)
    (folder / "homing.toml").write_text(CONFIG.format(bundle=bundle, more=more, folder=folder))
    result = run("doctor", "--config", folder / "homing.toml", "--json")
    findings = json.loads(result.stdout)["findings"]
    wrong = {one["what"] for one in findings if one["state"] == "wrong"}
    assert result.exit_code == (1 if wrong else 0)
    return wrong, {one["what"]: (one["state"], one["found"]) for one in findings}


@without_gpu
def test_every_backend_passed_over_is_shown_with_what_to_install(small: Path, tmp_path: Path) -> None:
    wrong, found = examined(tmp_path, small)
    assert wrong == NOTHING_ATTACHED and found["engine"][1] == f"fp32 on {found['engine'][1].split(' on ')[1]}"
    for name in ("tensorrt", "onnxruntime-tensorrt", "onnxruntime-cuda"):
        state, said = found[name]
        assert state == "warning" and "install" in said and "is used meanwhile" in said
    assert found["parity"][0] == "ok" and found["daemon"][0] == "note"
    assert found["camera"] == ("ok", f"{tmp_path}/frames gives 64x48") and found["frame rate"][0] == "absent"
    assert found["intrinsics"][0] == "warning" and found["engine key"][0] == "absent"
    assert found["history"][0] == "note" and found["disk writes"][0] in ("ok", "warning")


def test_a_bare_laptop_is_told_what_it_has_and_what_was_not_looked_at(small: Path) -> None:
    result = run("doctor", "--bundle", small)
    assert result.exit_code == 0, result.stdout
    assert "✓ parity" in result.stdout and "– camera               not looked at without --config" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("nothing of what was looked at stands in the way: 0 ✗")


@without_gpu
def test_a_backend_that_was_not_asked_for_is_no_warning(small: Path, tmp_path: Path) -> None:
    wrong, found = examined(tmp_path, small, 'backends = ["onnxruntime-cpu"]')
    assert wrong == NOTHING_ATTACHED and found["tensorrt"][0] == "note" and "not asked for" in found["tensorrt"][1]
    wrong, found = examined(tmp_path, small, 'backends = ["onnxruntime-cuda"]')
    assert wrong == {"engine", *NOTHING_ATTACHED}


def test_a_signature_that_is_required(small: Path, tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path / "bundle").path
    new_key(tmp_path / "key")
    wrong, found = examined(tmp_path, bundle, 'signed_by = "key.pub"\nbackends = ["onnxruntime-cpu"]')
    assert wrong == {"signature", *NOTHING_ATTACHED} and "is not signed" in found["signature"][1]
    sign(bundle, tmp_path / "key")
    wrong, found = examined(tmp_path, bundle, 'signed_by = "key.pub"\nbackends = ["onnxruntime-cpu"]')
    assert wrong == NOTHING_ATTACHED and "as required" in found["signature"][1]


def test_what_is_wrong_is_found_and_said(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[camera]\n")
    result = run("doctor", "--config", tmp_path / "bad.toml")
    assert result.exit_code == 1 and "✗ configuration" in result.stdout
    result = run("doctor", "--bundle", tmp_path)
    assert result.exit_code == 1 and "is no bundle" in result.stdout


@without_gpu
def test_an_engine_cannot_be_built_without_tensorrt_and_the_sentence_says_what_then(small: Path) -> None:
    error = run("engine", "build", "--bundle", small).exception
    assert isinstance(error, EngineError) and "not installed: " in str(error)
    assert "onnxruntime-cpu is used" in str(error)
    error = run("engine", "build", "--bundle", small, "--backend", "onnxruntime-tensorrt").exception
    assert isinstance(error, EngineError) and "install onnxruntime-gpu" in str(error)
    assert "no engine of" in run("engine", "show", "--bundle", small).stdout


def test_wrong_words_for_an_engine(small: Path) -> None:
    for words in (("--profile", "fast"), ("--backend", "onnxruntime-cpu")):
        assert isinstance(run("engine", "build", "--bundle", small, *words).exception, UsageError)


def test_bench_measures_the_network_and_every_stage(small: Path) -> None:
    words = ("bench", "--bundle", small, "--backend", "onnxruntime-cpu", "--runs", "3", "--frames", "3")
    result = run(*words, "--threads", "1", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    (embed,) = report["latency"]
    assert embed["runs"] == 3 and 0 < embed["p50_ms"] <= embed["p90_ms"] <= embed["p99_ms"] <= embed["max_ms"]
    stages = {stage["what"] for stage in report["pipeline"]["stages"]}
    assert stages == {"look", "embed", "search", "features", "verify", "whole fix"}
    assert report["pipeline"]["keyframes"] > 40
    assert report["pipeline"]["fixed"] >= 1  # of three: a mosaic of only twelve views repeats itself
    assert report["throughput_hz"] > 0 and report["resident_mib"] > 50 and report["machine"]["cpu"]
    assert report["engine"]["precision"] == "fp32"


def test_bench_prints_a_table_and_refuses_what_does_not_run(small: Path) -> None:
    said = run("bench", "--bundle", small, "--precision", "fp16", "--runs", "2", "--frames", "0").stdout
    assert "fp16 on" in said and "p99 ms" in said and "crops/s" in said
    error = run("bench", "--bundle", small, "--precision", "int8").exception
    assert isinstance(error, BundleError) and "no int8" in str(error)
