"""What `tests.bench.gpu` measures, a function a row; each gives its figures as soon as it knows them.

Nothing that needs a GPU is imported before its row asks for it.
"""

from __future__ import annotations

import importlib.metadata
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.embedder.engine import Engine
from runtime.embedder.engine_build import build_engines
from runtime.embedder.onnx_cuda import OnnxCuda
from runtime.embedder.onnx_tensorrt import OnnxTensorRt
from runtime.embedder.parity import BARS, Comparison, compare
from runtime.embedder.parity_set import parity_pair
from runtime.embedder.tensorrt_native import TensorRtEngine, fitting
from runtime.errors import EngineError
from runtime.gpu.cuda_calls import Cuda, cuda
from runtime.gpu.key import FLIGHT
from runtime.gpu.tensorrt_library import tensorrt
from runtime.machine import default_threads, this_machine
from runtime.values import ViewKind

_VIEW = ViewKind.DRONE
_RUNS, _WARM_UP = 200, 20
_PACKAGES = ("onnxruntime-gpu", "onnxruntime", "tensorrt", "cuda-bindings", "torch")
_GALLERY_ROWS, _QUERIES, _PLACES = 168_437, 37_855, 951  # University-1652: 951 satellite pictures and its distractors
_TRIED_QUERIES = 2_000  # first, to know whether all of them fit the time
_EVALUATION_S = 75.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure."""

    what: str
    value: str


def machine() -> Iterator[Cell]:
    """What the figures were measured on."""
    here = this_machine()
    yield Cell("GPU, driver", f"{here.gpu}, {here.driver}")
    yield Cell("processor", f"{here.cpu}, {here.cores} cores")
    for package in _PACKAGES:
        try:
            yield Cell(package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            continue


def cuda_calls(library: Cuda | None = None) -> Iterator[Cell]:
    """The calls of CUDA that TensorRT flies by, without TensorRT: a crop's bytes to the GPU and back, by a graph."""
    gpu = library if library is not None else cuda()
    yield Cell("CUDA's device", str(gpu.device()))
    stream, kind, shape = gpu.stream(), np.uint8, (1, 256, 256, 3)
    there, back = gpu.pinned(shape, kind), gpu.pinned(shape, kind)
    device = gpu.device_memory(there.nbytes)
    gpu.begin_graph(stream)
    gpu.to_device(device, there, there.nbytes, stream)
    gpu.to_host(back, device, there.nbytes, stream)
    graph = gpu.end_graph(stream)
    rng, right = np.random.default_rng(0), 0

    def round_trip() -> None:
        gpu.launch(graph, stream)
        gpu.wait(stream)

    for _ in range(_RUNS):
        there[...], back[...] = rng.integers(0, 256, shape, kind), 0
        round_trip()
        right += int(np.array_equal(there, back))
    took_ms = _timed_ms(round_trip)
    gpu.free([there, back], [device], stream)
    yield Cell("crops that came back by a graph as they went", f"{right} of {_RUNS}")
    yield Cell("there and back", _spread(took_ms))


def onnxruntime_cuda(precision: str) -> Iterator[Cell]:
    """ONNX Runtime's CUDA provider on the bundle that ships."""
    backend, bundle = OnnxCuda(), Bundle.load()
    missing = backend.missing()
    if missing is not None:
        raise EngineError(f"{backend.name} cannot run: {missing}.")
    began_s = time.perf_counter()
    engine = backend.start(bundle.path / bundle.model(_VIEW, precision).file, default_threads())
    yield Cell("session started in", f"{time.perf_counter() - began_s:.1f} s")
    yield from judged(engine, bundle, precision)
    yield from rates(engine, bundle)
    yield _flies(bundle, precision, backend.name)


def onnxruntime_tensorrt(precision: str) -> Iterator[Cell]:
    """ONNX Runtime's TensorRT provider, built into the row's own cache."""
    backend, bundle = OnnxTensorRt(), Bundle.load()
    missing = backend.missing()
    if missing is not None:
        raise EngineError(f"{backend.name} cannot run: {missing}.")
    began_s = time.perf_counter()
    engine = backend.build(bundle.path / bundle.model(_VIEW, precision).file, default_threads())
    engine.run(parity_pair(bundle, _VIEW)[0][:1])  # the provider builds when the first crop comes, or before
    yield Cell("built in", f"{time.perf_counter() - began_s:.1f} s")
    yield from judged(engine, bundle, precision)
    yield from rates(engine, bundle)
    yield _flies(bundle, precision, backend.name)


