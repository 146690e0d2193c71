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
from train.embedding_head import CELLS, HeadSpec
from train.evaluate.measure import TOWER_OF, Pair
from train.losses.catalogue import LossSpec
from train.towers import TowersSpec

Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataSection(_Section):
    """[data]: folders in University-1652's layout; their train/ is trained on, ``validation``'s test/ selects."""

    train: tuple[Path, ...] = Field(min_length=1)
    validation: Path | None = None
    pairs: tuple[str, ...] = Field(default=("drone:satellite",), min_length=1)
    size_px: int = Field(default=256, ge=32, le=1024)
    cache_mb: int = Field(default=2000, ge=0)
    weather: Share = 0.5
    heading_deg: float = Field(default=5.0, ge=0, le=180)
    scale: float = Field(default=0.08, ge=0, lt=0.9)
    window: float = Field(default=0.75, ge=0.5, le=1.0)

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
    """[towers.backbone], or one of a view's own: see `train.backbones`."""

    name: str = LITE0
    stage: int = -1
    weights: str = NONE
    standardise: bool = False


class HeadSection(_Section):
    """[towers.head]: see `train.embedding_head`."""

    pooling: str = CELLS
    cells: int = Field(default=2, ge=1, le=16)
    dimensions: int = Field(default=0, ge=0)
    map_channels: int = Field(default=64, ge=0)
    attention: bool = False
    appearance: int = Field(default=0, ge=0)


class TowersSection(_Section):
    """[towers]: one backbone for all views, or one each; ``shared``: one set of weights for all."""

    shared: bool = True
    backbone: BackboneSection = BackboneSection()
    drone: BackboneSection | None = None
    satellite: BackboneSection | None = None
    ground: BackboneSection | None = None
    head: HeadSection = HeadSection()
    start: Path | None = None  # towers to go on from, instead of the backbones' own weights


class LossSection(_Section):
    """[[loss]]: see `train.losses.catalogue`."""

    name: str
    weight: float = Field(default=1.0, gt=0)
    options: dict[str, Any] = {}


class RunSection(_Section):
    """[run]: how long, how fast, how precisely, and where to."""

    out: Path
    steps: int = Field(gt=0)
    batch: int = Field(default=32, ge=2)
    micro_batch: int = Field(default=0, ge=0)  # pictures in memory at a time; 0: the whole batch
    learning_rate: float = Field(default=1e-3, gt=0)
    backbone_factor: float = Field(default=0.1, ge=0)  # of the learning rate; 0 freezes it
    warm_up: Share = 0.05  # of the steps
    weight_decay: float = Field(default=1e-4, ge=0)
    clip: float = Field(default=1.0, gt=0)  # of the gradient's norm
    average: float = Field(default=0.99, ge=0, lt=1)  # of the weights: an exponential mean; 0 is none
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    hard_share: Share = 0.5  # of a batch: neighbours and look-alikes of the rest
    look_alikes: bool = True  # False: batches depend on the seed alone, so that losses can be compared on the same ones
    seed: int = Field(default=0, ge=0)
    evaluate_every: int = Field(default=200, gt=0)
    checkpoint_every: int = Field(default=100, gt=0)
    threads: int = Field(default=2, ge=1)

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
    file = TomlFile.read(path)
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
