"""The order of backends: the first that runs and passes parity flies, and nothing is passed over in silence."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from runtime.bundle import Bundle
from runtime.config.sections import BackendName
from runtime.embedder.backends import BACKENDS, ORDER, backend, order_here
from runtime.embedder.embedder import Embedder
from runtime.embedder.onnx_engine import OnnxEngine, input_of
from runtime.embedder.onnx_tensorrt import provider_settings
from runtime.embedder.parity_record import passed_sample, record_path
from runtime.embedder.parity_set import parity_images
from runtime.embedder.tensorrt_native import TensorRt
from runtime.errors import BundleError, EngineError, UsageError
from runtime.gpu.key import BULK, FLIGHT
from runtime.machine import default_threads, gpu_in_sight
from runtime.onnx_session import load_gpu_libraries
from runtime.values import ViewKind
from tests.runtime.small_bundle import small_bundle

without_gpu = pytest.mark.skipif(
    gpu_in_sight() or "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="there is a GPU here"
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return small_bundle(tmp_path_factory.mktemp("small") / "bundle")


def test_the_configuration_knows_every_backend_in_the_same_order() -> None:
    from typing import get_args

    assert get_args(BackendName) == ORDER == tuple(BACKENDS)
    assert ORDER[0] == "tensorrt" and ORDER[-1] == "onnxruntime-cpu"


@without_gpu
def test_every_backend_passed_over_is_a_warning_with_a_reason_and_what_to_install(
    small: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "runtime.embedder"):
        embedder = Embedder(small, threads=1, backends=ORDER)
    assert "CPU" in embedder.backend and embedder.precision == "fp32"
    assert [passed.backend for passed in embedder.passed_over] == list(ORDER[:-1])
    warnings = [record.getMessage() for record in caplog.records if record.name == "runtime.embedder.embedder"]
    assert warnings == list(embedder.warnings) == list(embedder.report.warnings)
    for name, warning in zip(ORDER, warnings, strict=False):
        assert warning.startswith(f"{name} is passed over: ") and "onnxruntime CPU x1 is used meanwhile" in warning
        assert "install" in warning


@without_gpu
def test_a_backend_alone_that_does_not_run_is_an_error_and_not_a_fallback(small: Bundle) -> None:
    with pytest.raises(EngineError, match="pip install homing"):
        Embedder(small, backends=("onnxruntime-cuda",))
    with pytest.raises(EngineError, match="run by none of tensorrt, onnxruntime-cuda"):
        Embedder(small, backends=("tensorrt", "onnxruntime-cuda"))


@without_gpu
def test_without_a_gpu_a_command_asks_for_none(small: Bundle) -> None:
    assert order_here() == ("onnxruntime-cpu",)
    assert Embedder(small, threads=1).passed_over == ()


def test_what_is_missing_is_said_without_starting_anything() -> None:
    assert BACKENDS["onnxruntime-cpu"].missing() is None
    with pytest.raises(UsageError, match="no backend coral: choose tensorrt"):
        backend("coral")


def test_in_bulk_tensorrt_runs_its_engine_for_many_and_nothing_else_changes() -> None:
    bulk = backend("tensorrt", bulk=True)
    assert isinstance(bulk, TensorRt) and bulk.profile is BULK
    assert isinstance(backend("tensorrt"), TensorRt) and backend("tensorrt").profile is FLIGHT
    assert backend("onnxruntime-cpu", bulk=True) is BACKENDS["onnxruntime-cpu"]


def test_a_model_that_is_damaged_is_refused_by_the_backend_that_was_to_run_it(tmp_path: Path) -> None:
    path = tmp_path / "tower.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(EngineError, match="does not run tower.onnx"):
        OnnxEngine(path, threads=1)


def test_the_whole_gate_is_passed_once_on_a_computer_and_a_few_images_at_later_starts(
    small: Bundle, own_cache: Path
) -> None:
    record = record_path(small, ViewKind.DRONE, "fp32", backend("onnxruntime-cpu"))
    assert own_cache in record.parents and passed_sample(record) is None
    Embedder(small, threads=1, backends=("onnxruntime-cpu",))
    kept, images = passed_sample(record), parity_images(small)
    assert kept is not None and 1 < len(kept.rows) <= 16
    np.testing.assert_array_equal(kept.crops, images[kept.rows])
    assert json.loads(record.read_text())["cosine_min"] > 0.9999
    record.write_text("{")
    assert passed_sample(record) is None


def test_a_later_start_decodes_no_sheet_and_a_damaged_sample_is_the_whole_gate_again(
    tmp_path: Path, own_cache: Path
) -> None:
    small = small_bundle(tmp_path / "bundle")
    cpu = ("onnxruntime-cpu",)
    Embedder(small, threads=1, backends=cpu)
    record = record_path(small, ViewKind.DRONE, "fp32", backend(*cpu))
    sheets = [small.path / named.file for named in small.manifest.parity.images]
    away = [sheet.rename(sheet.with_suffix(".away")) for sheet in sheets]
    assert Embedder(small, threads=1, backends=cpu).parity > 0.9999
    before_samples = {"passed": True, "engine": "x", "cosine_min": 1.0}
    for spoil in (lambda: record.write_text(json.dumps(before_samples)), record.with_suffix(".npz").unlink,
                  lambda: record.with_suffix(".npz").write_bytes(b"PK")):  # fmt: skip
        spoil()
        with pytest.raises(BundleError, match="is not an image"):
            Embedder(small, threads=1, backends=cpu)
        for one in away:
            one.rename(one.with_suffix(sheets[0].suffix))
        Embedder(small, threads=1, backends=cpu)
        assert passed_sample(record) is not None
        away = [sheet.rename(sheet.with_suffix(".away")) for sheet in sheets]


def test_another_model_or_another_set_of_images_is_another_record(small: Bundle) -> None:
    cpu = backend("onnxruntime-cpu")
    records = {
        record_path(small, ViewKind.DRONE, "fp32", cpu),
        record_path(small, ViewKind.DRONE, "fp16", cpu),
        record_path(Bundle.load(), ViewKind.DRONE, "fp32", cpu),
    }
    assert len(records) == 3


def test_an_engine_that_has_passed_before_is_still_compared(tmp_path: Path, own_cache: Path) -> None:
    small = small_bundle(tmp_path / "bundle")
    Embedder(small, threads=1, backends=("onnxruntime-cpu",))
    for named in small.manifest.parity.embeddings.values():
        reference = np.load(small.path / named.file)
        np.save(small.path / named.file, np.roll(reference, 1, axis=0))  # after the hashes were checked
    with pytest.raises(BundleError, match="differs from its reference"):
        Embedder(small, threads=1, backends=("onnxruntime-cpu",))


def test_a_models_input_is_read_from_its_file(small: Bundle) -> None:
    assert input_of(small.path / small.model(ViewKind.DRONE, "fp32").file) == ("crops", (256, 256, 3))


def test_onnxruntimes_tensorrt_replays_no_cuda_graph(small: Bundle, tmp_path: Path) -> None:
    model = small.path / small.model(ViewKind.DRONE, "fp32").file
    settings = provider_settings(model, tmp_path, FLIGHT)
    assert settings["trt_cuda_graph_enable"] == "0" and settings["trt_profile_max_shapes"] == "crops:1x256x256x3"


def test_what_onnxruntime_says_of_libraries_it_does_not_find_is_not_a_commands_output(
    capfd: pytest.CaptureFixture[str],
) -> None:
    load_gpu_libraries()
    assert capfd.readouterr() == ("", "")


def test_threads_suit_the_computer() -> None:
    assert 1 <= default_threads() <= 4
    program = "from runtime.machine import default_threads; print(default_threads())"
    for told, allowed in (("1", {1}), ("1,4", {1}), ("64", {1, 2, 3, 4}), ("many", {1, 2, 3, 4}), ("0", {1, 2, 3, 4})):
        environment = {**os.environ, "OMP_NUM_THREADS": told}
        ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert int(ran.stdout) in allowed, ran.stderr
