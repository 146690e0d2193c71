"""What runs a tower: one small interface, and ONNX Runtime behind it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as errors  # type: ignore[import-untyped]

from runtime.errors import BundleError
from runtime.values import Maps, Vectors

log = logging.getLogger(__name__)

_ORT_ERRORS = tuple(e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception))
# ONNX Runtime's errors share no base but Exception.
_FAILURES: tuple[type[Exception], ...] = (RuntimeError, ValueError, *_ORT_ERRORS)
PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")  # best first


class Engine(Protocol):
    """Runs one tower. ``name`` says by what and on what; ``batch`` is how many crops it takes at best at once."""

    name: str
    batch: int

    def run(self, crops: NDArray[np.uint8]) -> tuple[Vectors, Maps | None]:
        """(N, S, S, 3) uint8 RGB, N at most ``batch``, to (N, D) float32 and (N, C, h, w) float32 or None."""
        ...


class OnnxEngine:
    """ONNX Runtime on the best of the preferred providers that starts; what was passed over is logged.

    Raises:
        BundleError: no provider can run the file, or it is not a tower.
    """

    def __init__(self, path: Path, threads: int = 2, providers: Sequence[str] = PROVIDERS) -> None:
        self._session = _session(path, threads, providers)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or outputs[0].name != "embedding":
            raise BundleError(f"{path} is not a tower: it must take uint8 crops and give an embedding.")
        self._input = inputs[0].name
        provider = self._session.get_providers()[0]
        on_cpu = provider == "CPUExecutionProvider"
        self.batch = 1 if on_cpu else 32  # on a CPU a batch gains nothing, and one by one its rounding is the same
        self.name = f"onnxruntime {provider.removesuffix('ExecutionProvider')}" + (f" x{threads}" if on_cpu else "")

    def run(self, crops: NDArray[np.uint8]) -> tuple[Vectors, Maps | None]:
        """See `Engine.run`."""
        embedding, *rest = self._session.run(None, {self._input: crops})
        return embedding, rest[0] if rest else None


def _session(path: Path, threads: int, providers: Sequence[str]) -> onnxruntime.InferenceSession:
    """The first provider that starts; ONNX Runtime alone would fall back without a word to its caller."""
    present = onnxruntime.get_available_providers()
    absent = [provider for provider in providers if provider not in present]
    if absent:
        log.info("this ONNX Runtime is built without %s", ", ".join(absent))
    for provider in (p for p in providers if p in present):
        if provider == PROVIDERS[0]:
            log.info("%s may build its engine for %s now, which takes minutes", provider, path.name)
        try:
            session = onnxruntime.InferenceSession(str(path), session_options(threads), providers=[provider])
        except _FAILURES as error:
            log.warning("%s does not run %s: %s", provider, path.name, str(error).splitlines()[0])
            continue
        if session.get_providers()[0] == provider:
            return session
        log.warning("%s did not start for %s; trying the next", provider, path.name)
    raise BundleError(f"{path} is run by none of {', '.join(providers)} here: see the log for each one's reason.")


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Options for a computer that has other things to do.

    Threads that spin between operators gain 1.5 ms of 4 on two idle cores, and lose 7 ms where the cores are shared
    and 30 ms of processor time after every call; so none spins. Anything below full optimisation costs three times.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # our own log says what matters
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")  # a black image must not cost ten times more
    return options
