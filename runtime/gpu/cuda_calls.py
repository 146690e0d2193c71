"""The few calls of CUDA that a flight needs: pinned memory, one stream, and a graph of everything on it.

NVIDIA's own Python bindings, imported when first asked for: a desk has none.
"""

from __future__ import annotations

import ctypes
import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from runtime.errors import EngineError

_MODULES = ("cuda.bindings.runtime", "cuda.cudart")  # the second is what JetPack 6 knows of
INSTALL = "install NVIDIA's CUDA bindings (pip install homing[gpu])"


@dataclass(frozen=True, slots=True)
class Device:
    """What an engine is built for: all Orins share compute capability 8.7, and differ in their processors."""

    name: str
    sm_count: int
    compute_capability: str
    driver: str
    runtime: str


class Cuda:
    """CUDA's runtime; ``library`` is the module of the bindings.

    Every method raises EngineError with CUDA's own name of what went wrong.
    """

    def __init__(self, library: Any) -> None:
        self._cuda = library

    def device(self) -> Device:
        """The first GPU."""
        properties = self._made(self._cuda.cudaGetDeviceProperties(0))
        return Device(
            name=_text(properties.name),
            sm_count=int(properties.multiProcessorCount),
            compute_capability=f"{properties.major}.{properties.minor}",
            driver=_version(self._made(self._cuda.cudaDriverGetVersion())),
            runtime=_version(self._made(self._cuda.cudaRuntimeGetVersion())),
        )

    def stream(self) -> Any:
        """A new stream."""
        return self._made(self._cuda.cudaStreamCreate())

    def pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array in page-locked memory, which the GPU copies without the processor's help."""
        kind = np.dtype(dtype)
        count = int(np.prod(shape))
        address = int(self._made(self._cuda.cudaMallocHost(count * kind.itemsize)))
        buffer = (ctypes.c_byte * (count * kind.itemsize)).from_address(address)
        pinned: NDArray[Any] = np.ctypeslib.as_array(buffer).view(kind).reshape(shape)
        return pinned

    def device_memory(self, nbytes: int) -> int:
        """The address of so many bytes on the GPU."""
        return int(self._made(self._cuda.cudaMalloc(nbytes)))

    def to_device(self, device: int, host: NDArray[Any], nbytes: int, stream: Any) -> None:
        """Queue a copy to the GPU."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._made(self._cuda.cudaMemcpyAsync(device, host.ctypes.data, nbytes, kind, stream))

    def to_host(self, host: NDArray[Any], device: int, nbytes: int, stream: Any) -> None:
        """Queue a copy from the GPU."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._made(self._cuda.cudaMemcpyAsync(host.ctypes.data, device, nbytes, kind, stream))

    def wait(self, stream: Any) -> None:
        """Until all that was queued is done."""
        self._made(self._cuda.cudaStreamSynchronize(stream))

    def begin_graph(self, stream: Any) -> None:
        """From now on what is queued is written down instead of done."""
        mode = self._cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._made(self._cuda.cudaStreamBeginCapture(stream, mode))

    def end_graph(self, stream: Any) -> Any:
        """What was written down, ready to be launched whole."""
        graph = self._made(self._cuda.cudaStreamEndCapture(stream))
        return self._made(self._cuda.cudaGraphInstantiate(graph, 0))

    def launch(self, graph: Any, stream: Any) -> None:
        """Queue everything that a graph holds, in one call."""
        self._made(self._cuda.cudaGraphLaunch(graph, stream))

    def free(self, host: list[NDArray[Any]], device: list[int], stream: Any) -> None:
        """Give everything back; errors no longer matter."""
        for array in host:
            self._cuda.cudaFreeHost(array.ctypes.data)
        for address in device:
            self._cuda.cudaFree(address)
        self._cuda.cudaStreamDestroy(stream)

    def _made(self, answer: tuple[Any, ...]) -> Any:
        """What a call gave; the bindings put its error in front."""
        error, *given = answer
        if int(error) != 0:
            raise EngineError(f"CUDA reports {getattr(error, 'name', error)}: is the driver loaded, and the GPU free?")
        return given[0] if given else None


def cuda() -> Cuda:
    """CUDA as installed here.

    Raises:
        EngineError: the bindings are absent; the sentence says what to install.
    """
    for name in _MODULES:
        try:
            return Cuda(importlib.import_module(name))
        except ImportError:
            continue
    raise EngineError(f"CUDA's bindings are not installed: {INSTALL}.")


def _text(name: Any) -> str:
    return name.split(b"\0")[0].decode() if isinstance(name, bytes) else str(name)


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
