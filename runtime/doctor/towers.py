"""The bundle before a flight: whole, signed as required, run by what, and as faithful to its reference here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runtime.bundle import Bundle
from runtime.config.config import Config
from runtime.doctor.finding import Finding
from runtime.embedder.backends import BACKENDS, ORDER, order_here
from runtime.embedder.embedder import Embedder
from runtime.errors import HomingError
from runtime.features.network import FeatureNetwork
from runtime.machine import gpu_in_sight
from runtime.signature import signed_by, verify


class Towers:
    """``embedding_space_id``: of the bundle that was looked at; None before, and where there is none."""

    def __init__(self, config: Config | None, path: Path | None) -> None:
        self._section = None if config is None else config.bundle
        self._path = path if self._section is None else self._section.path
        self.embedding_space_id: str | None = None

    def findings(self) -> Iterator[Finding]:
        """What cannot be looked at because of an earlier one is left out."""
        try:
            bundle = Bundle.load(self._path)
        except HomingError as error:
            yield Finding("bundle", "wrong", str(error))
            return
        self.embedding_space_id = bundle.embedding_space_id
        yield Finding("bundle", "ok", f"{bundle.path}: every file is the one its manifest names")
        yield _signature(bundle, None if self._section is None else self._section.signed_by)
        yield from self._engine(bundle)
        yield from self._features()

    def _engine(self, bundle: Bundle) -> Iterator[Finding]:
        section = self._section
        order = order_here() if section is None else section.backends
        try:
            embedder = Embedder(
                bundle,
                threads=None if section is None else section.threads,
                precision=None if section is None else section.precision,
                backends=order,
                quiet=True,
            )
        except HomingError as error:
            yield Finding("engine", "wrong", str(error))
            return
        for passed in embedder.passed_over:
            yield Finding(passed.backend, "warning", passed.sentence(embedder.backend))
        unasked = [name for name in ORDER if name not in order]
        for name in unasked if section is not None or gpu_in_sight() else ():
            missing = BACKENDS[name].missing()
            yield Finding(name, "note", f"not asked for; {missing or 'nothing is missing for it'}")
        yield Finding("engine", "ok", f"{embedder.precision} on {embedder.backend}")
        yield of_key(embedder.backend, gpu_in_sight())
        yield Finding("parity", "ok", f"cosine >= {embedder.parity:.6f} with the reference, on this computer")

    def _features(self) -> Iterator[Finding]:
        folder = None if self._section is None else self._section.features
        if folder is None:
            return
        try:
            network = FeatureNetwork.load(folder)
        except HomingError as error:
            yield Finding("features", "wrong", str(error))
        else:
            yield Finding("features", "ok", f"{network.name}, {network.manifest.points} points of a picture")


def of_key(backend: str, gpu: bool) -> Finding:
    """Whether what runs was built for just this model, GPU, driver and library; another is refused at the start."""
    if "tensorrt" in backend.lower():
        return Finding("engine key", "ok", "built of this model, for this GPU, driver and TensorRT")
    if gpu:
        todo = "homing engine build makes one, where TensorRT is installed"
        return Finding("engine key", "note", "no engine of TensorRT runs", todo)
    return Finding("engine key", "absent", "the processor needs no engine that is built beforehand")


def _signature(bundle: Bundle, required: Path | None) -> Finding:
    try:
        if required is not None:
            return Finding("signature", "ok", f"by {verify(bundle.path, required)}, as required")
        signer = signed_by(bundle.path)
    except HomingError as error:
        return Finding("signature", "wrong", str(error))
    return Finding("signature", "ok", f"{'none' if signer is None else f'by {signer}, unchecked'}; none is required")
