"""CUDA and TensorRT as small real things: memory that is memory, a queue that is a queue, engines that compute.

Only the calls that the runtime makes are here, under the names and with the arguments that NVIDIA's own bindings of
12.9 and 13.5 and TensorRT's of 10.3 and 11.4 have; what is queued happens when it is waited for, as on a GPU.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

Work = Callable[[], None]


class CudaError(IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1


class FakeCudaLibrary:
    """The module `cuda.bindings.runtime` of one GPU."""

    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def __init__(self, name: str = "Orin", sm_count: int = 8, driver: int = 12060) -> None:
        self._name, self._sm_count, self._driver = name, sm_count, driver
        self._memory: dict[int, Any] = {}
        self._queue: list[Work] = []
        self._captured: list[Work] | None = None
        self.launches = 0

    def enqueue(self, work: Work) -> None:
        (self._queue if self._captured is None else self._captured).append(work)

    def allocated(self) -> int:
        return len(self._memory)

    def cudaGetDeviceProperties(self, device: int) -> tuple[CudaError, Any]:
        properties = SimpleNamespace(name=self._name.encode() + b"\0\0", multiProcessorCount=self._sm_count)
        properties.major, properties.minor = 8, 7
        return CudaError.cudaSuccess, properties

    def cudaDriverGetVersion(self) -> tuple[CudaError, int]:
        return CudaError.cudaSuccess, self._driver

    def cudaRuntimeGetVersion(self) -> tuple[CudaError, int]:
        return CudaError.cudaSuccess, 12060

    def cudaStreamCreate(self) -> tuple[CudaError, int]:
        return CudaError.cudaSuccess, 7

    def cudaMallocHost(self, size: int) -> tuple[CudaError, int]:
        return self.cudaMalloc(size)

    def cudaMalloc(self, size: int) -> tuple[CudaError, int]:
        memory = (ctypes.c_byte * size)()
        self._memory[ctypes.addressof(memory)] = memory
        return CudaError.cudaSuccess, ctypes.addressof(memory)

    def cudaMemcpyAsync(self, to: int, given: int, count: int, kind: int, stream: int) -> tuple[CudaError]:
        device = to if kind == 1 else given
        if device not in self._memory or count > len(self._memory[device]):
            return (CudaError.cudaErrorInvalidValue,)
        self.enqueue(lambda: ctypes.memmove(to, given, count) and None)
        return (CudaError.cudaSuccess,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[CudaError]:
        queued, self._queue = self._queue, []
        for work in queued:
            work()
        return (CudaError.cudaSuccess,)

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[CudaError]:
        self._captured = []
        return (CudaError.cudaSuccess,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[CudaError, list[Work]]:
        captured, self._captured = self._captured or [], None
        return CudaError.cudaSuccess, captured

    def cudaGraphInstantiate(self, graph: list[Work], flags: int) -> tuple[CudaError, list[Work]]:
        return CudaError.cudaSuccess, list(graph)

    def cudaGraphLaunch(self, graph: list[Work], stream: int) -> tuple[CudaError]:
        self.launches += 1
        self._queue.extend(graph)
        return (CudaError.cudaSuccess,)

    def cudaFreeHost(self, address: int) -> tuple[CudaError]:
        return self.cudaFree(address)

    def cudaFree(self, address: int) -> tuple[CudaError]:
        del self._memory[address]
        return (CudaError.cudaSuccess,)

    def cudaStreamDestroy(self, stream: int) -> tuple[CudaError]:
        return (CudaError.cudaSuccess,)


class _Severities:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class _Logger:
    Severity = _Severities

    def log(self, severity: int, message: str) -> None:
        raise NotImplementedError


class _ProgressMonitor:
    pass


class FakeTensorRt:
    """The module `tensorrt`: its plans are the path of the ONNX file and the profile, its engines ONNX Runtime.

    ``refuse``: the parser says this; ``fail``: the builder gives no plan and logs this; ``spoil``: what the engine
    gives is off by this much of its reverse.
    """

    ILogger, IProgressMonitor = _Logger, _ProgressMonitor
    NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
    MemoryPoolType = SimpleNamespace(WORKSPACE=0)
    BuilderFlag = SimpleNamespace(TF32=7, GPU_FALLBACK=3)
    DeviceType = SimpleNamespace(GPU=0, DLA=1)
    TensorIOMode = SimpleNamespace(INPUT=1, OUTPUT=2)

    def __init__(
        self, cuda: FakeCudaLibrary, version: str = "10.3.0", refuse: str = "", fail: str = "", spoil: float = 0.0,
        dla_cores: int = 0,
    ) -> None:  # fmt: skip
        self.__version__ = version
        self.cuda, self.refuse, self.fail, self.spoil, self.dla_cores = cuda, refuse, fail, spoil, dla_cores
        self.configs: list[_Config] = []
        self.network_flags: list[int] = []

    def Builder(self, logger: Any) -> _Builder:
        return _Builder(self, logger)

    def OnnxParser(self, network: _Network, logger: Any) -> _Parser:
        return _Parser(self, network)

    def Runtime(self, logger: Any) -> _Runtime:
        return _Runtime(self, logger)

    def nptype(self, kind: str) -> Any:
        return {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}[kind]


class _Network:
    def __init__(self) -> None:
        self.model: Path | None = None

    def get_input(self, index: int) -> Any:
        given = onnxruntime.InferenceSession(str(self.model), providers=["CPUExecutionProvider"]).get_inputs()[index]
        return SimpleNamespace(name=given.name, shape=(-1, *given.shape[1:]))


class _Parser:
    def __init__(self, trt: FakeTensorRt, network: _Network) -> None:
        self._trt, self._network = trt, network
        self.num_errors = int(bool(trt.refuse))

    def parse_from_file(self, path: str) -> bool:
        self._network.model = Path(path)
        return not self._trt.refuse

    def get_error(self, index: int) -> Any:
        return SimpleNamespace(desc=lambda: self._trt.refuse)


class _Config:
    def __init__(self) -> None:
        self.builder_optimization_level = 3
        self.progress_monitor: Any = None
        self.default_device_type, self.DLA_core = 0, -1
        self.profiles: list[Any] = []
        self.flags: set[int] = {FakeTensorRt.BuilderFlag.TF32}  # on unless cleared, as in TensorRT
        self.known_timings = b""

    def set_memory_pool_limit(self, pool: int, nbytes: int) -> None:
        assert nbytes > 0

    def set_flag(self, flag: int) -> None:
        self.flags.add(flag)

    def clear_flag(self, flag: int) -> None:
        self.flags.discard(flag)

    def add_optimization_profile(self, profile: Any) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, known: bytes) -> Any:
        self.known_timings = known
        return SimpleNamespace(serialize=lambda: known + b"t")

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        self._cache = cache
        return True

    def get_timing_cache(self) -> Any:
        return self._cache


class _Builder:
    def __init__(self, trt: FakeTensorRt, logger: Any) -> None:
        self._trt, self._logger = trt, logger
        self.num_DLA_cores = trt.dla_cores

    def create_network(self, flags: int) -> _Network:
        self._trt.network_flags.append(flags)
        return _Network()

    def create_builder_config(self) -> _Config:
        self._trt.configs.append(_Config())
        return self._trt.configs[-1]

    def create_optimization_profile(self) -> Any:
        shapes: dict[str, Any] = {}
        return SimpleNamespace(shapes=shapes, set_shape=lambda name, *three: shapes.update({name: three}))

    def build_serialized_network(self, network: _Network, config: _Config) -> bytes | None:
        if self._trt.fail:
            self._logger.log(_Severities.ERROR, self._trt.fail)
            return None
        config.progress_monitor.phase_start("Tactics", None, 4)
        for step in range(4):
            assert config.progress_monitor.step_complete("Tactics", step)
        config.progress_monitor.phase_finish("Tactics")
        (shapes,) = config.profiles[0].shapes.values()
        return json.dumps({"model": str(network.model), "batches": [shape[0] for shape in shapes]}).encode()


class _Runtime:
    def __init__(self, trt: FakeTensorRt, logger: Any) -> None:
        self._trt, self._logger = trt, logger

    def deserialize_cuda_engine(self, plan: bytes) -> _Engine | None:
        try:
            return _Engine(self._trt, json.loads(plan))
        except ValueError:
            self._logger.log(_Severities.ERROR, "Serialization assertion magicTagRead failed")
            return None


class _Engine:
    def __init__(self, trt: FakeTensorRt, plan: dict[str, Any]) -> None:
        self.trt, self._batches = trt, plan["batches"]
        self.session = onnxruntime.InferenceSession(plan["model"], providers=["CPUExecutionProvider"])
        self.tensors = {t.name: t for t in (*self.session.get_inputs(), *self.session.get_outputs())}
        self.inputs = [t.name for t in self.session.get_inputs()]
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> int:
        return 1 if name in self.inputs else 2

    def get_tensor_dtype(self, name: str) -> str:
        return str(self.tensors[name].type)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, *self.tensors[name].shape[1:])

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        return [(batch, *self.tensors[name].shape[1:]) for batch in self._batches]

    def create_execution_context(self) -> _Context:
        return _Context(self)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}
        self._shape: tuple[int, ...] = ()

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shape = shape
        return True

    def execute_async_v3(self, stream: int) -> bool:
        shape = self._shape
        self._engine.trt.cuda.enqueue(lambda: self._compute(shape))
        return True

    def _compute(self, shape: tuple[int, ...]) -> None:
        (crops,) = self._engine.inputs
        count = int(np.prod(shape))
        given = np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(self._addresses[crops])).reshape(shape)
        outputs = [name for name in self._engine.tensors if name != crops]
        for name, result in zip(outputs, self._engine.session.run(outputs, {crops: given}), strict=True):
            spoilt = np.ascontiguousarray(result + np.float32(self._engine.trt.spoil) * result[:, ::-1])
            ctypes.memmove(self._addresses[name], spoilt.ctypes.data, spoilt.nbytes)
