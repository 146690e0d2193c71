"""Puts a bundle together: exports each precision, holds it against the reference, writes files, hashes and manifest."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from export.parity import Comparison, compare, drawn_images, gate
from export.writer import OPSET, write_onnx
from runtime.bundle import (
    FORMAT_VERSION,
    MANIFEST,
    Bundle,
    HashedFile,
    Manifest,
    ModelFile,
    Parity,
    ParitySet,
    sha256_of,
    write_manifest,
)
from runtime.embedder.engine import OnnxEngine
from runtime.errors import BundleError, StorageError, UsageError
from runtime.values import ViewKind
from train.tower import Tower

SHARED = "tower"  # the file name's stem when both views fly one tower


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a bundle is made of. ``towers`` by view; views may share one tower object, then they share a file."""

    name: str
    licence: str
    embedding_space_id: str
    input_size_px: int
    footprints_m: tuple[float, ...]
    towers: dict[ViewKind, Tower]
    precisions: Sequence[str] = ("fp32",)
    opset: int = OPSET
    training: dict[str, Any] = field(default_factory=dict)


def assemble(recipe: Recipe, out: Path) -> Bundle:
    """Make the bundle beside ``out`` and put it there in one step; a bundle already there is replaced.

    A calibration already there is kept when the embedding space is the same.

    Raises:
        UsageError: ``out`` holds something that is no bundle.
        StorageError: it cannot be written.
        BundleError: an exported file fails its checks or its parity.
    """
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is no bundle: name another directory with --out.")
    draft = out.with_name(out.name + ".new")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        (draft / "parity").mkdir(parents=True)
        manifest = _write_files(recipe, draft)
        write_manifest(draft, manifest.model_copy(update={"calibration": _kept_calibration(recipe, out)}))
        _replace(out, draft)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Bundle.load(out)


def _write_files(recipe: Recipe, draft: Path) -> Manifest:
    images = drawn_images(recipe.input_size_px)
    image_files = tuple(_write_image(draft, index, image) for index, image in enumerate(images))
    towers: dict[ViewKind, dict[str, ModelFile]] = {}
    embeddings: dict[ViewKind, HashedFile] = {}
    done: dict[int, ViewKind] = {}
    for view, tower in recipe.towers.items():
        twin = done.setdefault(id(tower), view)
        if twin is not view:
            towers[view], embeddings[view] = towers[twin], embeddings[twin]
            continue
        shared = sum(other is tower for other in recipe.towers.values()) > 1
        stem = SHARED if shared else view.value
        reference = _reference(tower, images)
        embeddings[view] = _write_array(draft, f"parity/{stem}.npy", reference)
        towers[view] = {p: _write_model(recipe, tower, p, stem, draft, images, reference) for p in recipe.precisions}
    vectors, maps = _torch_outputs(next(iter(recipe.towers.values())), images[:1])
    return Manifest(
        format_version=FORMAT_VERSION,
        name=recipe.name,
        licence=recipe.licence,
        embedding_space_id=recipe.embedding_space_id,
        input_size_px=recipe.input_size_px,
        embedding_dim=vectors.shape[1],
        map_shape=(maps.shape[1], maps.shape[2], maps.shape[3]) if maps is not None else None,
        footprints_m=recipe.footprints_m,
        towers=towers,
        parity=ParitySet(images=image_files, embeddings=embeddings),
        training=recipe.training,
    )


def _write_model(
    recipe: Recipe,
    tower: Tower,
    precision: str,
    stem: str,
    draft: Path,
    images: NDArray[np.uint8],
    reference: NDArray[np.float32],
) -> ModelFile:
    path = draft / f"{stem}.{precision}.onnx"
    write_onnx(_at(tower, precision), path, recipe.input_size_px, recipe.embedding_space_id, recipe.opset)
    comparison = compare(_onnx_embeddings(path, images), reference)
    gate(path.name, comparison)
    return ModelFile(
        file=path.name,
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        parity=_parity(comparison, len(images)),
    )


def _at(tower: Tower, precision: str) -> Tower:
    """A copy ready to export: batch norms folded, and the backbone cast where asked."""
    copied = copy.deepcopy(tower).eval()
    copied.backbone.fuse_()
    if precision == "fp16":
        copied.backbone.half_()
    elif precision != "fp32":
        raise UsageError(f"there is no precision {precision}: choose fp32 or fp16.")
    return copied


def _reference(tower: Tower, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    vectors, _ = _torch_outputs(tower, images)
    if not np.isfinite(vectors).all():
        raise BundleError("the tower itself gives numbers that are not finite: its weights are damaged.")
    return vectors


def _torch_outputs(
    tower: Tower, images: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    with torch.inference_mode():
        vectors, maps = tower.eval().forward(torch.from_numpy(images))
    return vectors.numpy(), maps.numpy() if maps is not None else None


def _onnx_embeddings(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    engine = OnnxEngine(path, providers=("CPUExecutionProvider",))
    return np.concatenate([engine.run(images[i : i + 1])[0] for i in range(len(images))])


def _parity(comparison: Comparison, images: int) -> Parity:
    return Parity(
        reference="torch fp32",
        device="CPU, ONNX Runtime",
        images=images,
        cosine_min=round(comparison.cosine_min, 6),
        cosine_mean=round(comparison.cosine_mean, 6),
        similarity_change=round(comparison.similarity_change, 6),
        same_top1=comparison.same_top1,
    )


def _write_image(draft: Path, index: int, image: NDArray[np.uint8]) -> HashedFile:
    name = f"parity/{index:03d}.png"
    if not cv2.imwrite(str(draft / name), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise StorageError(f"{draft / name} cannot be written.")
    return HashedFile(file=name, sha256=sha256_of(draft / name))


def _write_array(draft: Path, name: str, array: NDArray[np.float32]) -> HashedFile:
    np.save(draft / name, array)
    return HashedFile(file=name, sha256=sha256_of(draft / name))


def _kept_calibration(recipe: Recipe, out: Path) -> tuple[Any, ...]:
    try:
        before = Bundle.load(out).manifest
    except BundleError:
        return ()
    return before.calibration if before.embedding_space_id == recipe.embedding_space_id else ()


def _replace(out: Path, draft: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    previous = out.with_name(out.name + ".old")
    shutil.rmtree(previous, ignore_errors=True)
    if out.exists():
        os.replace(out, previous)
    os.replace(draft, out)
    shutil.rmtree(previous, ignore_errors=True)
