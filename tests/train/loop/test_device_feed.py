"""Batches made on the device: the same windows and kinds of change as one by one, and a run that learns from them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from runtime.errors import UsageError  # noqa: E402
from tests.train.data.folders import picture  # noqa: E402
from tests.train.loop.tiny import CELL_PX, area, config  # noqa: E402
from train.data.augment import Strength, Window, any_window, cut, turned_alike  # noqa: E402
from train.data.augment_batch import augmented_many, cut_many, turned_alike_many  # noqa: E402
from train.data.pairs import Pair  # noqa: E402
from train.data.training_set import TrainingSet  # noqa: E402
from train.data.weather import CONDITIONS, under  # noqa: E402
from train.data.weather_batch import Draws, blurred, filtered, under_many  # noqa: E402
from train.loop.batches import make_batch  # noqa: E402
from train.loop.config import load_config  # noqa: E402
from train.loop.device_feed import DeviceFeed  # noqa: E402
from train.loop.trainer import Trainer  # noqa: E402

CPU = torch.device("cpu")
PAIR = Pair("drone", "satellite")
STRENGTH = Strength(1.0, 10.0, 0.1, 0.75)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return area(tmp_path_factory.mktemp("area"), places=9)


def _smooth(count: int, side: int = 64) -> np.ndarray:
    """(count, side, side, 3) uint8 without sharp edges, on which two ways of sampling hardly differ."""
    return np.stack([cv2.GaussianBlur(picture(seed, side), (0, 0), 2.0) for seed in range(count)])


def _planes(crops: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(crops).permute(0, 3, 1, 2)


def _arrays(planes: torch.Tensor) -> np.ndarray:
    return planes.permute(0, 2, 3, 1).numpy()


def test_windows_and_turns_show_the_same_ground_as_one_by_one() -> None:
    pictures, rng = _smooth(6), np.random.default_rng(1)
    windows = [any_window(STRENGTH, rng) for _ in pictures[:-1]] + [Window(0.1, -0.2, 0.5, 90.0)]
    alone = np.stack([cut(p, w, 48) for p, w in zip(pictures, windows, strict=True)])
    many = cut_many(torch.from_numpy(pictures), windows, 48)
    assert np.abs(_arrays(many).astype(int) - alone).max() <= 3
    for turns, mirrored in ((0, True), (1, False), (3, True)):
        turned = turned_alike_many(many, turns, mirrored).numpy()
        np.testing.assert_array_equal(turned, turned_alike(_arrays(many), turns, mirrored))


def test_filters_are_opencv_s() -> None:
    light, rng = _smooth(3).astype(np.float32), np.random.default_rng(2)
    for shape in ((3, 3), (4, 4), (1, 5)):
        kernels = rng.random((3, *shape)).astype(np.float32)
        found = _arrays(filtered(_planes(light), torch.from_numpy(kernels)))
        for one, kernel, alone in zip(light, kernels, found, strict=True):
            expected = cv2.filter2D(one, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
            np.testing.assert_allclose(alone, expected, rtol=1e-4, atol=1e-2)
    found = _arrays(blurred(_planes(light), np.array([0.0, 0.6, 2.0])))
    np.testing.assert_allclose(found[0], light[0], atol=1e-3)
    np.testing.assert_allclose(found[2], cv2.GaussianBlur(light[2], (13, 13), 2.0), atol=0.05)


@pytest.mark.parametrize("condition", CONDITIONS[:-1])
def test_weather_is_of_the_same_kind_as_one_by_one(condition: str) -> None:
    """Over 24 crops of one picture: its mean light and contrast, and what is left of the picture in it."""
    crop = np.clip(picture(3, 64).astype(float) * 0.5 + 40, 0, 255).astype(np.uint8)
    rng = np.random.default_rng(4)
    alone = np.stack([under(condition, crop, rng) for _ in range(24)]).astype(float)
    light = _planes(np.repeat(crop[None], 24, axis=0)).float()
    many = _arrays(under_many([condition] * 24, light, Draws((5,), CPU))).astype(float)
    assert np.array_equal(many, light.permute(0, 2, 3, 1).numpy()) == (condition == "clear")
    said = [(c.mean(), c.std(axis=(1, 2, 3)).mean(), np.corrcoef(c.mean(axis=0).ravel(), crop.ravel())[0, 1])
            for c in (alone, many)]  # fmt: skip
    np.testing.assert_allclose(said[1], said[0], rtol=0.12)


def test_only_the_drone_s_views_have_weather_and_each_its_own() -> None:
    crops = _planes(np.repeat(_smooth(1), 8, axis=0))
    drone, satellite = (augmented_many(crops, STRENGTH, Draws((6,), CPU), seen).float() for seen in (True, False))
    changed = [(seen - crops).abs().mean(dim=(1, 2, 3)) for seen in (drone, satellite)]
    assert changed[0].mean() > 1.5 * changed[1].mean() > 0
    assert len({round(float(value), 3) for value in changed[0]}) == 8
    assert torch.equal(drone, augmented_many(crops, STRENGTH, Draws((6,), CPU), True).float())


def test_a_batch_is_of_the_places_asked_for_and_leaves_the_unreadable_out(root: Path, tmp_path: Path) -> None:
    data = TrainingSet.open([root], [PAIR], CELL_PX, 1)
    still = Strength(0.0, 0.0, 0.0, 1.0)
    feed = DeviceFeed(data, ("drone", "satellite"), CPU, 1, 2)
    index = np.array([4, 0, 7])
    batch = feed.batch(index, PAIR, still, 3, 5)
    alone = make_batch(data, index, PAIR, still, 3, 5)
    np.testing.assert_array_equal(batch.places, alone.places)
    np.testing.assert_array_equal(batch.relation, alone.relation)
    np.testing.assert_allclose(batch.shifts, alone.shifts)
    for ours, theirs in zip(batch.clear, alone.clear, strict=True):
        assert np.abs(ours.numpy().astype(int) - theirs).max() <= 1  # one picture a view here: the same was chosen
    assert torch.equal(batch.queries, feed.batch(index, PAIR, still, 3, 5).queries)
    broken = area(tmp_path, places=4, test=False)
    (broken / "train/drone/0-001/0.png").write_bytes(b"no picture")
    feed = DeviceFeed(TrainingSet.open([broken], [PAIR], CELL_PX, 1), ("drone", "satellite"), CPU, 1, 1)
    assert feed.batch(np.arange(4), PAIR, still, 0, 0).places.tolist() == [0, 2, 3]
    with pytest.raises(UsageError, match="too few"):
        feed.batch(np.arange(2), PAIR, still, 0, 0)


def test_what_has_no_north_turns_the_satellite_alone() -> None:
    rng, free = np.random.default_rng(7), Strength(0.0, 10.0, 0.0, 0.9, any_heading=True)
    turns = [any_window(free, rng, "satellite").turn_deg for _ in range(200)]
    assert np.histogram(turns, bins=[-45, 45, 135, 225, 315])[0].min() > 30
    assert {any_window(free, rng, "drone").turn_deg for _ in range(20)} == {0.0}


def test_a_run_takes_its_batches_from_it_and_learns(root: Path, tmp_path: Path) -> None:
    path = config(tmp_path, root, "run")
    more = 'size_px = 32\nchanges = "device"\ncache_mb = 1'
    path.write_text(path.read_text().replace("size_px = 32", more).replace(f'validation = "{root}"\n', ""))
    trainer = Trainer(load_config(path))
    batch = trainer._read(trainer._planned, 0)
    assert isinstance(batch.queries, torch.Tensor) and len(batch.places) == 6
    before = {name: value.clone() for name, value in trainer.towers.state_dict().items()}
    assert trainer.one_step(batch).loss > 0
    assert any(not torch.equal(value, before[name]) for name, value in trainer.towers.state_dict().items())


def test_a_set_that_does_not_fit_is_refused(root: Path) -> None:
    data = TrainingSet.open([root], [PAIR], CELL_PX, 0)
    with pytest.raises(UsageError, match=r"need 0 MB of the device's memory, and data.cache_mb allows 0: raise it"):
        DeviceFeed(data, ("drone", "satellite"), CPU, 0, 1)


def test_a_run_begun_before_these_keys_were_there_goes_on(root: Path, tmp_path: Path) -> None:
    path = config(tmp_path, root, "old")
    digest = load_config(path).digest
    path.write_text(path.read_text().replace("size_px = 32", 'size_px = 32\nchanges = "reader"\nany_heading = false'))
    assert load_config(path).digest == digest
    path.write_text(path.read_text().replace('"reader"', '"device"'))
    assert load_config(path).digest != digest