def tensorrt_engine(
    precision: str, dla_core: int | None = None, libraries: tuple[Any, Cuda] | None = None, bundle: Bundle | None = None
) -> Iterator[Cell]:
    """TensorRT from the ONNX file to flight: parsed, built, held against the reference, with its graph and without."""
    trt, gpu = libraries if libraries is not None else (tensorrt(), cuda())
    bundle = bundle if bundle is not None else Bundle.load()
    began_s = time.perf_counter()
    for line in build_engines(bundle, precision, FLIGHT, lambda _: None, dla_core, (trt, gpu)):
        yield Cell("parsed, built and passed", line.partition(": ")[2])
    yield Cell("whole build", f"{time.perf_counter() - began_s:.1f} s")
    plan = fitting(bundle.path / bundle.model(_VIEW, precision).file, FLIGHT, trt, gpu).plan
    images, _ = parity_pair(bundle, _VIEW)
    given: dict[bool, NDArray[np.float32]] = {}
    for graph in (True, False):
        engine = TensorRtEngine(trt, gpu, plan, f"tensorrt {trt.__version__}", graph)
        try:
            if graph:
                yield from judged(engine, bundle, precision)
            given[graph] = np.concatenate([engine.run(image[None])[0] for image in images[:32]])
            took_ms = _timed_ms(lambda engine=engine: engine.run(images[:1]))  # type: ignore[misc]
        finally:
            engine.close()
        yield Cell(f"one crop {'by a CUDA graph' if graph else 'without a graph'}", _spread(took_ms))
    yield Cell("graph and no graph differ by", f"{np.abs(given[True] - given[False]).max():.2g}")
    if libraries is None:
        yield _flies(bundle, precision, "tensorrt")


def dla_engine() -> Iterator[Cell]:
    """The same on the first DLA core, where this computer has one."""
    trt = tensorrt()
    cores = int(trt.Builder(trt.Logger(trt.Logger.ERROR)).num_DLA_cores)
    yield Cell("DLA cores", str(cores))
    if cores:
        yield from tensorrt_engine("fp16", dla_core=0)


def judged(engine: Engine, bundle: Bundle, precision: str) -> Iterator[Cell]:
    """The engine over all parity images, one by one and at its largest batch."""
    images, reference = parity_pair(bundle, _VIEW)
    for batch in sorted({1, engine.batch}):
        parts = [engine.run(images[i : i + batch])[0] for i in range(0, len(images), batch)]
        yield _parity(f"parity, batch {batch}", compare(np.concatenate(parts), reference), precision)


def rates(engine: Engine, bundle: Bundle) -> Iterator[Cell]:
    """Latency of one crop, and crops a second at the engine's largest batch."""
    images, _ = parity_pair(bundle, _VIEW)
    yield Cell("one crop", _spread(_timed_ms(lambda: engine.run(images[:1]))))
    if engine.batch > 1:
        took_ms = _timed_ms(lambda: engine.run(images[: engine.batch]))
        per_s = engine.batch / float(np.median(took_ms)) * 1e3
        yield Cell(f"crops a second, batch {engine.batch}", f"{per_s:.0f}")
        yield Cell(f"{_GALLERY_ROWS} crops at that rate", f"{_GALLERY_ROWS / per_s:.0f} s")


