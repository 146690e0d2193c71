"""ONNX Runtime on the CPU: what every computer has, and what the others fall back to."""

from __future__ import annotations

import platform
from pathlib import Path

from runtime import onnx_session
from runtime.embedder import onnx_engine
from runtime.embedder.engine import Engine
from runtime.machine import cpu_name


class OnnxCpu:
    """See `Backend`."""

    name = "onnxruntime-cpu"
    precisions: tuple[str, ...] = ("fp32",)  # a CPU computes float16 in float32, and pays for the casts

    def missing(self) -> str | None:
        """Nothing: it is part of every ONNX Runtime."""
        return onnx_session.absent(onnx_session.CPU)

    def identity(self) -> dict[str, str]:
        """See `Backend.identity`."""
        return {"onnxruntime": onnx_session.version(), "machine": platform.machine(), "cpu": cpu_name()}

    def start(self, model: Path, threads: int) -> Engine:
        """One crop at a time: on a CPU a batch gains nothing, and one by one its rounding is the same."""
        return onnx_engine.OnnxEngine(model, threads, onnx_session.CPU)
