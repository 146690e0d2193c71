"""Builds a TensorRT engine of a typed ONNX file, on the GPU that will fly it; minutes, with progress.

The network is strongly typed: TensorRT takes every precision from the file, and chooses none. In version 11 that is
the only kind of network there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import EngineError, StorageError, UsageError
from runtime.gpu.key import Profile
from runtime.gpu.tensorrt_library import logger
from runtime.machine import cache_directory
from runtime.whole_file import write_whole

Told = Callable[[str, int, int], None]  # what is being done, steps done, steps in all


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """What to build. ``dla_core``: the deep learning accelerator to use, None for the GPU alone."""

    model: Path
    profile: Profile
    workspace_mib: int = 1024
    optimisation_level: int = 3  # TensorRT's own default; 5 compares more kernels, for longer
    dla_core: int | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """The builder flags, as the engine's key has them."""
        level = f"level={self.optimisation_level}"
        dla = () if self.dla_core is None else ("gpu-fallback",)
        return ("strongly-typed", "no-tf32", level, *dla)


def build_plan(trt: Any, order: BuildOrder, tell: Told) -> tuple[bytes, list[str]]:
    """The serialised engine, and what the builder warned of.

    Raises:
        EngineError: TensorRT cannot parse or build the file; its own words are in the sentence.
        UsageError: a DLA core was asked for that this computer or version does not have.
    """
    warned: list[str] = []
    ours = logger(trt, warned)
    builder = trt.Builder(ours)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, ours)
    if not parser.parse_from_file(str(order.model)):
        first = parser.get_error(0).desc() if parser.num_errors else "no reason given"
        raise EngineError(f"TensorRT {trt.__version__} cannot parse {order.model.name}: {first}.")
    config = _config(trt, builder, network, order)
    config.progress_monitor = _monitor(trt, tell)
    timings = _timing_cache(trt, config)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        reason = warned[-1] if warned else "it gave no reason"
        raise EngineError(f"TensorRT {trt.__version__} cannot build {order.model.name}: {reason}.")
    _keep_timings(config, timings)
    return bytes(plan), warned


def _config(trt: Any, builder: Any, network: Any, order: BuildOrder) -> Any:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, order.workspace_mib << 20)
    config.builder_optimization_level = order.optimisation_level
    config.clear_flag(trt.BuilderFlag.TF32)  # the islands are float32 because ten bits are not enough there
    crops = network.get_input(0)
    sides = tuple(crops.shape)[1:]
    profile = builder.create_optimization_profile()
    batches = (order.profile.least, order.profile.usual, order.profile.most)
    profile.set_shape(crops.name, *((batch, *sides) for batch in batches))
    config.add_optimization_profile(profile)
    if order.dla_core is not None:
        cores = int(builder.num_DLA_cores)
        if not 0 <= order.dla_core < cores:
            raise UsageError(
                f"--dla {order.dla_core}: this computer has {cores} DLA cores that TensorRT {trt.__version__} can use; "
                "leave --dla out (an Orin Nano has none, and TensorRT 10.8 to 11.4.0 know none)."
            )
        config.default_device_type = trt.DeviceType.DLA
        config.DLA_core = order.dla_core
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)  # what a DLA cannot do, the norms above all
    return config


def _monitor(trt: Any, tell: Told) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """The outermost phases tell how far the build is; those within them come and go too fast."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            tell(phase_name, 0, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            tell(phase_name, step + 1, self._steps.get(phase_name, step + 1))
            return True

        def phase_finish(self, phase_name: str) -> None:
            steps = self._steps.pop(phase_name, 1)
            tell(phase_name, steps, steps)

    return Monitor()


def _timing_cache(trt: Any, config: Any) -> Path:
    """Measured kernels of earlier builds, so that the next one takes seconds; TensorRT checks that they are its own."""
    path = cache_directory() / "engines" / f"timing.{trt.__version__}.cache"
    known = path.read_bytes() if path.is_file() else b""
    config.set_timing_cache(config.create_timing_cache(known), False)
    return path


def _keep_timings(config: Any, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the timing cache {path} cannot be written: {error.strerror}.") from error
    write_whole(path, bytes(config.get_timing_cache().serialize()))


class TimeLeft:
    """How long a build has taken and will take, by the share of the steps of its longest phase."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began_s = clock, clock()
        self._begun: dict[str, float] = {}

    def words(self, phase: str, done: int, steps: int) -> str:
        """A line for people."""
        now_s = self._clock()
        begun_s = self._begun.setdefault(phase, now_s)
        gone = _minutes(now_s - self._began_s)
        if not 0 < done < steps:
            return f"{phase}: {done} of {steps}, {gone} gone"
        left_s = (now_s - begun_s) / done * (steps - done)
        return f"{phase}: {done} of {steps}, {gone} gone, about {_minutes(left_s)} left in it"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
