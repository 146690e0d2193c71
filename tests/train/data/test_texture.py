"""Real texture: no source in two splits, nothing mirrored in, and two views that are displaced as they should be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import ImageError, UsageError
from train.data.texture import GAP, seen_twice, split, write_pairs
from train.data.university import University
from train.data.views import by_place

JURU = Path(__file__).parents[4] / "shared/data/texture/juru"
SCENES = JURU.with_name("rsscn7")


def _frames(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """A sequence that moves slowly over one ground, so that neighbours overlap."""
    folder.mkdir(parents=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (20, 30 + count // 4, 3), dtype=np.uint8)
    ground = cv2.resize(coarse, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    ground += np.random.default_rng(seed).normal(0, 4, ground.shape)
    paths = []
    for i in range(count):
        paths.append(folder / f"{i:04d}.png")
        assert cv2.imwrite(str(paths[-1]), ground[:128, 2 * i : 2 * i + 128])
    return paths


def test_no_source_is_in_two_splits(tmp_path: Path) -> None:
    frames = _frames(tmp_path / "sequence", 300)
    scenes = [p for seed in range(20) for p in _frames(tmp_path / f"scene{seed}", 1, seed + 1)]
    copy = tmp_path / "copy"
    copy.mkdir()
    chosen = split(frames, scenes)
    assert set(chosen.train).isdisjoint(chosen.test)
    sides = (chosen.train, chosen.test)
    numbers = [np.array([int(p.stem) for p in side if p.parent.name == "sequence"]) for side in sides]
    assert 50 <= len(numbers[1]) <= 70 and len(numbers[0]) > 30
    assert np.abs(numbers[0][:, None] - numbers[1][None]).min() > GAP  # no shared frame, no shared ground
    kept = [p for p in chosen.test if p.parent.name != "sequence"]
    assert 0 < len(kept) < 20
    twin = copy / "twin-of-a-test-scene-0.png"
    for number in range(50):  # until its name falls on the training side
        twin = copy / f"twin-{number}.png"
        twin.write_bytes(kept[0].read_bytes())
        if twin in split(frames, [twin]).train:
            break
        twin.unlink()
    assert twin not in split(frames, [*scenes, twin]).train


@pytest.mark.skipif(not JURU.is_dir(), reason="the real texture is not here")
def test_real_sources_split_without_ground_in_common() -> None:
    frames, scenes = sorted(JURU.glob("*.jpg")), sorted(SCENES.rglob("*.jpg"))
    chosen = split(frames, scenes)
    assert set(chosen.train).isdisjoint(chosen.test)
    assert len(chosen.train) > 1500 and len(chosen.test) > 500
    order = {path: i for i, path in enumerate(frames)}
    ours, theirs = (np.array([order[p] for p in side if p in order]) for side in (chosen.train, chosen.test))
    assert np.abs(ours[:, None] - theirs[None]).min() > GAP


def test_a_picture_is_seen_twice_without_inventing_its_border() -> None:
    picture = np.full((400, 400, 3), 120, np.uint8)
    picture[:3], picture[-3:], picture[:, :3], picture[:, -3:] = ([255, 0, 0],) * 4
    for seed in range(40):
        drones, satellite = seen_twice(picture, 96, 2, np.random.default_rng(seed))
        assert len(drones) == 2
        for crop in (*drones, satellite):
            channels = crop.reshape(-1, 3).astype(int)
            assert np.ptp(channels.mean(axis=1)) < 60  # a border would be far from the grey everywhere
    with pytest.raises(ImageError, match="too small"):
        seen_twice(picture[:40, :40], 96, 1, np.random.default_rng(0))


def test_the_two_views_show_the_same_ground_displaced() -> None:
    rng = np.random.default_rng(1)
    picture = cv2.resize(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), (512, 512), interpolation=cv2.INTER_CUBIC)
    sift = cv2.SIFT_create()
    turns, shifts = [], []
    for seed in range(12):
        (drone,), satellite = seen_twice(picture, 256, 1, np.random.default_rng(seed))
        pair = drone, satellite
        (points_a, a), (points_b, b) = (sift.detectAndCompute(cv2.cvtColor(c, cv2.COLOR_RGB2GRAY), None) for c in pair)
        two = cv2.BFMatcher().knnMatch(a, b, k=2)
        good = [m for m, n in two if m.distance < 0.8 * n.distance]
        if len(good) < 12:
            continue
        source, target = (np.array([p[getattr(m, n)].pt for m in good], np.float32) for p, n in
                          ((points_a, "queryIdx"), (points_b, "trainIdx")))  # fmt: skip
        matrix, _ = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=6)
        turns.append(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
        shifts.append((matrix @ [128, 128, 1] - 128) / 256)
    assert len(turns) >= 6  # or the views would have nothing in common
    assert 3 < np.abs(turns).max() < 17 and 0.1 < np.abs(shifts).max() < 0.45


def test_what_is_written_is_read(tmp_path: Path) -> None:
    chosen = split([], [p for seed in range(12) for p in _frames(tmp_path / f"s{seed}", 1, seed)])
    train, test = write_pairs(chosen, tmp_path / "out", 64, 2, 0)
    data = University.open(tmp_path / "out")
    assert len(data.train("drone")) == 2 * train and len(data.train("satellite")) == train
    assert {p.place for p in data.train("drone")}.isdisjoint({p.place for p in data.query("drone")})
    assert test == len({p.place for p in data.gallery("satellite")})
    assert all(len(pictures) == 2 for pictures in by_place(data.train("drone")).values())
    with pytest.raises(UsageError, match="exists already"):
        write_pairs(chosen, tmp_path / "out", 64, 2, 0)


def test_maps_of_labels_are_no_photographs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = np.zeros((256, 256, 3), np.uint8)
    cv2.fillPoly(labels, [np.array([[20, 30], [200, 60], [120, 240]])], (0, 255, 0))
    assert cv2.imwrite(str(tmp_path / "labels.jpg"), labels)
    with pytest.raises(UsageError, match="none of the pictures is a photograph"):
        write_pairs(split([tmp_path / "labels.jpg"], []), tmp_path / "out", 64, 1, 0)
    assert "labels.jpg is skipped" in caplog.text
