"""From what a user names to a recipe: the towers that ship, a checkpoint of training, or a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from export.assemble import Recipe
from export.source import of_file
from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.embedder.onnx_cpu import OnnxCpu
from runtime.embedder.parity_set import Crops, parity_pair
from runtime.errors import UsageError
from runtime.values import ViewKind

FOOTPRINTS_M = (20.0, 28.0, 40.0, 56.0, 80.0, 112.0, 160.0, 224.0)  # by the square root of two, rounded


def default(size_px: int | None) -> Recipe:
    """The bundle that ships: what `train/configs/default.toml` trained."""
    from train.towers import DEFAULT_TOWERS

    return trained(DEFAULT_TOWERS, size_px)


def trained(path: Path, size_px: int | None) -> Recipe:
    """The towers of a checkpoint of homing-train, at its own size of crops unless another is given.

    Raises:
        BundleError: the file is missing, is no checkpoint, or does not fit its own specification.
    """
    from export.torch_source import of_tower
    from train.towers import load_towers

    towers, notes = load_towers(path)
    size = towers.spec.size_px if size_px is None else size_px
    sources = {id(tower): of_tower(tower, size) for tower in map(towers.tower, towers.spec.views)}
    name = f"{towers.spec.backbone(towers.spec.views[0]).name}-trained"
    return Recipe(
        name=name,
        licence="; ".join(towers.licences) or "unknown",
        embedding_space_id=f"{name}.{notes['digest'][:8]}.{size}px",
        input_size_px=size,
        footprints_m=FOOTPRINTS_M,
        towers={view: sources[id(towers.tower(view))] for view in towers.spec.views},
        training=notes,
        appearance_dim=towers.spec.head.appearance,
    )


def again(path: Path, size_px: int | None) -> Recipe:
    """The float32 towers of a bundle, to make other precisions of; no torch is needed. It keeps its space.

    Raises:
        UsageError: another size is asked for: a bundle's towers are made for one.
        BundleError: there is no readable bundle, or its float32 towers fail their own parity.
    """
    bundle = Bundle.load(path)
    if size_px not in (None, bundle.input_size_px):
        raise UsageError(
            f"--input-size {size_px}: the towers of {path} take {bundle.input_size_px} px; export the checkpoint again."
        )
    Embedder(bundle, precision="fp32", backends=(OnnxCpu.name,))
    files = {view: bundle.model(view, "fp32").file for view in bundle.views}
    views = {file: view for view, file in files.items()}
    sources = {file: of_file(bundle.path / file, bundle.name, _undecided(bundle, view)) for file, view in views.items()}
    return Recipe(
        name=bundle.name,
        licence=bundle.manifest.licence,
        embedding_space_id=bundle.embedding_space_id,
        input_size_px=bundle.input_size_px,
        footprints_m=bundle.footprints_m,
        towers={view: sources[file] for view, file in files.items()},
        training=bundle.manifest.training,
        appearance_dim=bundle.manifest.appearance_dim,
    )


def _undecided(bundle: Bundle, view: ViewKind) -> Crops:
    """The parity images of which the bundle's own reference says nothing."""
    images, reference = parity_pair(bundle, view)
    return images[~np.isfinite(reference).all(axis=1)]
