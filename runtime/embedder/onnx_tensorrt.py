"""ONNX Runtime's TensorRT provider, on an engine that it was told to build before; never at start.

Second to TensorRT itself: the provider chooses types of its own within float16, which the parity gate then judges,
and keeps the serialised engine in memory.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from runtime import onnx_session
from runtime.embedder import onnx_engine
from runtime.embedder.engine import Engine
from runtime.errors import EngineError
from runtime.gpu.engine_file import engine_path
from runtime.gpu.key import FLIGHT, Profile
from runtime.gpu.tensorrt_library import tensorrt
from runtime.machine import gpu_driver, gpu_name


class OnnxTensorRt:
    """See `Backend`."""

    name = "onnxruntime-tensorrt"
    precisions: tuple[str, ...] = ("fp16", "fp32")

    def missing(self) -> str | None:
        """See `Backend.missing`."""
        return onnx_session.absent(onnx_session.TENSORRT)

    def identity(self) -> dict[str, str]:
        """See `Backend.identity`."""
        return {"onnxruntime": onnx_session.version(), "gpu": gpu_name() or "unknown", "driver": gpu_driver()}

    def start(self, model: Path, threads: int) -> Engine:
        """See `Backend.start`."""
        missing, cache = self.missing(), self._cache(model)
        if missing is not None:
            raise EngineError(f"{self.name} cannot run {model.name}: {missing}.")
        if not cache.is_dir() or not any(cache.glob("*.engine")):
            raise EngineError(
                f"ONNX Runtime has built no TensorRT engine of {model.name} here: "
                f"run homing engine build --bundle {model.parent} --backend {self.name}."
            )
        return self._engine(model, threads, cache)

    def build(self, model: Path, threads: int) -> Engine:
        """Build the engine and keep it; takes minutes, without a word from the provider."""
        cache = self._cache(model)
        cache.mkdir(parents=True, exist_ok=True)
        return self._engine(model, threads, cache)

    def _engine(self, model: Path, threads: int, cache: Path) -> Engine:
        with contextlib.suppress(EngineError):
            tensorrt()  # loads its wheel's own libraries; the provider would look in the system's folders alone
        settings = provider_settings(model, cache, FLIGHT)
        return onnx_engine.OnnxEngine(model, threads, onnx_session.TENSORRT, settings, FLIGHT.most)

    def _cache(self, model: Path) -> Path:
        """One directory per model, ONNX Runtime and GPU: what is in it is this one's, or nothing is."""
        label = "-".join(self.identity().values()).replace(" ", "_").replace("/", "_")
        return engine_path(model, FLIGHT, f"ort-{label}")


def provider_settings(model: Path, cache: Path, profile: Profile) -> dict[str, str]:
    """The provider's options for a model file: engines in ``cache``, batches of ``profile``, the file's precision."""
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(cache),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(cache),
        "trt_fp16_enable": "1" if model.stem.endswith(".fp16") else "0",
        "trt_layer_norm_fp32_fallback": "1",
        # A graph reads the addresses that it was captured at: without IO binding every crop gets the first one's
        # embedding (onnxruntime issue 20050). `TensorRtEngine` is the backend with a CUDA graph.
        "trt_cuda_graph_enable": "0",
        "trt_profile_min_shapes": _shape(model, profile.least),
        "trt_profile_opt_shapes": _shape(model, profile.usual),
        "trt_profile_max_shapes": _shape(model, profile.most),
    }


def _shape(model: Path, batch: int) -> str:
    """``crops:1x256x256x3``, from the file's own input."""
    name, sides = onnx_engine.input_of(model)
    return f"{name}:{'x'.join(map(str, (batch, *sides)))}"
