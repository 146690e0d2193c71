"""`homing engine build|show`: TensorRT engines, made on the GPU that will fly them, on the ground."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from runtime.bundle import Bundle
from runtime.cli.output import emit, say, warn
from runtime.config.config import load_config
from runtime.embedder.backends import BACKENDS
from runtime.embedder.engine_build import build_engines
from runtime.embedder.onnx_tensorrt import OnnxTensorRt
from runtime.embedder.tensorrt_native import TensorRt
from runtime.errors import EngineError, UsageError
from runtime.gpu.engine_file import engine_path, read_engine
from runtime.gpu.key import PROFILES, Profile
from runtime.machine import default_threads

engine_app = typer.Typer(name="engine", help="TensorRT engines, built on the GPU that flies.", no_args_is_help=True)

BundleOption = Annotated[Path | None, typer.Option("--bundle", help="Default: the one that ships.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per engine on stdout.")]
PrecisionOption = Annotated[str | None, typer.Option(help="Default: fp16 where the bundle has it.")]


@engine_app.command()
def build(
    bundle: BundleOption = None,
    config: Annotated[Path | None, typer.Option("--config", help="A configuration: its bundle.")] = None,
    precision: PrecisionOption = None,
    profile: Annotated[str, typer.Option(help="flight: one crop, one CUDA graph; bulk: 1 to 32 crops.")] = "flight",
    dla: Annotated[int | None, typer.Option(help="A DLA core, where GPU and version have one.")] = None,
    backend: Annotated[str, typer.Option(help=f"{TensorRt.name} or {OnnxTensorRt.name}.")] = TensorRt.name,
) -> None:
    """Build the engines of a bundle here; minutes. Each must pass parity on this GPU, or the one before stays."""
    if config is not None and bundle is not None:
        raise UsageError("--config names a bundle of its own; give it or --bundle.")
    loaded = Bundle.load(bundle if config is None else load_config(config).bundle.path)
    if backend == OnnxTensorRt.name:
        _build_by_onnxruntime(loaded, precision)
        return
    if backend != TensorRt.name:
        raise UsageError(f"--backend {backend}: only {TensorRt.name} and {OnnxTensorRt.name} have engines to build.")
    chosen = _profile(profile)
    try:
        for line in build_engines(loaded, precision, chosen, _Progress().say, dla):
            say(line)
    except EngineError as error:
        raise EngineError(f"{error} Without an engine {_meanwhile()} is used.") from error


@engine_app.command()
def show(bundle: BundleOption = None, as_json: JsonOption = False) -> None:
    """Say which engines of a bundle lie built here, for what, and how faithful they are."""
    loaded = Bundle.load(bundle)
    models = {model.file for tower in loaded.manifest.towers.values() for model in tower.values()}
    found = 0
    for file in sorted(models):
        for profile in PROFILES.values():
            path = engine_path(loaded.path / file, profile)
            if not path.is_file():
                continue
            found += 1
            engine = read_engine(path)
            record = {"file": str(path), "key": engine.key.as_record(), **engine.facts}
            if as_json:
                emit(record)
            else:
                say(f"{path}: {engine.key.device}, TensorRT {engine.key.tensorrt}, parity {engine.facts['parity']}")
    if not found and not as_json:
        say(f"no engine of {loaded.name} is built here: homing engine build --bundle {loaded.path}")


class _Progress:
    """Writes over its own line on a terminal; elsewhere a line each."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def say(self, line: str) -> None:
        """Show where the build is."""
        if self._terminal:
            sys.stderr.write(f"\r\x1b[2K{line}")
            sys.stderr.flush()
        else:
            warn(line)


def _build_by_onnxruntime(bundle: Bundle, precision: str | None) -> None:
    backend = OnnxTensorRt()
    missing = backend.missing()
    if missing is not None:
        raise EngineError(f"{backend.name} cannot build an engine: {missing}.")
    models = {bundle.model(view, precision or backend.precisions[0]).file for view in bundle.views}
    for file in sorted(models):
        warn(f"building {file}: ONNX Runtime says nothing meanwhile, which can be ten minutes")
        say(backend.build(bundle.path / file, default_threads()).name)


def _meanwhile() -> str:
    """What the towers run on while TensorRT cannot."""
    return next(name for name, backend in BACKENDS.items() if name != TensorRt.name and backend.missing() is None)


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise UsageError(f"there is no profile {name}: choose {', '.join(PROFILES)}.")
    return PROFILES[name]
