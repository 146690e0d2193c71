"""ONNX Runtime's CUDA provider: for a GPU whose TensorRT engine has not been built."""

from __future__ import annotations

from pathlib import Path

from runtime import onnx_session
from runtime.embedder import onnx_engine
from runtime.embedder.engine import Engine
from runtime.machine import gpu_driver, gpu_name

_BATCH = 32
# TF32 would round float32 products to ten bits, and an fp32 file is asked for by who wants them whole.
_SETTINGS = {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE", "do_copy_in_default_stream": "1"}


class OnnxCuda:
    """See `Backend`."""

    name = "onnxruntime-cuda"
    precisions: tuple[str, ...] = ("fp16", "fp32")

    def missing(self) -> str | None:
        """See `Backend.missing`."""
        return onnx_session.absent(onnx_session.CUDA)

    def identity(self) -> dict[str, str]:
        """See `Backend.identity`."""
        return {"onnxruntime": onnx_session.version(), "gpu": gpu_name() or "unknown", "driver": gpu_driver()}

    def start(self, model: Path, threads: int) -> Engine:
        """See `Backend.start`."""
        return onnx_engine.OnnxEngine(model, threads, onnx_session.CUDA, _SETTINGS, _BATCH)
