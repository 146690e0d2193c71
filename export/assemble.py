"""Puts a bundle together: exports each precision, holds it against the reference, writes files, hashes and manifest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from export.eight_bits import quantised
from export.gate import LARGEST_BATCH, check_peaks, check_types, judged, tried_out
from export.half import PRODUCTS, halved
from export.layout import HEAD
from export.onnx_file import OPSET, write
from export.parity_images import write_parity_images
from export.source import Source
from runtime.bundle import (
    FORMAT_VERSION,
    MANIFEST,
    PRECISIONS,
    Bundle,
    HashedFile,
    Manifest,
    ModelFile,
    Parity,
    ParitySet,
    sha256_of,
    write_manifest,
)
from runtime.embedder.onnx_engine import OnnxEngine
from runtime.embedder.parity import BARS
from runtime.errors import BundleError, StorageError, UsageError
from runtime.values import Vectors, ViewKind

SHARED = "tower"  # the file name's stem when both views fly one tower
_WHOLE_PRODUCTS = (0, 2, 5, 8, 10, 12, 16)  # tried in turn: how many of a float16 file's first layers stay float32
_HEADROOM = 0.75  # of the bar, left to the rounding of a GPU, which sums in another order


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a bundle is made of. ``towers`` by view; views may share one source object, then they share a file.

    ``own_images``: a folder of photos for the parity set. ``calibration_crops``: (N, S, S, 3) for the ranges of int8.
    ``appearance_dim``: how many of an embedding's numbers, the last, are its `train.appearance`.
    """

    name: str
    licence: str
    embedding_space_id: str
    input_size_px: int
    footprints_m: tuple[float, ...]
    towers: dict[ViewKind, Source]
    precisions: Sequence[str] = ("fp32",)
    opset: int = OPSET
    batch: int = LARGEST_BATCH
    own_images: Path | None = None
    calibration_crops: NDArray[np.uint8] | None = None
    appearance_dim: int = 0
    training: dict[str, Any] = field(default_factory=dict)


def assemble(recipe: Recipe, out: Path) -> Bundle:
    """Make the bundle beside ``out`` and put it there in one step; a bundle already there is replaced.

    An acceptance already there, and what was measured since, are kept when the embedding space is the same.

    Raises:
        UsageError: ``out`` holds something that is no bundle, or a precision is not one of ours.
        StorageError: it cannot be written.
        BundleError: an exported file fails its checks or its parity.
    """
    unknown = [precision for precision in recipe.precisions if precision not in PRECISIONS]
    if unknown:
        raise UsageError(f"there is no precision {unknown[0]}: choose {', '.join(PRECISIONS)}.")
    if "int8" in recipe.precisions and recipe.calibration_crops is None:
        raise UsageError("int8 needs images of your own flights for its ranges: give --calibration-images DIR.")
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is no bundle: name another directory with --out.")
    draft = out.with_name(out.name + ".new")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        (draft / "parity").mkdir(parents=True)
        manifest = _write_files(recipe, draft)
        write_manifest(draft, manifest.model_copy(update=_kept(recipe, out)))
        put_in_place(out, draft)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Bundle.load(out)


def _write_files(recipe: Recipe, draft: Path) -> Manifest:
    sheets, images = write_parity_images(draft / "parity", recipe.input_size_px, recipe.own_images)
    towers: dict[ViewKind, dict[str, ModelFile]] = {}
    embeddings: dict[ViewKind, HashedFile] = {}
    done: dict[int, ViewKind] = {}
    for view, source in recipe.towers.items():
        twin = done.setdefault(id(source), view)
        if twin is not view:
            towers[view], embeddings[view] = towers[twin], embeddings[twin]
            continue
        shared = sum(other is source for other in recipe.towers.values()) > 1
        stem = SHARED if shared else view.value
        reference = source.embed(images)
        embeddings[view] = _write_array(draft, f"parity/{stem}.npy", reference)
        towers[view] = TowerFiles(recipe, source, stem, draft, images, reference).files()
    first = next(iter(towers.values()))["fp32"]
    vectors, maps = OnnxEngine(draft / first.file, threads=1).run(images[:1])
    return Manifest(
        format_version=FORMAT_VERSION,
        name=recipe.name,
        licence=recipe.licence,
        embedding_space_id=recipe.embedding_space_id,
        input_size_px=recipe.input_size_px,
        embedding_dim=vectors.shape[1],
        appearance_dim=recipe.appearance_dim,
        map_shape=None if maps is None else (maps.shape[1], maps.shape[2], maps.shape[3]),
        footprints_m=recipe.footprints_m,
        towers=towers,
        parity=ParitySet(images=tuple(_hashed(draft, sheet) for sheet in sheets), embeddings=embeddings),
        training=recipe.training,
    )


