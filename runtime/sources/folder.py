"""What a folder holds, as cameras leave it: photos in the order of their numbers, and what is beside them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import ImageError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"})
_VIDEO = frozenset({".mp4", ".mov", ".avi", ".mkv", ".m4v", ".mts", ".ts"})
_RAW = frozenset(
    {
        ".dng", ".arw", ".cr2", ".cr3", ".nef", ".orf", ".raf", ".rw2", ".srw", ".pef", ".raw", ".gpr", ".iiq", ".3fr",
        ".x3f",
    }
)  # fmt: skip
_HEIF = frozenset({".heic", ".heif", ".hif", ".avif", ".jxl"})
_OF_SYSTEMS = frozenset({"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information", "@eadir"})
_THERMAL = re.compile(r"^(?P<shot>.*?)_(?:T|THRM)$", re.IGNORECASE)  # DJI's; Autel's is IRX_ beside MAX_ or IMG_
_VISIBLE = re.compile(r"^(?P<shot>.*?)_(?:V|W|Z|WIDE|ZOOM)$", re.IGNORECASE)
_AUTEL = re.compile(r"^(?P<lens>IRX|MAX|IMG)_(?P<shot>.*)$", re.IGNORECASE)
_CLOCK = re.compile(r"_?\d{14}(?=_)")  # the lenses of one shot may be a second apart
_DIGITS = re.compile(r"(\d+)")

HEIF = "is HEIF, which is not read: convert it to JPEG with its tags kept, or set the camera to JPEG"
RAW = "is a raw picture, which is not read: develop it to JPEG or TIFF with its tags kept"
VIDEO = "is a video: record it with --video and --telemetry"
THERMAL = "is the thermal picture of a shot whose visible one is read"
EMPTY = "is empty: copy it again"
NO_FILE = "leads to no file"


@dataclass(frozen=True, slots=True)
class PhotoFolder:
    """A folder's photos in the order of their numbers; ``skipped``: names of what shows something and is not read,
    each with why; ``beside``: names of files that are no pictures."""

    path: Path
    images: tuple[Path, ...]
    skipped: tuple[tuple[str, str], ...]
    beside: tuple[str, ...]


def photo_folder(path: Path) -> PhotoFolder:
    """One folder, without those in it.

    Raises:
        ImageError: it is missing, is no folder, or cannot be opened.
    """
    if not path.is_dir():
        raise ImageError(f"{path}: no such directory; give the folder that holds the photos.")
    try:
        files = sorted((one for one in path.iterdir() if not _of_system(one.name)), key=natural)
    except OSError as error:
        raise ImageError(f"{path}: cannot be opened ({error.strerror or error}).") from None
    visible = {shot for one in files if one.suffix.lower() in SUFFIXES and (shot := _visible_shot(one.stem))}
    stems = {one.stem.lower() for one in files if one.suffix.lower() in SUFFIXES}
    images, skipped, beside = [], [], []
    for one in files:
        kind = one.suffix.lower()
        if kind not in SUFFIXES | _VIDEO | _RAW | _HEIF:
            if not one.is_dir():
                beside.append(one.name)
        elif kind in _RAW | _HEIF and one.stem.lower() in stems:
            beside.append(one.name)  # the camera kept both
        elif reason := _unread(one, kind, visible):
            skipped.append((one.name, reason))
        elif not one.is_dir():
            images.append(one)
    return PhotoFolder(path, tuple(images), tuple(skipped), tuple(beside))


def _unread(path: Path, kind: str, visible: set[str]) -> str:
    """Why a file that may show something is not read; empty where it is, or is a folder."""
    if path.is_dir():
        return ""
    if not path.is_file():
        return NO_FILE
    for kinds, reason in ((_VIDEO, VIDEO), (_RAW, RAW), (_HEIF, HEIF)):
        if kind in kinds:
            return reason
    if path.stat().st_size == 0:
        return EMPTY
    return THERMAL if _thermal_shot(path.stem) in visible else ""


def folders_below(path: Path) -> list[PhotoFolder]:
    """All folders below one that hold photos, or other pictures, by name; links to folders are not followed."""
    return [found for one in _walk(path) if (found := photo_folder(one)).images or found.skipped]


def _walk(path: Path) -> Iterator[Path]:
    for at, below, _ in os.walk(path, followlinks=False):
        below[:] = sorted((name for name in below if not _of_system(name)), key=natural)
        if Path(at) != path and os.access(at, os.R_OK | os.X_OK):
            yield Path(at)


def natural(path: Path | str) -> tuple[list[tuple[int, int, str]], str]:
    """A key that orders names as cameras number them: DJI_2 before DJI_10."""
    name = path if isinstance(path, str) else path.name
    parts = _DIGITS.split(name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], name


def endings(names: Sequence[str]) -> str:
    """The endings of files' names, the commonest first, for people."""
    kinds = [Path(name).suffix or name for name in names]
    return ", ".join(sorted(set(kinds), key=lambda kind: (-kinds.count(kind), kind)))


def _of_system(name: str) -> bool:
    """What operating systems leave: hidden files, AppleDouble's ``._`` halves, thumbnails' databases."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


def _thermal_shot(stem: str) -> str:
    """What the lenses of one shot have in common in their names, of a thermal one; empty of any other."""
    autel = _AUTEL.match(stem)
    if autel is not None:
        return f"autel {autel['shot']}" if autel["lens"].upper() == "IRX" else ""
    found = _THERMAL.match(stem)
    return _CLOCK.sub("", found["shot"]).lower() if found is not None else ""


def _visible_shot(stem: str) -> str:
    autel = _AUTEL.match(stem)
    if autel is not None:
        return f"autel {autel['shot']}" if autel["lens"].upper() != "IRX" else ""
    found = _VISIBLE.match(stem)
    return _CLOCK.sub("", found["shot"]).lower() if found is not None else ""
