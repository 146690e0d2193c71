"""The backends by name, the order in which they are preferred, and what is said when one is passed over."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.embedder.engine import Backend
from runtime.embedder.onnx_cpu import OnnxCpu
from runtime.embedder.onnx_cuda import OnnxCuda
from runtime.embedder.onnx_tensorrt import OnnxTensorRt
from runtime.embedder.tensorrt_native import TensorRt
from runtime.errors import UsageError
from runtime.gpu.key import BULK
from runtime.machine import gpu_in_sight

BACKENDS: dict[str, Backend] = {b.name: b for b in (TensorRt(), OnnxTensorRt(), OnnxCuda(), OnnxCpu())}
ORDER = tuple(BACKENDS)  # best first; what the configuration says unless it says otherwise


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A backend that was preferred and does not run, and why."""

    backend: str
    reason: str

    def sentence(self, instead: str) -> str:
        """Which backend was passed over and why, in one sentence for people."""
        return f"{self.backend} is passed over: {self.reason.rstrip('.')}; {instead} is used meanwhile"


def order_here() -> tuple[str, ...]:
    """What a command without a configuration prefers: a computer without a GPU is not told so at every command."""
    return ORDER if gpu_in_sight() else (OnnxCpu.name,)


def backend(name: str, bulk: bool = False) -> Backend:
    """A backend by name; ``bulk``: for many crops at a time, which TensorRT has an engine of its own for.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in BACKENDS:
        raise UsageError(f"there is no backend {name}: choose {', '.join(ORDER)}.")
    return TensorRt(BULK) if bulk and name == TensorRt.name else BACKENDS[name]