@dataclass(frozen=True, slots=True)
class TowerFiles:
    """One tower on its way into the draft, at each precision; the others begin at its float32 graph."""

    recipe: Recipe
    source: Source
    stem: str
    draft: Path
    images: NDArray[np.uint8]
    reference: Vectors

    def files(self) -> dict[str, ModelFile]:
        """Every precision asked for; float32 always, for it is what the CPU runs."""
        single = self.source.graph(self.recipe.opset)
        files = {"fp32": self._single(single)}
        if "fp16" in self.recipe.precisions:
            files["fp16"] = self._half(single)
        if "int8" in self.recipe.precisions:
            files["int8"] = self._eight(single)
        return files

    def _single(self, single: onnx.ModelProto) -> ModelFile:
        path = self._path("fp32")
        if self.source.kept is not None:  # the bytes that earlier hashes and signatures name
            path.write_bytes(self.source.kept)
        else:
            write(single, path, self.recipe.embedding_space_id)
        check_types(single, path.name)
        return self._file(path, self._judged(path, "fp32"))

    def _half(self, single: onnx.ModelProto) -> ModelFile:
        """With as many of the first layers left whole as it takes to stay well within the bar."""
        path, tried = self._path("fp16"), []
        most = _HEADROOM * (BARS["fp16"].similarity_change_max or 1.0)
        for whole in _WHOLE_PRODUCTS:
            half = halved(single, whole)
            write(half, path, self.recipe.embedding_space_id)
            moved = tried_out(path, self.images, self.reference).similarity_change
            tried.append((moved if np.isfinite(moved) else np.inf, whole))
            if moved <= most:
                break
        whole = min(tried)[1]
        half = halved(single, whole)
        check_types(half, path.name)
        peak = check_peaks(single, half, self.images, path.name)
        write(half, path, self.recipe.embedding_space_id)
        found = {"peak": round(peak.magnitude, 3), "peak_value": peak.value, "whole_products": whole}
        return self._file(path, self._judged(path, "fp16").model_copy(update=found))

    def _eight(self, single: onnx.ModelProto) -> ModelFile:
        """With as many of the first layers left whole as it takes to pass the bar, if any number does."""
        path, crops = self._path("int8"), self.recipe.calibration_crops
        assert crops is not None  # `assemble` has refused it
        products = sum(node.op_type in PRODUCTS and not node.name.startswith(HEAD) for node in single.graph.node)
        tries = [whole for whole in _WHOLE_PRODUCTS[::2] if whole < products]
        for whole in tries:
            write(quantised(single, crops, whole), path, self.recipe.embedding_space_id)
            if whole == tries[-1] or tried_out(path, self.images, self.reference).refusal(BARS["int8"]) is None:
                break
        parity = self._judged(path, "int8").model_copy(update={"whole_products": whole})
        return self._file(path, parity)

    def _judged(self, path: Path, precision: str) -> Parity:
        return judged(path, precision, self.images, self.reference, self.source.said, self.recipe.batch)

    def _path(self, precision: str) -> Path:
        return self.draft / f"{self.stem}.{precision}.onnx"

    def _file(self, path: Path, parity: Parity) -> ModelFile:
        return ModelFile(file=path.name, sha256=sha256_of(path), bytes=path.stat().st_size, parity=parity)


def _write_array(draft: Path, name: str, array: Vectors) -> HashedFile:
    np.save(draft / name, array)
    return _hashed(draft, draft / name)


def _hashed(draft: Path, path: Path) -> HashedFile:
    return HashedFile(file=path.relative_to(draft).as_posix(), sha256=sha256_of(path))


def _kept(recipe: Recipe, out: Path) -> dict[str, Any]:
    """What was measured of the same embedding space after an earlier export: its acceptance, and what training's
    summary has gained since."""
    try:
        before = Bundle.load(out).manifest
    except BundleError:
        return {}
    if before.embedding_space_id != recipe.embedding_space_id:
        return {}
    return {"calibration": before.calibration, "training": {**before.training, **recipe.training}}


def put_in_place(out: Path, draft: Path) -> None:
    """A finished draft where something older may be, which stays until then."""
    out.parent.mkdir(parents=True, exist_ok=True)
    previous = out.with_name(out.name + ".old")
    shutil.rmtree(previous, ignore_errors=True)
    if out.exists():
        os.replace(out, previous)
    os.replace(draft, out)
    shutil.rmtree(previous, ignore_errors=True)
