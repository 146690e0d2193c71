"""A run: it learns, it goes on to the same numbers bit for bit, and it says what is wrong with its configuration."""

from __future__ import annotations

import copy
import csv
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from runtime.errors import ConfigError, HomingError, UsageError  # noqa: E402
from runtime.values import ViewKind  # noqa: E402
from tests.train.loop.tiny import area, config  # noqa: E402
from train.loop.batches import make_batch  # noqa: E402
from train.loop.config import load_config  # noqa: E402
from train.loop.trainer import Trainer  # noqa: E402
from train.towers import Towers, load_towers  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return area(tmp_path_factory.mktemp("area"), places=16, seeds=(0, 1))


def _quiet(step: int, steps: int, loss: float, speed: float, left_s: float) -> None: ...


def _run(path: Path, until: int | None = None) -> Trainer:
    trainer = Trainer(load_config(path))
    trainer.train(_quiet, until)
    return trainer


def _curve(folder: Path, name: str) -> list[float]:
    with (folder / "curves.csv").open() as file:
        return [float(row["value"]) for row in csv.DictReader(file) if row["name"] == name]


@pytest.mark.long
def test_what_no_loss_trains_is_fitted_to_what_was_trained_and_changes_nothing_else(tmp_path: Path, data: Path) -> None:
    plain = config(tmp_path, data, "plain")
    looks = tmp_path / "looks.toml"
    text = plain.read_text().replace("map_channels = 8", "map_channels = 8\nappearance = 5")
    looks.write_text(text.replace('out = "plain"', 'out = "looks"'))
    without, both = _run(plain), _run(looks)
    for name, value in without.towers.state_dict().items():
        assert torch.equal(value, both.towers.state_dict()[name]), name
    last = load_towers(tmp_path / "looks" / "last.pt")[0]
    crops = np.concatenate([batch for batches in both.some_crops().values() for batch in batches])
    with torch.inference_mode():
        appearance = last.tower(ViewKind.DRONE).appearance
        assert appearance is not None
        found = appearance(last.tower(ViewKind.DRONE).features(crops))
    assert torch.allclose(found.mean(dim=0), torch.zeros(5), atol=1e-3)
    assert (found.std(dim=0) > 0.5).all() and (found.std(dim=0) < 1.1).all()


def test_without_validation_the_untrained_are_never_called_the_best(tmp_path: Path, data: Path) -> None:
    path = config(tmp_path, data, "alone", steps=4)
    path.write_text(path.read_text().replace(f'validation = "{data}"\n', ""))
    assert load_config(path).data.validation is None
    _run(path, until=2)
    assert (tmp_path / "alone/last.pt").is_file() and not (tmp_path / "alone/best.pt").exists()
    _run(path)
    assert load_towers(tmp_path / "alone/best.pt")[1]["step"] == 4


def test_a_resumed_run_gives_the_same_numbers_bit_for_bit(tmp_path: Path, data: Path) -> None:
    through = _run(config(tmp_path, data, "through", steps=5))
    _run(config(tmp_path, data, "stopped", steps=5), until=3)
    again = _run(config(tmp_path, data, "stopped", steps=5))
    assert again.step == through.step == 5
    for name, value in through.towers.state_dict().items():
        assert torch.equal(value, again.towers.state_dict()[name]), name
        assert torch.equal(through.average.weights[name], again.average.weights[name]), name
    assert np.array_equal(through.memory.rows, again.memory.rows) and through.memory.rows.any()
    curves = [(tmp_path / out / "curves.csv").read_text() for out in ("through", "stopped")]
    assert curves[0] == curves[1]
    before, after = (load_towers(tmp_path / "through" / f"{name}.pt")[0].state_dict() for name in ("untrained", "last"))
    assert not all(torch.equal(before[name], after[name]) for name in before)


def test_it_learns_and_leaves_what_it_should(tmp_path: Path, data: Path) -> None:
    path = config(tmp_path, data, "learns", steps=60, precision="bf16")
    trainer = _run(path)
    loss = _curve(tmp_path / "learns", "loss")
    assert len(loss) == 60 and np.mean(loss[-10:]) < 0.75 * np.mean(loss[:10])
    first, *_, last = _curve(tmp_path / "learns", "selected")
    assert last > first + 0.05 and trainer.best >= last
    for name in ("best.pt", "last.pt", "untrained.pt", "state.pt", "curves.png"):
        assert (tmp_path / "learns" / name).stat().st_size > 0
    assert list((tmp_path / "learns/tensorboard").glob("events*"))
    _, notes = load_towers(tmp_path / "learns/best.pt")
    assert notes["selected"] == pytest.approx(trainer.best)


def test_towers_of_one_backbone_begin_with_one_head(tmp_path: Path, data: Path) -> None:
    trainer = Trainer(load_config(config(tmp_path, data, "apart")))
    towers = Towers(dataclasses.replace(trainer.towers.spec, shared=False)).eval()
    drone, satellite = (towers.tower(view) for view in towers.spec.views)
    assert drone is not satellite
    satellite.backbone.load_state_dict(drone.backbone.state_dict())
    trainer._fit_heads(towers)
    for name, value in drone.head.state_dict().items():
        assert torch.equal(value, satellite.head.state_dict()[name]) and value.abs().sum() > 0, name


