"""The parity images: always the same, with the extremes among them, and photos as squares."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from export.parity_images import extremes, folder_of_images, resized, write_parity_images
from runtime.embedder.parity_set import PARITY_PHOTOS, PARITY_VIEWS
from runtime.errors import UsageError


def test_the_extremes_are_always_the_same_and_all_different() -> None:
    images = extremes(64)
    np.testing.assert_array_equal(images, extremes(64))
    assert images.shape == (8, 64, 64, 3) and images.dtype == np.uint8
    flat = images.reshape(len(images), -1)
    assert (flat.max(axis=1) == 0).any() and (flat.min(axis=1) == 255).any()
    assert len(np.unique(flat, axis=0)) == len(images)


def test_at_the_views_own_size_their_file_is_taken_as_it_is(tmp_path: Path) -> None:
    files, crops = write_parity_images(tmp_path, 256, None)
    for file, shipped in zip(files, (PARITY_VIEWS, PARITY_PHOTOS), strict=False):
        assert file.read_bytes() == shipped.read_bytes()
    assert len(crops) >= 200


def test_at_another_size_what_is_read_back_is_what_was_written(tmp_path: Path) -> None:
    files, crops = write_parity_images(tmp_path, 64, None)
    assert crops.shape[1:] == (64, 64, 3) and len(crops) >= 200
    again = write_parity_images(tmp_path, 64, None)[1]
    np.testing.assert_array_equal(again, crops)
    assert [file.name for file in files] == ["views.png", "photos.png", "extremes.png"]


def test_a_photo_is_its_middle_square(tmp_path: Path) -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 20:60] = (10, 20, 200)  # blue, green, red
    assert cv2.imwrite(str(tmp_path / "photo.png"), image)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    crops = folder_of_images(tmp_path, 16, "--parity-images")
    assert crops.shape == (1, 16, 16, 3)
    np.testing.assert_array_equal(np.unique(crops.reshape(-1, 3), axis=0), [[200, 20, 10]])


def test_folders_without_photos(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--calibration-images .* is no folder"):
        folder_of_images(tmp_path / "absent", 16, "--calibration-images")
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(UsageError, match="holds no image"):
        folder_of_images(tmp_path, 16, "--parity-images")


def test_resizing_keeps_the_order_and_the_mean() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    small = resized(crops, 16)
    np.testing.assert_allclose(small.mean(axis=(1, 2, 3)), crops.mean(axis=(1, 2, 3)), atol=1.0)
