"""TensorRT itself: an engine built on this GPU, pinned buffers, one stream, and for a single crop one CUDA graph.

The engine is only ever read here. It takes minutes to build, so an explicit command does that on the ground.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.embedder.engine import Engine
from runtime.errors import EngineError
from runtime.gpu.cuda_calls import Cuda, cuda
from runtime.gpu.engine_file import BuiltEngine, engine_path, read_engine, rebuild_command
from runtime.gpu.key import FLIGHT, EngineKey, Profile
from runtime.gpu.plan import BuildOrder
from runtime.gpu.tensorrt_library import logger, tensorrt
from runtime.values import Maps, Vectors


class TensorRt:
    """See `Backend`. ``profile``: which of the engines of a file to run."""

    name = "tensorrt"
    precisions: tuple[str, ...] = ("fp16", "fp32")

    def __init__(self, profile: Profile = FLIGHT) -> None:
        self.profile = profile

    def missing(self) -> str | None:
        """See `Backend.missing`."""
        try:
            tensorrt(), cuda().device()
        except EngineError as error:
            return str(error).rstrip(".")
        return None

    def identity(self) -> dict[str, str]:
        """See `Backend.identity`."""
        device = cuda().device()
        where = {"gpu": device.name, "driver": device.driver}
        return {"tensorrt": str(tensorrt().__version__), "profile": self.profile.name, **where}

    def start(self, model: Path, threads: int) -> Engine:
        """See `Backend.start`; never builds."""
        trt, gpu = tensorrt(), cuda()
        built = fitting(model, self.profile, trt, gpu)
        return TensorRtEngine(trt, gpu, built.plan, f"tensorrt {trt.__version__} {gpu.device().name}")


def fitting(model: Path, profile: Profile, trt: Any, gpu: Cuda) -> BuiltEngine:
    """The built engine of a model file, which fits this GPU and these versions.

    Raises:
        EngineError: there is none, it is damaged or was built for another; the sentence names the command.
    """
    path, command = engine_path(model, profile), rebuild_command(model, profile)
    if not path.is_file():
        raise EngineError(f"no engine of {model.name} has been built for this computer: run {command}.")
    try:
        built = read_engine(path)
    except EngineError as error:
        raise EngineError(f"{str(error).rstrip('.')}: run {command}.") from error
    order = BuildOrder(model, profile, dla_core=built.key.dla_core)
    here = EngineKey.of(model, gpu.device(), str(trt.__version__), profile, built.key.flags, order.dla_core)
    difference = built.key.difference(here)
    if difference is not None:
        raise EngineError(f"the engine of {model.name} does not fit: {difference}; run {command}.")
    return built


class TensorRtEngine:
    """Runs a plan. ``graph``: record everything from copy to copy once, and launch it as one."""

    def __init__(self, trt: Any, gpu: Cuda, plan: bytes, name: str, graph: bool = True) -> None:
        said: list[str] = []
        self._gpu, self.name = gpu, name
        self._runtime = trt.Runtime(logger(trt, said))  # must outlive the engine
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineError(f"TensorRT does not load the engine: {said[-1] if said else 'it gave no reason'}.")
        self._engine, self._context = engine, engine.create_execution_context()
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        self._inputs = [n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT]
        self._outputs = [n for n in ("embedding", "map") if n in names]
        least, _, most = engine.get_tensor_profile_shape(self._inputs[0], 0)
        self.batch = int(most[0])
        self._stream = gpu.stream()
        self._host: dict[str, NDArray[Any]] = {}
        self._device: dict[str, int] = {}
        for name_of in names:
            self._make_buffers(trt, name_of)
        self._graph: Any = None
        if graph and tuple(least) == tuple(most):
            self._record()

    def run(self, crops: NDArray[np.uint8]) -> tuple[Vectors, Maps | None]:
        """See `Engine.run`."""
        count = len(crops)
        self._host[self._inputs[0]][:count] = crops
        if self._graph is not None and count == self.batch:
            self._gpu.launch(self._graph, self._stream)
        else:
            self._queue(count)
        self._gpu.wait(self._stream)
        results = [self._host[name][:count].copy() for name in self._outputs]
        return results[0], results[1] if len(results) > 1 else None

    def close(self) -> None:
        """Give the memory back."""
        self._gpu.free(list(self._host.values()), list(self._device.values()), self._stream)
        self._host, self._device = {}, {}

    def _make_buffers(self, trt: Any, name: str) -> None:
        shape = (self.batch, *tuple(self._engine.get_tensor_shape(name))[1:])
        self._host[name] = self._gpu.pinned(shape, trt.nptype(self._engine.get_tensor_dtype(name)))
        self._device[name] = self._gpu.device_memory(self._host[name].nbytes)
        self._context.set_tensor_address(name, self._device[name])

    def _record(self) -> None:
        """Once without a graph, as TensorRT asks (it allocates and chooses on the first run), then once into it."""
        self._queue(self.batch)
        self._gpu.wait(self._stream)
        self._gpu.begin_graph(self._stream)
        self._queue(self.batch)
        self._graph = self._gpu.end_graph(self._stream)

    def _queue(self, count: int) -> None:
        """Copy in, compute, copy out; all on the one stream."""
        crops = self._inputs[0]
        sides = self._host[crops].shape[1:]
        self._gpu.to_device(self._device[crops], self._host[crops], count * int(np.prod(sides)), self._stream)
        self._context.set_input_shape(crops, (count, *sides))
        if not self._context.execute_async_v3(int(self._stream)):
            raise EngineError(f"{self.name} did not run: see the log for TensorRT's reason.")
        for name in self._outputs:
            host = self._host[name]
            nbytes = host.nbytes // len(host) * count
            self._gpu.to_host(host, self._device[name], nbytes, self._stream)
