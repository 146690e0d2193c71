"""The GPU's table: what is said without one, that a row costs no other, and that rows measure what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.bundle import Bundle
from runtime.embedder.onnx_engine import OnnxEngine
from runtime.gpu.cuda_calls import Cuda
from runtime.machine import gpu_in_sight
from runtime.values import ViewKind
from tests.bench.gpu import ROWS, Row, run, table
from tests.bench.gpu_rows import Cell, cuda_calls, evaluation, judged, rates, tensorrt_engine, training
from tests.runtime.gpu.fakes import FakeCudaLibrary, FakeTensorRt
from tests.runtime.small_bundle import small_bundle

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return small_bundle(tmp_path_factory.mktemp("small") / "bundle")


def _gpu(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench.gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def _python(code: str, limit_s: float = 60.0) -> tuple[tuple[Cell, ...], str | None]:
    outcome = run([sys.executable, "-c", code], limit_s)
    return outcome.cells, outcome.trouble


@pytest.mark.skipif(gpu_in_sight(), reason="there is a GPU here")
def test_without_a_gpu_one_line_says_what_is_missing() -> None:
    ran = _gpu()
    assert ran.returncode == 0 and ran.stderr == ""
    (line,) = ran.stdout.splitlines()
    assert line.startswith("no NVIDIA GPU is in sight") and "pip install 'homing[gpu,train]'" in line


def test_a_row_that_does_not_exist() -> None:
    ran = _gpu("--rows", "abacus")
    assert ran.returncode == 2 and ran.stderr.startswith("there is no row abacus; there are machine, CUDA's calls")


def test_all_rows_may_be_begun_within_eight_minutes_and_what_matters_most_ends_in_them() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    ends_s = sum(row.limit_s for row in ROWS[: names.index("evaluation") + 1])
    assert ends_s <= 480.0


def test_what_a_row_said_before_its_limit_is_kept() -> None:
    code = """print('{"what": "first", "value": "1"}', flush=True); import time; time.sleep(60)"""
    cells, trouble = _python(code, limit_s=3.0)
    assert cells == (Cell("first", "1"),) and trouble == "over its 3 s"


def test_a_crash_costs_one_row_and_is_named() -> None:
    cells, trouble = _python("""print('{"what": "first", "value": "1"}', flush=True); import os; os.abort()""")
    assert cells == (Cell("first", "1"),) and trouble is not None and "SIGABRT" in trouble
    assert _python("raise ValueError('the driver is too old')") == ((), "ValueError: the driver is too old")


def test_where_no_time_is_left_a_row_is_skipped_with_the_reason() -> None:
    lines = list(table([Row("late", 60.0, lambda: ())], budget_s=2.0))
    assert lines[0] == "| row | what | value |" and lines[2:] == ["| late | skipped | 2 of 2 s are left |"]


@pytest.mark.skipif(gpu_in_sight(), reason="there is a GPU here")
def test_a_row_in_its_process_says_what_is_missing_here() -> None:
    outcome = run([sys.executable, "-m", "tests.bench.gpu", "--one", "onnxruntime-cuda fp16"], 120.0)
    assert outcome.cells == () and "onnxruntime-cuda cannot run" in (outcome.trouble or "")
    (line,) = outcome.lines("onnxruntime-cuda fp16")
    assert line.startswith("| onnxruntime-cuda fp16 | not measured | ")


def test_an_engine_is_judged_and_timed(small: Bundle) -> None:
    engine = OnnxEngine(small.path / small.model(ViewKind.DRONE, "fp32").file, threads=1)
    (parity,) = judged(engine, small, "fp32")
    assert parity.what == "parity, batch 1" and parity.value.endswith("same nearest 100.0%: passed")
    (latency,) = rates(engine, small)
    assert latency.what == "one crop" and latency.value.startswith("median ")


@pytest.mark.long
def test_tensorrt_is_built_judged_and_timed_with_its_graph_and_without(small: Bundle, own_cache: Path) -> None:
    library = FakeCudaLibrary()
    cells = list(tensorrt_engine("fp16", libraries=(FakeTensorRt(library), Cuda(library)), bundle=small))
    whats = [cell.what for cell in cells]
    assert whats == [
        "parsed, built and passed", "whole build", "parity, batch 1", "one crop by a CUDA graph",
        "one crop without a graph", "graph and no graph differ by",
    ]  # fmt: skip
    assert cells[2].value.endswith(": passed") and cells[-1].value == "0" and library.allocated() == 0


def test_a_crop_goes_to_the_gpu_and_back_by_a_graph() -> None:
    library = FakeCudaLibrary()
    device, whole, took = cuda_calls(Cuda(library))
    assert "Orin" in device.value and whole.value == "200 of 200" and took.value.startswith("median ")
    assert library.launches == 420 and library.allocated() == 0


def test_the_evaluation_ranks_against_all_rows() -> None:
    (found,) = evaluation(gallery_rows=3_000, queries=200)
    assert found.what == "200 queries against 3000" and found.value.endswith("R@1 1.0000")


@pytest.mark.slow
@pytest.mark.long
def test_training_is_timed() -> None:
    pytest.importorskip("torch")
    whats = [cell.what for cell in training("fp32", steps=1, batch=2)]
    assert whats[:3] == ["device", "steps alone", "homing-train, reading and weather included"]
