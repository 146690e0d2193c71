"""TensorRT engines from order to flight, on libraries that are small but real: see `fakes`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.bundle import Bundle
from runtime.embedder.engine_build import build_engines
from runtime.embedder.onnx_engine import OnnxEngine
from runtime.embedder.parity_set import parity_images
from runtime.embedder.tensorrt_native import TensorRt, TensorRtEngine, fitting
from runtime.errors import BundleError, EngineError
from runtime.gpu.cuda_calls import Cuda
from runtime.gpu.engine_file import engine_path, read_engine
from runtime.gpu.key import BULK, FLIGHT
from runtime.gpu.plan import BuildOrder, build_plan
from runtime.values import ViewKind
from tests.runtime.gpu.fakes import FakeCudaLibrary, FakeTensorRt
from tests.runtime.small_bundle import small_bundle


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return small_bundle(tmp_path_factory.mktemp("small") / "bundle")


pytestmark = pytest.mark.usefixtures("own_cache")


def _model(bundle: Bundle) -> Path:
    return bundle.path / bundle.model(ViewKind.DRONE, "fp16").file


def _build(bundle: Bundle, trt: FakeTensorRt, profile=FLIGHT) -> list[str]:
    said: list[str] = []
    libraries = (trt, Cuda(trt.cuda))
    return [*build_engines(bundle, None, profile, said.append, libraries=libraries), *said]


def test_an_engine_is_built_held_against_its_reference_and_put_in_its_place(small: Bundle) -> None:
    cuda = FakeCudaLibrary()
    done, *progress = _build(small, FakeTensorRt(cuda))
    assert "cosine >= 0.9999" in done and any("3 of 4" in line for line in progress)
    built = read_engine(engine_path(_model(small), FLIGHT))
    assert built.key.device == "Orin" and built.key.profile == (1, 1, 1) and built.key.compute_capability == "8.7"
    assert built.facts["parity"]["device"] == "Orin" and built.facts["parity"]["cosine_min"] > 0.9995
    assert cuda.allocated() == 0  # what the gate used was given back


def test_it_computes_what_the_model_computes_by_one_graph_launch_a_crop(small: Bundle) -> None:
    cuda = FakeCudaLibrary()
    trt, gpu = FakeTensorRt(cuda), Cuda(cuda)
    plan, _ = build_plan(trt, BuildOrder(_model(small), FLIGHT), lambda *told: None)
    engine, crops = TensorRtEngine(trt, gpu, plan, "tensorrt"), parity_images(small)[:3]
    assert engine.batch == 1 and cuda.launches == 0
    expected = OnnxEngine(_model(small), threads=1)
    for crop in crops:
        ours, theirs = engine.run(crop[None]), expected.run(crop[None])
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)
        np.testing.assert_allclose(ours[1], theirs[1], atol=1e-6)
    assert cuda.launches == 3


def test_in_bulk_any_batch_up_to_the_largest_is_taken(small: Bundle) -> None:
    cuda = FakeCudaLibrary()
    trt = FakeTensorRt(cuda)
    plan, _ = build_plan(trt, BuildOrder(_model(small), BULK), lambda *told: None)
    engine, crops = TensorRtEngine(trt, Cuda(cuda), plan, "tensorrt"), parity_images(small)[:5]
    assert engine.batch == 32
    vectors, maps = engine.run(crops)
    kept = vectors.copy()
    np.testing.assert_allclose(vectors, OnnxEngine(_model(small), threads=1).run(crops)[0], atol=1e-5)
    assert maps is not None and len(maps) == 5 and cuda.launches == 0
    engine.run(crops[::-1])
    np.testing.assert_array_equal(vectors, kept)  # what was given is the caller's, not the next run's buffer


def test_an_engine_that_computes_something_else_never_reaches_its_place(small: Bundle) -> None:
    cuda = FakeCudaLibrary()
    _build(small, FakeTensorRt(cuda))
    before = engine_path(_model(small), FLIGHT).read_bytes()
    with pytest.raises(BundleError, match="engine .* is refused: its cosine"):
        _build(small, FakeTensorRt(cuda, spoil=0.2))
    assert engine_path(_model(small), FLIGHT).read_bytes() == before
    assert cuda.allocated() == 0


def test_the_engine_before_is_kept(small: Bundle) -> None:
    cuda = FakeCudaLibrary()
    _build(small, FakeTensorRt(cuda, version="10.3.0"))
    _build(small, FakeTensorRt(cuda, version="10.7.0"))
    path = engine_path(_model(small), FLIGHT)
    assert read_engine(path).key.tensorrt == "10.7.0"
    assert read_engine(path.with_suffix(".previous")).key.tensorrt == "10.3.0"


@pytest.mark.parametrize(
    ("cuda", "version", "difference"),
    [
        (FakeCudaLibrary(sm_count=16), "10.3.0", "number of multiprocessors 8, and here is 16"),
        (FakeCudaLibrary(name="Thor"), "10.3.0", "GPU Orin, and here is Thor"),
        (FakeCudaLibrary(driver=13000), "10.3.0", "driver 12.6, and here is 13.0"),
        (FakeCudaLibrary(), "11.4.0.106", "TensorRT 10.3.0, and here is 11.4.0.106"),
    ],
)
def test_an_engine_of_another_computer_names_the_difference_and_the_command(
    cuda: FakeCudaLibrary, version: str, difference: str, small: Bundle
) -> None:
    _build(small, FakeTensorRt(FakeCudaLibrary()))
    with pytest.raises(EngineError, match=f"{difference}; run homing engine build --bundle {small.path}"):
        fitting(_model(small), FLIGHT, FakeTensorRt(cuda, version=version), Cuda(cuda))
    same = FakeCudaLibrary()
    assert fitting(_model(small), FLIGHT, FakeTensorRt(same), Cuda(same)).key.device == "Orin"


def test_no_engine_and_a_damaged_one_name_the_command(small: Bundle) -> None:
    cuda = FakeCudaLibrary()
    trt = FakeTensorRt(cuda)
    with pytest.raises(EngineError, match="no engine of .* has been built .*: run homing engine build"):
        fitting(_model(small), FLIGHT, trt, Cuda(cuda))
    _build(small, trt)
    path = engine_path(_model(small), FLIGHT)
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:40], b"", b"x" + whole[1:], whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.raises(EngineError, match="is damaged: .*: run homing engine build"):
            fitting(_model(small), FLIGHT, trt, Cuda(cuda))


def test_what_tensorrt_says_is_in_the_sentence(small: Bundle) -> None:
    cuda = FakeCudaLibrary()
    with pytest.raises(EngineError, match="cannot parse tower.fp16.onnx: no such operator"):
        _build(small, FakeTensorRt(cuda, refuse="no such operator"))
    with pytest.raises(EngineError, match="cannot build tower.fp16.onnx: out of memory"):
        _build(small, FakeTensorRt(cuda, fail="out of memory"))
    with pytest.raises(EngineError, match="does not load the engine: .*magicTag"):
        TensorRtEngine(FakeTensorRt(cuda), Cuda(cuda), b"no plan", "tensorrt")


def test_without_tensorrt_the_backend_says_what_to_install() -> None:
    pytest.importorskip("onnxruntime")
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        assert "TensorRT is not installed" in (TensorRt().missing() or "")
    else:
        pytest.skip("TensorRT is installed here")