def training(precision: str, steps: int = 20, batch: int = 32) -> Iterator[Cell]:
    """Pictures a second of homing-train as train/configs/default.toml has it, and of its steps alone; the pictures are
    drawn for the purpose, 32 px wide on disk."""
    import torch

    from tests.bench.train_speed import ours
    from tests.train.loop.tiny import area
    from train.fit import _trainer

    if precision == "bf16" and torch.cuda.is_available() and torch.cuda.get_device_capability()[0] < 8:
        raise EngineError("this GPU has no bf16: it needs compute capability 8.0 or newer.")
    with tempfile.TemporaryDirectory() as folder:
        root = area(Path(folder) / "area", places=4 * batch, test=False)
        trainer = _trainer(_default_training(root, Path(folder) / "run", precision, batch))
        yield Cell("device", str(trainer.device))
        ready, pictures = trainer._read(trainer._planned, 0), 2 * batch
        for count in (3, steps):  # the first choose kernels
            began_s = time.perf_counter()
            for _ in range(count):
                trainer.one_step(ready)
            if trainer.device.type == "cuda":
                torch.cuda.synchronize()
        yield Cell("steps alone", f"{steps * pictures / (time.perf_counter() - began_s):.0f} pictures/s")
        yield Cell("homing-train, reading and weather included", f"{pictures / ours(trainer, steps):.0f} pictures/s")
        if trainer.device.type == "cuda":
            yield Cell("peak memory", f"{torch.cuda.max_memory_allocated() / 2**20:.0f} MiB")


def _default_training(root: Path, out: Path, precision: str, batch: int) -> Any:
    from train.loop.config import load_config

    config = load_config(Path(__file__).parents[2] / "train" / "configs" / "default.toml")
    data = config.data.model_copy(update={"train": (root,), "validation": None})
    run = config.run.model_copy(update={"out": out, "precision": precision, "batch": batch, "steps": 10_000,
                                        "threads": default_threads()})  # fmt: skip
    return config.model_copy(update={"data": data, "run": run})


def evaluation(gallery_rows: int = _GALLERY_ROWS, queries: int = _QUERIES) -> Iterator[Cell]:
    """University-1652's drone queries against its satellite pictures and all distractors, random features of 512
    dimensions; on the processor, where homing-evaluate ranks."""
    from tests.bench.distractors import _random, _store
    from train.evaluate.distractors import distractors_from
    from train.evaluate.protocol import normalised, rank

    rng = np.random.default_rng(0)
    gallery = _random(rng, _PLACES)
    labels = rng.integers(0, _PLACES, queries)
    asked = normalised(gallery[labels] + 0.15 * rng.standard_normal((queries, gallery.shape[1]), dtype=np.float32))
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "distractors.npy"
        _store(stored, gallery_rows - _PLACES)
        for count in (min(_TRIED_QUERIES, queries), queries):
            began_s = time.perf_counter()
            chunks = distractors_from(stored)
            ranking = rank(asked[:count], labels[:count], gallery, np.arange(_PLACES), chunks)
            took_s = time.perf_counter() - began_s
            what = f"{count} queries against {ranking.gallery}"
            yield Cell(what, f"{took_s:.1f} s, {count / took_s:.0f} queries/s, R@1 {ranking.recall(1):.4f}")
            if count == queries or took_s * queries / count > _EVALUATION_S:
                return


def _flies(bundle: Bundle, precision: str, backend: str) -> Cell:
    """As flight starts it: the whole gate, and the backend's name for what runs."""
    embedder = Embedder(bundle, precision=precision, backends=(backend,))
    return Cell("flies as", f"{embedder.backend}, parity {embedder.parity:.6f}")


def _parity(what: str, found: Comparison, precision: str) -> Cell:
    verdict = found.refusal(BARS[precision])
    figures = (
        f"cosine >= {found.cosine_min:.6f}, similarities within {found.similarity_change:.4f}, "
        f"same nearest {found.top1_share:.1%}"
    )
    return Cell(what, f"{figures}: {'passed' if verdict is None else f'refused, {verdict}'}")


def _timed_ms(work: Callable[[], object]) -> list[float]:
    took_ms = []
    for index in range(_WARM_UP + _RUNS):
        began_s = time.perf_counter()
        work()
        if index >= _WARM_UP:
            took_ms.append((time.perf_counter() - began_s) * 1e3)
    return took_ms


def _spread(took_ms: list[float]) -> str:
    return f"median {np.median(took_ms):.2f} ms, p95 {np.percentile(took_ms, 95):.2f}, least {min(took_ms):.2f}"
