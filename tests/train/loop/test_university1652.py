"""The configuration for University-1652's own pictures, run for two steps on a small folder in that layout."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

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


@pytest.mark.parametrize("name", ["resnet18", pytest.param("convnext_tiny", marks=pytest.mark.long)])
def test_it_learns_from_the_layout_as_it_is_distributed(tmp_path: Path, name: str) -> None:
    """With a place that has no satellite, an empty class folder, and a gallery place that nobody asks for."""
    folder = university(tmp_path / "University-Release", places=5)
    trainer = Trainer(_on(folder, load_config(FILE), name))
    assert len(trainer.data.places) == 4
    losses: list[float] = []
    trainer.train(lambda step, steps, loss, speed, left: losses.append(loss))
    assert len(losses) == 2 and all(0 < loss < 20 for loss in losses)
    towers, notes = load_towers(folder / "out" / "best.pt")
    assert towers.spec.head.map_channels == 0 and 0 < notes["selected"] <= 1
