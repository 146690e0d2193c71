"""ONNX Runtime's sessions: on exactly one of its providers, and for a computer that has other things to do."""

from __future__ import annotations

import contextlib
import io
import logging
from pathlib import Path

import onnxruntime  # type: ignore[import-untyped]
from onnxruntime.capi import onnxruntime_pybind11_state as errors  # type: ignore[import-untyped]

from runtime.errors import EngineError

log = logging.getLogger(__name__)

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
GPU_PACKAGE = (
    "install onnxruntime-gpu (pip install homing[gpu]; on a Jetson NVIDIA's own wheel) in place of onnxruntime"
)
_ORT_ERRORS = tuple(e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception))
# ONNX Runtime's errors share no base but Exception.
_FAILURES: tuple[type[Exception], ...] = (RuntimeError, ValueError, *_ORT_ERRORS)


def absent(provider: str) -> str | None:
    """Why a provider is not to be had in this ONNX Runtime, None where it is."""
    if provider in onnxruntime.get_available_providers():
        return None
    what = provider.removesuffix("ExecutionProvider")
    return f"this ONNX Runtime is built without {what}: {GPU_PACKAGE}"


def version() -> str:
    """ONNX Runtime's version."""
    return str(onnxruntime.__version__)


def session_options(threads: int, optimise: bool = True) -> onnxruntime.SessionOptions:
    """Options for a computer that has other things to do.

    Threads that spin between operators gain 1 ms of 5 on two idle cores, lose 4 ms where one of them is busy, even if
    they stop with the call (session.force_spinning_stop), and burn 30 ms of processor time after it if they do not; so
    none spins. Anything below full optimisation costs three times.
    """
    level = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # our own log says what matters
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")  # a black image must not cost ten times more
    return options


def load_gpu_libraries() -> None:
    """Load CUDA and cuDNN from the wheels that pip installs them with, else from the system's folders.

    Without it ONNX Runtime looks in the system's folders alone. Versions before 1.21 have no such call. What it prints
    of libraries that it does not find goes to the log: whether they are needed shows when the session starts.
    """
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is None:
        return
    with contextlib.redirect_stdout(io.StringIO()) as said:
        preload()
    for line in said.getvalue().splitlines():
        log.info("%s", line)


def session_of(
    path: Path, options: onnxruntime.SessionOptions, provider: str = CPU, settings: dict[str, str] | None = None
) -> onnxruntime.InferenceSession:
    """A session of a file on one provider, and on no other without a word.

    Raises:
        EngineError: the provider is absent or does not start.
    """
    why = absent(provider)
    if why is not None:
        raise EngineError(f"{provider} cannot run {path.name}: {why}.")
    if provider == CPU:  # room for all activations in one planned block is 10 MB more, and no quicker
        options.enable_mem_pattern = False
    else:  # ONNX Runtime gives what a provider lacks to the CPU, without a word to its caller
        load_gpu_libraries()
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[(provider, settings or {})])
    except _FAILURES as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EngineError(f"{provider} does not run {path.name}: {reason}.") from error
    if session.get_providers()[0] != provider:
        raise EngineError(f"{provider} did not start for {path.name}: is its driver there, and a GPU?")
    return session
