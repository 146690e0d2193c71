"""The configurations that are shipped: each is read, and asks for towers and losses that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import train  # noqa: E402
from train.embedding_head import EmbeddingHead  # noqa: E402
from train.loop.config import load_config  # noqa: E402
from train.losses.catalogue import WeightedSum  # noqa: E402

CONFIGS = sorted((Path(train.__file__).parent / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_configuration_is_whole(path: Path) -> None:
    config = load_config(path)
    spec = config.spec()
    assert len(WeightedSum(config.losses, 10, 64).parts) == len(config.losses)
    EmbeddingHead(spec.head, 1024)
    assert all(root.is_absolute() for root in config.data.train) and config.run.out.is_absolute()
    dense = any(part.name == "dense_correspondence" for part in config.losses)
    assert not dense or spec.head.map_channels > 0


def test_there_are_the_ones_the_documents_name() -> None:
    assert {"default", "default_textures", "oblique", "own_flight", "university1652"} <= {path.stem for path in CONFIGS}


def test_the_digest_names_what_changes_the_numbers() -> None:
    config = load_config(next(path for path in CONFIGS if path.stem == "default"))
    elsewhere = config.model_copy(update={"run": config.run.model_copy(update={"out": Path("/x"), "threads": 7})})
    longer = config.model_copy(update={"run": config.run.model_copy(update={"steps": 7})})
    assert elsewhere.digest == config.digest != longer.digest
