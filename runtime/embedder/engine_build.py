"""Builds the engines of a bundle on this GPU: checks, builds, holds each against its reference, then puts it there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from runtime.bundle import Bundle
from runtime.embedder.engine import Engine
from runtime.embedder.parity import BARS, Comparison, compare, gate
from runtime.embedder.parity_set import parity_pair
from runtime.embedder.tensorrt_native import TensorRtEngine
from runtime.gpu.cuda_calls import Cuda, cuda
from runtime.gpu.engine_file import BuiltEngine, engine_path, write_engine
from runtime.gpu.key import EngineKey, Profile
from runtime.gpu.plan import BuildOrder, TimeLeft, build_plan
from runtime.gpu.tensorrt_library import tensorrt
from runtime.values import ViewKind

_TIMED_RUNS, _TIMED_S = 100, 1.0  # whichever ends first


def build_engines(
    bundle: Bundle,
    precision: str | None,
    profile: Profile,
    say: Callable[[str], None],
    dla_core: int | None = None,
    libraries: tuple[Any, Cuda] | None = None,
) -> Iterator[str]:
    """Build an engine of every tower of a bundle; a line for each that passed and is in its place.

    ``precision`` None: float16 where the bundle has it. ``libraries``: TensorRT and CUDA, by default as installed.

    Raises:
        EngineError: TensorRT or CUDA is absent, or an engine cannot be built.
        BundleError: an engine fails parity; the one that was there before stays.
        StorageError: it cannot be written.
    """
    trt, gpu = libraries if libraries is not None else (tensorrt(), cuda())
    files: dict[str, ViewKind] = {}
    chosen = precision or _best(bundle)
    for view in bundle.views:
        files.setdefault(bundle.model(view, chosen).file, view)
    for file, view in files.items():
        order = BuildOrder(bundle.path / file, profile, dla_core=dla_core)
        yield _build(trt, gpu, bundle, view, chosen, order, say)


def _build(
    trt: Any, gpu: Cuda, bundle: Bundle, view: ViewKind, precision: str, order: BuildOrder, say: Callable[[str], None]
) -> str:
    left, began_s = TimeLeft(), time.monotonic()
    key = EngineKey.of(order.model, gpu.device(), str(trt.__version__), order.profile, order.flags, order.dla_core)
    say(f"building {order.model.name} for {key.device}, TensorRT {key.tensorrt}, profile {order.profile.name}")
    plan, warned = build_plan(trt, order, lambda phase, done, steps: say(left.words(phase, done, steps)))
    engine = TensorRtEngine(trt, gpu, plan, f"tensorrt {trt.__version__} {key.device}")
    try:
        comparison = _held(bundle, view, precision, engine)
        took_ms = _latency_ms(bundle, engine)
    finally:
        engine.close()
    facts: dict[str, Any] = {
        "parity": {
            "device": key.device,
            "cosine_min": comparison.cosine_min,
            "cosine_mean": comparison.cosine_mean,
            "similarity_change": comparison.similarity_change,
            "top1_share": comparison.top1_share,
        },
        "latency_ms": took_ms,
        "build_s": round(time.monotonic() - began_s, 1),
        "warnings": warned[:20],
    }
    path = engine_path(order.model, order.profile)
    write_engine(path, BuiltEngine(key, plan, facts))
    return (
        f"{path}: {len(plan) / 1e6:.1f} MB in {facts['build_s']:.0f} s, cosine >= {comparison.cosine_min:.6f}, "
        f"{took_ms:.2f} ms"
    )


def _held(bundle: Bundle, view: ViewKind, precision: str, engine: Engine) -> Comparison:
    """The engine's comparison at batch 1 and at its largest, once it has passed both."""
    images, reference = parity_pair(bundle, view)
    results = []
    for batch in sorted({1, engine.batch}):
        parts = [engine.run(images[i : i + batch])[0] for i in range(0, len(images), batch)]
        results.append(compare(np.concatenate(parts), reference))
        gate(f"the {precision} {view.value} engine (batch {batch})", results[-1], BARS[precision])
    worst = min(results, key=lambda comparison: comparison.cosine_min)
    return replace(worst, similarity_change=max(comparison.similarity_change for comparison in results))


def _latency_ms(bundle: Bundle, engine: Engine) -> float:
    crop = np.zeros((1, bundle.input_size_px, bundle.input_size_px, 3), np.uint8)
    took: list[float] = []
    while len(took) < _TIMED_RUNS and sum(took) < _TIMED_S:
        start = time.perf_counter()
        engine.run(crop)
        took.append(time.perf_counter() - start)
    return float(np.median(took)) * 1e3


def _best(bundle: Bundle) -> str:
    common = set.intersection(*(set(tower) for tower in bundle.manifest.towers.values()))
    return "fp16" if "fp16" in common else "fp32"

