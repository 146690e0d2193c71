"""The towers of all views, sharing their weights or not: built from a specification, saved and read back with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runtime.errors import BundleError, StorageError
from runtime.values import ViewKind
from train.appearance import Appearance
from train.backbones import NONE, BackboneSpec, build, channels_of
from train.embedding_head import EmbeddingHead, HeadSpec
from train.tower import Tower
from train.weights import UNREADABLE, reason_of

DEFAULT_TOWERS = Path(__file__).parent / "checkpoints" / "default.pt"  # what the bundle that ships was made from
_FORMAT = "homing towers 1"


@dataclass(frozen=True, slots=True)
class TowersSpec:
    """``backbones`` by view; one view alone, or ``shared``, means one tower for every view of ``views``."""

    views: tuple[ViewKind, ...] = (ViewKind.DRONE, ViewKind.SATELLITE)
    backbones: Mapping[ViewKind, BackboneSpec] = field(default_factory=dict)
    head: HeadSpec = field(default_factory=HeadSpec)
    shared: bool = True
    size_px: int = 256

    def backbone(self, view: ViewKind) -> BackboneSpec:
        """The view's own backbone, or the one that is there for all."""
        return self.backbones.get(view) or next(iter(self.backbones.values()), BackboneSpec())


class Towers(nn.Module):
    """A tower per view; views that share are one module under several names. ``licences`` are the weights'."""

    def __init__(self, spec: TowersSpec) -> None:
        super().__init__()
        self.spec = spec
        self.licences: tuple[str, ...] = ()
        built = nn.ModuleDict()
        for view in spec.views[:1] if spec.shared else spec.views:
            checkpoint, depth = build(spec.backbone(view))
            channels = channels_of(checkpoint.backbone, depth)
            appearance = Appearance(channels, spec.head.appearance) if spec.head.appearance else None
            built[view.value] = Tower(checkpoint.backbone, EmbeddingHead(spec.head, channels), depth, appearance)
            self.licences = tuple(dict.fromkeys((*self.licences, checkpoint.licence)))
        self.built = built

    def tower(self, view: ViewKind) -> Tower:
        """The tower that sees a view."""
        name = view.value if view.value in self.built else next(iter(self.built))
        tower = self.built[name]
        assert isinstance(tower, Tower)
        return tower

    def fit_appearance_(self, crops: Mapping[ViewKind, Sequence[NDArray[np.uint8]]]) -> None:
        """Fit the appearance of each tower that has one to batches of (n, S, S, 3) uint8 crops of the views it sees."""
        for tower in {self.tower(view): None for view in crops}:
            if tower.appearance is not None:
                own = [batch for view, batches in crops.items() if self.tower(view) is tower for batch in batches]
                tower.appearance.fit_(tower.features(batch) for batch in own)

    def forward(self, view: ViewKind, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        embedding, grid = self.tower(view)(crops)
        return embedding, grid


def save_towers(towers: Towers, path: Path, notes: Mapping[str, Any] | None = None) -> None:
    """Write weights and specification in one step; ``notes`` are plain values, for the model card.

    Raises:
        StorageError: the file cannot be written.
    """
    draft = path.with_name(path.name + ".new")
    content = {
        "format": _FORMAT, "spec": _plain(towers.spec), "weights": towers.state_dict(),
        "licences": list(towers.licences), "notes": dict(notes or {}),
    }  # fmt: skip
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, draft)
        os.replace(draft, path)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError on a full disk
        raise StorageError(f"{path} cannot be written: {error}.") from error


def load_towers(path: Path) -> tuple[Towers, dict[str, Any]]:
    """What `save_towers` wrote: the towers, ready to evaluate, and the notes with ``digest`` of the file in them.

    Raises:
        BundleError: the file is missing or is no such file.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise ValueError("it is no checkpoint of homing-train")
        towers = Towers(_spec(content["spec"]))
        towers.load_state_dict(content["weights"])
    except UNREADABLE as error:
        raise BundleError(f"{path} does not hold trained towers: {reason_of(error)}.") from error
    towers.licences = tuple(content["licences"])
    return towers.eval(), {**content["notes"], "digest": hashlib.sha256(path.read_bytes()).hexdigest()}


def _plain(spec: TowersSpec) -> dict[str, Any]:
    return {
        "views": [view.value for view in spec.views],
        "backbones": {view.value: asdict(spec.backbone(view)) for view in spec.views},
        "head": asdict(spec.head),
        "shared": spec.shared,
        "size_px": spec.size_px,
    }


def _spec(plain: Mapping[str, Any]) -> TowersSpec:
    """The specification with no weights to fetch: they are in the file."""
    backbones = {
        ViewKind(view): BackboneSpec(**{**values, "weights": NONE}) for view, values in plain["backbones"].items()
    }
    views = tuple(ViewKind(view) for view in plain["views"])
    return TowersSpec(views, backbones, HeadSpec(**plain["head"]), plain["shared"], plain["size_px"])
