"""Makes the folder of local features: each precision exported, held against the network and put there in one step."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from export.assemble import put_in_place
from export.gate import DEVICE, check_types
from export.half import halved
from export.onnx_file import OPSET, write
from export.parity_images import resized
from export.writer import exported
from export.xfeat import DESCRIPTOR_DIM, LICENCE, NAME, XFeatGraph
from runtime.bundle import sha256_of
from runtime.embedder.parity import BARS, compare
from runtime.embedder.parity_set import PARITY_PHOTOS, PARITY_VIEWS, Crops, read_sheet
from runtime.errors import BundleError, StorageError, UsageError
from runtime.features.folder import FORMAT_VERSION, MANIFEST, Faithful, FeatureFile, FeatureManifest, write_manifest
from runtime.features.network import OUTPUTS
from runtime.onnx_session import session_of, session_options

SIZE_PX = 384  # a crop of the towers' 256 px at a rung, and the larger one of the keyframe around it
_PX2_PER_POINT = 192  # one point for so many pixels of a crop: 768 of 384 px
_SHIPPED_PX = 256
_IMAGES_EACH = 8  # of the views and of the photographs that ship, evenly picked
_WHOLE_PRODUCTS = (0, 4, 8, 12, 16, 20)  # tried in turn: how many of a float16 file's first layers stay float32
_LEAST_POINTS_SHARE = {"fp32": 0.99, "fp16": 0.95}  # near the last score that still counts rounding decides
_BATCH = 3
_MOST_COMPARED = 2000  # descriptors, each with each

Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Gate:
    """``images`` (N, S, S, 3) and what the network finds in them, by torch."""

    images: Crops
    reference: Found

    @classmethod
    def of(cls, graph: XFeatGraph, images: Crops) -> Gate:
        """The reference by torch, on one image at a time."""
        with torch.inference_mode():
            rows = [graph(torch.from_numpy(images[n : n + 1])) for n in range(len(images))]
        columns = zip(*rows, strict=True)
        points, scores, descriptors = (np.concatenate([part.numpy() for part in parts]) for parts in columns)
        return cls(images, (points, scores, descriptors))

    def judged(self, path: Path, precision: str) -> Faithful:
        """How faithful a file is, once it has passed: graph optimisation off and on, one crop and several at a time.

        Raises:
            BundleError: it has not; the sentence says in what, and how the file was run.
        """
        runs = []
        for optimised in (False, True):
            session = session_of(path, session_options(1, optimised))
            for size in (1, _BATCH):
                batches = [self.images[n : n + size] for n in range(0, len(self.images), size)]
                parts = [session.run(None, {"crops": batch}) for batch in batches]
                found = tuple(np.concatenate([part[n] for part in parts]) for n in range(len(OUTPUTS)))
                how = f"{path.name} (graph optimisation {'on' if optimised else 'off'}, batch {size})"
                runs.append(self._held(found, precision, how))
        return Faithful(
            reference="torch fp32", device=DEVICE, images=len(self.images),
            points_share=round(min(one[0] for one in runs), 6), cosine_min=round(min(one[1] for one in runs), 6),
            similarity_change=round(max(one[2] for one in runs), 6),
        )  # fmt: skip

    def _held(self, found: Sequence[NDArray[np.float32]], precision: str, how: str) -> tuple[float, float, float]:
        """(share of points, least cosine, largest change of a similarity) of one run."""
        ours, theirs, expected = [], [], 0
        for n in range(len(self.images)):
            at = {tuple(point): row for row, point in enumerate(found[0][n]) if found[1][n, row] > 0}
            there = np.flatnonzero(self.reference[1][n] > 0)
            expected += len(there)
            both = [(at[place], row) for row in there if (place := tuple(self.reference[0][n, row])) in at]
            ours += [found[2][n, mine] for mine, _ in both]
            theirs += [self.reference[2][n, row] for _, row in both]
        share = len(ours) / max(expected, 1)
        if share < _LEAST_POINTS_SHARE[precision]:
            raise BundleError(f"{how} is refused: it finds {share:.1%} of the points that the reference finds.")
        step = max(1, len(ours) // _MOST_COMPARED)
        comparison = compare(np.stack(ours[::step]), np.stack(theirs[::step]))
        reason = comparison.refusal(BARS[precision])
        if reason is not None:
            raise BundleError(f"{how} is refused: {reason}.")
        return share, comparison.cosine_min, comparison.similarity_change


def make_features(graph: XFeatGraph, out: Path, fp16: bool, opset: int = OPSET) -> FeatureManifest:
    """Make the folder beside ``out`` and put it there in one step; one already there is replaced.

    Raises:
        UsageError: ``out`` holds something else.
        BundleError: an exported file is not faithful.
        StorageError: it cannot be written.
    """
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and holds no local features: name another directory with --out.")
    draft = out.with_name(out.name + ".new")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        manifest = _written(graph, draft, fp16, opset)
        write_manifest(draft, manifest)
        put_in_place(out, draft)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def points_of(size_px: int) -> int:
    """How many points are kept of a crop of that side."""
    return size_px**2 // _PX2_PER_POINT


def parity_crops(size_px: int) -> Crops:
    """(16, S, S, 3): rendered views and photographs from the air that ship, evenly picked."""
    sheets = [read_sheet(sheet, _SHIPPED_PX) for sheet in (PARITY_VIEWS, PARITY_PHOTOS)]
    picked = [sheet[:: max(1, len(sheet) // _IMAGES_EACH)][:_IMAGES_EACH] for sheet in sheets]
    return resized(np.concatenate(picked), size_px)


def _written(graph: XFeatGraph, draft: Path, fp16: bool, opset: int) -> FeatureManifest:
    gate = Gate.of(graph, parity_crops(graph.size_px))
    single = exported(graph, graph.size_px, opset, OUTPUTS)
    files = {"fp32": _file(single, draft / "xfeat.fp32.onnx", "fp32", gate)}
    if fp16:
        files["fp16"] = _half(single, draft / "xfeat.fp16.onnx", gate)
    return FeatureManifest(
        format_version=FORMAT_VERSION, name=NAME, licence=LICENCE, input_size_px=graph.size_px,
        points=graph.points, descriptor_dim=DESCRIPTOR_DIM, files=files,
    )  # fmt: skip


def _half(single: onnx.ModelProto, path: Path, gate: Gate) -> FeatureFile:
    """With as many of the first layers left whole as it takes to pass."""
    for whole in _WHOLE_PRODUCTS:
        try:
            return _file(halved(single, whole), path, "fp16", gate)
        except BundleError:
            if whole == _WHOLE_PRODUCTS[-1]:
                raise
    raise AssertionError


def _file(model: onnx.ModelProto, path: Path, precision: str, gate: Gate) -> FeatureFile:
    write(model, path, NAME)
    check_types(model, path.name)
    parity = gate.judged(path, precision)
    return FeatureFile(file=path.name, sha256=sha256_of(path), bytes=path.stat().st_size, parity=parity)