def test_the_teacher_of_the_map_is_the_beginning_in_clear_air(tmp_path: Path, data: Path) -> None:
    path = config(tmp_path, data, "kept", steps=2, more='\n[[loss]]\nname = "kept_map"\n')
    trainer = Trainer(load_config(path))
    begun = copy.deepcopy(trainer.towers)
    trainer.train(_quiet)
    batch = make_batch(trainer.data, np.arange(4), trainer.config.pairs[0], trainer.strength, 0, 0)
    assert not np.array_equal(batch.queries, batch.clear[0])  # another sensor, at least
    sides = trainer.sides(batch)
    with torch.no_grad():
        torch.testing.assert_close(sides.query_targets, begun(ViewKind.DRONE, torch.from_numpy(batch.clear[0]))[1])
        learned = trainer.towers(ViewKind.DRONE, torch.from_numpy(batch.clear[0]))[1]
    assert not torch.equal(sides.query_targets, learned)  # the towers went on, the teacher did not
    again = Trainer(load_config(path))
    again.train(_quiet)
    torch.testing.assert_close(again.sides(batch).query_targets, sides.query_targets)
    assert Trainer(load_config(config(tmp_path, data, "free"))).sides(batch).query_targets is None


def test_another_configuration_does_not_go_on(tmp_path: Path, data: Path) -> None:
    _run(config(tmp_path, data, "mine", steps=1))
    with pytest.raises(ConfigError, match="holds a run of another configuration"):
        _run(config(tmp_path, data, "mine", steps=2))
    (tmp_path / "mine/state.pt").write_bytes(b"damaged")
    with pytest.raises(ConfigError, match="is damaged"):
        _run(config(tmp_path, data, "mine", steps=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("steps = 8", "steps = 0"), r"line \d+: run.steps: input should be greater than 0"),
        (("stage = 2", "stages = 2"), r"unknown key towers.backbone.stages; did you mean stage\?"),
        (("weather = 0.0", 'pairs = ["drone:moon"]'), "drone:moon is no pair of views"),
        (("batch = 6", "batch = 6\nmicro_batch = 7"), "micro_batch exceeds batch"),
        (('name = "info_nce"', 'name = "hinge"'), "there is no loss hinge"),
        (('name = "resnet18"', 'name = "resnet"'), "there is no backbone resnet"),
        (('precision = "fp32"', 'precision = "fp8"'), "run.precision"),
        (("steps = 8", ""), "key run.steps is missing"),
        (("map_channels = 8", "map_channels = 0"), "the dense loss needs a head with a map"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, data: Path, change: tuple[str, str], message: str) -> None:
    path = config(tmp_path, data, "wrong")
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(HomingError, match=message):
        _run(path)


def test_the_command_says_by_path_in_one_sentence_what_is_wrong(tmp_path: Path) -> None:
    """That it trains by path, `tests/export/test_trained.py` sees, which goes on with what it leaves."""
    command = [sys.executable, "train/fit.py", str(tmp_path / "none.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "does not exist; name yours, or begin with a copy of train/" in done.stderr
    assert done.stderr.startswith("homing-train: configuration") and done.stderr.count("\n") == 1


def test_a_place_that_cannot_be_read_is_not_learned_from(tmp_path: Path) -> None:
    root = area(tmp_path / "area", places=4)
    (root / "train/drone/0-001/0.png").write_bytes(b"no picture")
    trainer = Trainer(load_config(config(tmp_path, root, "torn")))
    sides = trainer.sides(trainer._read(np.array([3, 1, 0, 2]), 0))
    assert sides.places.tolist() == [3, 0, 2] and sides.own == slice(0, 3)
    assert len(sides.query_crops) == len(sides.relation) == len(sides.shifts) == 3
    with pytest.raises(UsageError, match="too few"):
        trainer.sides(trainer._read(np.array([1, 0]), 0))


@pytest.mark.long
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """The command itself, started twice: the same losses, from batches that are shared out, torn pictures and all."""
    data = area(tmp_path / "area")
    for torn in ("0-003", "0-010"):
        (data / f"train/drone/{torn}/0.png").write_bytes(b"no picture")
    kept = '\n[[loss]]\nname = "kept_map"\n'
    alone = config(tmp_path, data, "alone", steps=3, more=kept)
    both = config(tmp_path, data, "both", steps=3, more=kept)
    _run(alone)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "train/fit.py"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, str(both)], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 processes share each batch" in done.stderr
    losses = [_curve(tmp_path / out, "loss") for out in ("alone", "both")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4) and len(losses[0]) == 3
    weights = [load_towers(tmp_path / out / "last.pt")[0].state_dict() for out in ("alone", "both")]
    for name, value in weights[0].items():  # where a gradient is all rounding, Adam takes a whole step either way
        apart = (value.float() - weights[1][name].float()).norm()
        assert apart <= 2e-2 * value.float().norm(), (name, apart / value.float().norm())
