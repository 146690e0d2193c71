"""`homing doctor`, `homing engine` and `homing bench`: what this computer would fly with, and how fast."""

from __future__ import annotations

import json
from pathlib import Path

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
uri = "/dev/video0"
width_px = 64
height_px = 48
hfov_deg = 70.0

[vehicle]
uri = "udpin:127.0.0.1:14550"

[history]
path = "history.db"

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


def examined(folder: Path, bundle: Path, more: str = "") -> tuple[int, dict[str, tuple[str, str]]]:
    (folder / "homing.toml").write_text(CONFIG.format(bundle=bundle, more=more))
    result = run("doctor", "--config", folder / "homing.toml", "--json")
    findings = json.loads(result.stdout)["findings"]
    return result.exit_code, {one["what"]: (one["state"], one["found"]) for one in findings}


@without_gpu
def test_every_backend_passed_over_is_shown_with_what_to_install(small: Path, tmp_path: Path) -> None:
    status, found = examined(tmp_path, small)
    assert status == 0 and found["engine"][1] == f"fp32 on {found['engine'][1].split(' on ')[1]}"
    for name in ("tensorrt", "onnxruntime-tensorrt", "onnxruntime-cuda"):
        state, said = found[name]
        assert state == "warning" and "install" in said and "is used meanwhile" in said
    assert found["parity"][0] == "ok" and found["daemon"][0] == "warning"
    plain = run("doctor", "--config", tmp_path / "homing.toml").stdout
    assert "! tensorrt" in plain and "✓ parity" in plain


@without_gpu
def test_a_backend_that_was_not_asked_for_is_no_warning(small: Path, tmp_path: Path) -> None:
    status, found = examined(tmp_path, small, 'backends = ["onnxruntime-cpu"]')
    assert status == 0 and found["tensorrt"][0] == "note" and "not asked for" in found["tensorrt"][1]
    status, found = examined(tmp_path, small, 'backends = ["onnxruntime-cuda"]')
    assert status == 1 and found["engine"][0] == "wrong"


def test_a_signature_that_is_required(small: Path, tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path / "bundle").path
    new_key(tmp_path / "key")
    status, found = examined(tmp_path, bundle, 'signed_by = "key.pub"\nbackends = ["onnxruntime-cpu"]')
    assert status == 1 and "is not signed" in found["signature"][1]
    sign(bundle, tmp_path / "key")
    status, found = examined(tmp_path, bundle, 'signed_by = "key.pub"\nbackends = ["onnxruntime-cpu"]')
    assert status == 0 and "as required" in found["signature"][1]


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
