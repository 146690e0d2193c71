"""The parity set that ships holds what the gate needs, and a sheet gives back the crops it was made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.bundle import Bundle
from runtime.embedder.parity_set import parity_embeddings, read_sheet, write_sheet
from runtime.errors import BundleError, StorageError
from runtime.values import ViewKind
from tests.runtime.small_bundle import shipped_images


def test_what_ships_is_large_enough_and_holds_the_extremes_and_near_neighbours() -> None:
    bundle = Bundle.load()
    images, reference = shipped_images(), parity_embeddings(bundle, ViewKind.DRONE)
    assert len(images) == len(reference) >= 200
    flat = images.reshape(len(images), -1)
    assert (flat.max(axis=1) == 0).any() and (flat.min(axis=1) == 255).any()
    assert len({image.tobytes() for image in images}) == len(images)
    assert max(np.abs(np.diff(image.astype(np.int16), axis=1)).mean() for image in images) > 60  # noise
    similarities = reference @ reference.T - 2 * np.eye(len(reference))
    assert (similarities.max(axis=1) > 0.8).sum() >= 50
    assert sum((bundle.path / named.file).stat().st_size for named in bundle.manifest.parity.images) < 3e6


@pytest.mark.parametrize("count", [1, 7, 12, 30])
def test_a_sheet_gives_back_its_crops_in_order(count: int, tmp_path: Path) -> None:
    crops = np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    write_sheet(tmp_path / "sheet.png", crops)
    np.testing.assert_array_equal(read_sheet(tmp_path / "sheet.png", 16), crops)


def test_a_sheet_of_webp_is_nearly_what_it_was_made_of_and_smaller(tmp_path: Path) -> None:
    crops = shipped_images()[:12]
    write_sheet(tmp_path / "sheet.webp", crops, 80)
    write_sheet(tmp_path / "sheet.png", crops)
    read = read_sheet(tmp_path / "sheet.webp", 256)
    assert read.shape == crops.shape and np.abs(read.astype(int) - crops).mean() < 6
    assert (tmp_path / "sheet.webp").stat().st_size * 4 < (tmp_path / "sheet.png").stat().st_size


def test_what_is_no_sheet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    write_sheet(tmp_path / "small.png", np.zeros((3, 20, 20, 3), np.uint8))
    for name in ("text.png", "small.png", "absent.png"):
        with pytest.raises(BundleError, match="is not an image"):
            read_sheet(tmp_path / name, 16)


def test_a_sheet_that_cannot_be_written(tmp_path: Path) -> None:
    crops = np.zeros((2, 16, 16, 3), np.uint8)
    with pytest.raises(StorageError, match="cannot be written"):
        write_sheet(tmp_path / "absent" / "sheet.png", crops)
