"""The configuration for University-1652's own pictures, run for two steps on a small folder in that layout."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import train  # noqa: E402
from tests.train.data.folders import university  # noqa: E402
from train.loop.config import TrainConfig, load_config  # noqa: E402
from train.loop.trainer import Trainer  # noqa: E402
from train.towers import load_towers  # noqa: E402

FILE = Path(train.__file__).parent / "configs" / "university1652.toml"


def _on(folder: Path, config: TrainConfig, name: str) -> TrainConfig:
    """The configuration as it stands, on small pictures, with untrained weights of a backbone: nothing is fetched."""
    plain = config.model_dump()
    plain["data"] |= {"train": (folder,), "validation": folder, "size_px": 64}
    plain["run"] |= {"out": folder / "out", "steps": 2, "batch": 3, "micro_batch": 2, "threads": 1}
    plain["towers"]["backbone"] |= {"name": name, "weights": "none"}
    return TrainConfig.model_validate(plain)


@pytest.mark.long
def test_it_learns_from_the_layout_as_it_is_distributed(tmp_path: Path) -> None:
    """With a place that has no satellite, an empty class folder, and a gallery place that nobody asks for."""
    folder = university(tmp_path / "University-Release", places=5)
    trainer = Trainer(_on(folder, load_config(FILE), "resnet18"))
    assert len(trainer.data.places) == 4 and trainer.selection is not None
    before = {name: value.clone() for name, value in trainer.towers.state_dict().items()}
    for step in range(2):
        assert 0 < trainer.one_step(trainer._read(trainer._choose(step), step)).loss < 20
        trainer.step += 1
    assert any(not torch.equal(value, before[name]) for name, value in trainer.towers.state_dict().items())


@pytest.mark.long
def test_a_whole_run_of_its_own_backbone_leaves_towers(tmp_path: Path) -> None:
    folder = university(tmp_path / "University-Release", places=5)
    trainer = Trainer(_on(folder, load_config(FILE), "convnext_tiny"))
    trainer.train(lambda *_: None)
    towers, notes = load_towers(folder / "out" / "best.pt")
    assert towers.spec.head.map_channels == 0 and 0 < notes["selected"] <= 1
