"""What TensorRT is asked to build and what an engine file remembers, on small libraries that are real: see `fakes`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.bundle import Bundle
from runtime.errors import EngineError, UsageError
from runtime.gpu.cuda_calls import Cuda
from runtime.gpu.engine_file import BuiltEngine, read_engine, write_engine
from runtime.gpu.key import BULK, FLIGHT, EngineKey
from runtime.gpu.plan import BuildOrder, TimeLeft, build_plan
from runtime.values import ViewKind
from tests.runtime.gpu.fakes import FakeCudaLibrary, FakeTensorRt
from tests.runtime.small_bundle import small_bundle


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return small_bundle(tmp_path_factory.mktemp("small") / "bundle")


pytestmark = pytest.mark.usefixtures("own_cache")


def _model(bundle: Bundle) -> Path:
    return bundle.path / bundle.model(ViewKind.DRONE, "fp16").file


def test_the_network_is_strongly_typed_without_tf32_and_with_one_profile(small: Bundle) -> None:
    trt = FakeTensorRt(FakeCudaLibrary())
    build_plan(trt, BuildOrder(_model(small), BULK), lambda *told: None)
    assert trt.network_flags == [1 << trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED]
    (config,) = trt.configs
    assert trt.BuilderFlag.TF32 not in config.flags and trt.BuilderFlag.GPU_FALLBACK not in config.flags
    assert config.profiles[0].shapes == {"crops": ((1, 256, 256, 3), (8, 256, 256, 3), (32, 256, 256, 3))}


def test_measured_kernels_are_kept_for_the_next_build(small: Bundle) -> None:
    trt = FakeTensorRt(FakeCudaLibrary())
    for _ in range(2):
        build_plan(trt, BuildOrder(_model(small), FLIGHT), lambda *told: None)
    assert [config.known_timings for config in trt.configs] == [b"", b"t"]


def test_a_dla_is_used_where_there_is_one_and_refused_where_not(small: Bundle) -> None:
    order = BuildOrder(_model(small), FLIGHT, dla_core=1)
    with pytest.raises(UsageError, match="--dla 1: this computer has 0 DLA cores"):
        build_plan(FakeTensorRt(FakeCudaLibrary()), order, lambda *told: None)
    trt = FakeTensorRt(FakeCudaLibrary(), dla_cores=2)
    build_plan(trt, order, lambda *told: None)
    (config,) = trt.configs
    assert config.default_device_type == trt.DeviceType.DLA and config.DLA_core == 1
    assert trt.BuilderFlag.GPU_FALLBACK in config.flags


def test_a_cuda_error_is_a_sentence() -> None:
    library = FakeCudaLibrary()
    with pytest.raises(EngineError, match="CUDA reports cudaErrorInvalidValue"):
        Cuda(library).to_device(3, np.zeros(4, np.uint8), 4, 7)


def test_a_key_survives_its_file_and_every_field_counts(small: Bundle, tmp_path: Path) -> None:
    cuda = FakeCudaLibrary()
    key = EngineKey.of(_model(small), Cuda(cuda).device(), "10.3.0", FLIGHT, ("strongly-typed",), None)
    write_engine(tmp_path / "one.engine", BuiltEngine(key, b"plan", {"parity": {}}))
    assert read_engine(tmp_path / "one.engine").key == key and key.difference(key) is None
    for name, other in {
        "onnx_sha256": "0", "device": "x", "sm_count": 1, "compute_capability": "7.2", "tensorrt": "9", "cuda": "1",
        "driver": "1", "flags": (), "profile": (1, 8, 32), "dla_core": 0,
    }.items():  # fmt: skip
        assert key.difference(replace(key, **{name: other})) is not None


def test_time_left_is_told_by_the_steps_that_are_done() -> None:
    now = iter([0.0, 10.0, 40.0, 70.0])
    left = TimeLeft(lambda: next(now))
    assert left.words("tactics", 0, 4) == "tactics: 0 of 4, 0:10 gone"
    assert left.words("tactics", 1, 4) == "tactics: 1 of 4, 0:40 gone, about 1:30 left in it"
    assert left.words("tactics", 2, 4) == "tactics: 2 of 4, 1:10 gone, about 1:00 left in it"
