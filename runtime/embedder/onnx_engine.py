"""ONNX Runtime behind the engine's interface, on exactly one of its providers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BundleError
from runtime.onnx_session import CPU, session_of, session_options
from runtime.values import Maps, Vectors


class OnnxEngine:
    """ONNX Runtime on one provider, and on no other without a word.

    Raises:
        EngineError: the provider is absent or does not start.
        BundleError: the file is not a tower.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 2,
        provider: str = CPU,
        options: dict[str, str] | None = None,
        batch: int = 1,
        optimise: bool = True,
    ) -> None:
        self._session = session_of(path, session_options(threads, optimise), provider, options)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or outputs[0].name != "embedding":
            raise BundleError(f"{path} is not a tower: it must take uint8 crops and give an embedding.")
        self._input = inputs[0].name
        self.batch = batch
        on = provider.removesuffix("ExecutionProvider")
        self.name = f"onnxruntime {on}" + (f" x{threads}" if provider == CPU else "")

    def run(self, crops: NDArray[np.uint8]) -> tuple[Vectors, Maps | None]:
        """See `Engine.run`."""
        embedding, *rest = self._session.run(None, {self._input: crops})
        return embedding, rest[0] if rest else None


def input_of(model: Path) -> tuple[str, tuple[int, ...]]:
    """Name and sides of a model's one input, the batch left out.

    Raises:
        EngineError: the file is no model.
    """
    given = session_of(model, session_options(1, optimise=False)).get_inputs()[0]
    return str(given.name), tuple(int(side) for side in given.shape[1:])
