"""What is read of a folder as cameras and people leave it, in which order, and what is said of the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.errors import ImageError
from runtime.sources.folder import EMPTY, HEIF, NO_FILE, RAW, THERMAL, VIDEO, endings, folders_below, photo_folder


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"something")
    return folder


def names(folder: Path) -> list[str]:
    return [path.name for path in photo_folder(folder).images]


def test_photos_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    put(tmp_path, "DJI_10.JPG", "DJI_2.JPG", "DJI_0001.jpg", "dji_3.Tif", "a9b2.png", "a9b10.png", "٣.jpg")
    assert names(tmp_path) == ["٣.jpg", "a9b2.png", "a9b10.png", "DJI_0001.jpg", "DJI_2.JPG", "dji_3.Tif", "DJI_10.JPG"]


def test_what_lies_beside_photos_is_named_and_what_systems_leave_is_not(tmp_path: Path) -> None:
    put(tmp_path, "D1.JPG", "D1.SRT", "D2.SRT", "D1.LRF", "D1.THM", "D1.XMP", "log.txt", "map.json", "Timestamp.MRK")
    put(tmp_path, "._D1.JPG", ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.jpg")
    put(tmp_path / "__MACOSX", "._D1.JPG", "D9.JPG")
    found = photo_folder(tmp_path)
    assert [path.name for path in found.images] == ["D1.JPG"] and not found.skipped
    assert endings(found.beside) == ".SRT, .LRF, .MRK, .THM, .XMP, .json, .txt"
    assert folders_below(tmp_path) == []


def test_pictures_that_are_not_read_say_what_to_do(tmp_path: Path) -> None:
    put(tmp_path, "D1.JPG", "D1.DNG", "D2.DNG", "I1.HEIC", "D3.MP4", "D4.mov")
    (tmp_path / "D5.JPG").touch()
    (tmp_path / "D6.JPG").symlink_to(tmp_path / "nowhere.JPG")
    (tmp_path / "D7.JPG").symlink_to(tmp_path / "D7.JPG")  # to itself
    os.mkfifo(tmp_path / "D8.JPG")  # whoever opened it would wait for ever
    found = photo_folder(tmp_path)
    assert [path.name for path in found.images] == ["D1.JPG"] and found.beside == ("D1.DNG",)
    assert dict(found.skipped) == {
        "D2.DNG": RAW, "I1.HEIC": HEIF, "D3.MP4": VIDEO, "D4.mov": VIDEO, "D5.JPG": EMPTY,
        "D6.JPG": NO_FILE, "D7.JPG": NO_FILE, "D8.JPG": NO_FILE,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["DJI_0001_T.JPG", "DJI_0001_W.JPG", "DJI_0001_Z.JPG"], ["DJI_0001_W.JPG", "DJI_0001_Z.JPG"]),
        (["DJI_20230510120001_0001_T.JPG", "DJI_20230510120002_0001_V.JPG"], ["DJI_20230510120002_0001_V.JPG"]),
        (["DJI_20230510120001_0001_THRM.JPG", "DJI_20230510120001_0001_WIDE.JPG"],
         ["DJI_20230510120001_0001_WIDE.JPG"]),
        (["IRX_0007.jpg", "MAX_0007.JPG", "IRX_0008.jpg"], ["IRX_0008.jpg", "MAX_0007.JPG"]),
        (["DJI_0001_T.JPG", "DJI_0002_V.JPG"], ["DJI_0001_T.JPG", "DJI_0002_V.JPG"]),
        (["IMG_0001.JPG", "shot_T.JPG"], ["IMG_0001.JPG", "shot_T.JPG"]),
    ],
)  # fmt: skip
def test_of_a_shot_in_two_kinds_of_light_the_visible_one_is_read(
    tmp_path: Path, written: list[str], read: list[str]
) -> None:
    put(tmp_path, *written)
    found = photo_folder(tmp_path)
    assert [path.name for path in found.images] == read
    assert {reason for _, reason in found.skipped} <= {THERMAL}


def test_folders_are_found_below_and_links_lead_in_no_circle(tmp_path: Path) -> None:
    put(tmp_path / "101MEDIA", "D1.JPG")
    put(tmp_path / "100MEDIA", "D1.JPG", "D2.JPG")
    put(tmp_path / "MISC", "IDX.dat")
    put(tmp_path / "PANORAMA" / "100_0001", "P1.JPG")
    (tmp_path / "100MEDIA" / "again").symlink_to(tmp_path)
    (tmp_path / "album.jpg").mkdir()  # a folder of a photo's name
    found = {str(one.path.relative_to(tmp_path)): len(one.images) for one in folders_below(tmp_path)}
    assert found == {"100MEDIA": 2, "101MEDIA": 1, "PANORAMA/100_0001": 1}
    assert photo_folder(tmp_path).images == () and photo_folder(tmp_path).skipped == ()


def test_no_folder_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "none", put(tmp_path, "a.jpg") / "a.jpg"):
        with pytest.raises(ImageError, match="no such directory"):
            photo_folder(path)
