"""Folders of photos into a history: each folder a flight of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from runtime.cli.output import progress, warn
from runtime.cli.recording import completed, opened, recorded
from runtime.counted import counted
from runtime.embedder.embedder import Embedder
from runtime.errors import ImageError
from runtime.history.history import History
from runtime.reasons import with_examples
from runtime.record.surveyed import PHOTO_MOVED, photo_reader
from runtime.sources.folder import SUFFIXES, PhotoFolder, endings, folders_below, photo_folder
from runtime.sources.logged import PhotoLog
from runtime.sources.photo import CameraFlags
from runtime.survey.survey import Skipped, Survey, survey

LogOf = Callable[[Sequence[Path]], PhotoLog | None]


def record_images(
    folder: Path,
    history: Path,
    bundle: Path | None,
    flags: CameraFlags,
    recursive: bool,
    log_of: LogOf,
    used: Sequence[Path] = (),
    levelled: Callable[[Survey], Survey] = lambda read: read,
) -> tuple[int, list[Skipped]]:
    """Records a folder's photos, and with ``recursive`` those of all folders in it; where it holds none itself, as a
    card's DCIM, its folders are read in any case, and that is said. ``log_of`` gives the log of the photos' flight, if
    there is one; ``used``: files that are read besides, wherever they lie. ``levelled`` takes the photos' heights above
    the terrain, where there is a model of it.

    Returns:
        How many keyframes were added, and what was left out.

    Raises:
        ImageError: there is no folder, or no photo in it.
        TelemetryError: the log is of another flight, or cannot be read.
    """
    folders = _chosen(folder, recursive, {path.name for path in used})
    log = log_of([image for one in folders for image in one.images])
    kept, skipped = 0, []
    with opened(history, bundle) as target:
        for one in folders:
            more, left_out = _record_folder(one, flags, log, target, levelled)
            above = "" if one.path == folder else f"{one.path.relative_to(folder)}/"
            kept += more
            skipped += [Skipped(f"{above}{item.image}", item.reason) for item in left_out]
    return kept, skipped


def _chosen(folder: Path, recursive: bool, used: set[str]) -> list[PhotoFolder]:
    own, below = photo_folder(folder), folders_below(folder)
    with_photos = [one for one in below if one.images]
    if own.images and not recursive:
        if with_photos:
            warn(f"{_counted(folder, with_photos)} left out; --recursive reads all of them.")
        chosen = [own]
    else:
        if with_photos and not recursive:
            warn(f"{folder}: holds no photos itself; reads {_counted(folder, with_photos)}.")
        chosen = [own, *below]
    beside = [name for one in chosen for name in one.beside if name not in used]
    if beside:
        warn(f"{folder}: {counted(len(beside), 'file')} beside the photos ({endings(beside)}) not read.")
    if not any(one.images for one in chosen):
        raise ImageError(_nothing(folder, chosen))
    return chosen


def _counted(folder: Path, found: Sequence[PhotoFolder]) -> str:
    count = sum(len(one.images) for one in found)
    names = ", ".join(str(one.path.relative_to(folder)) for one in found[:3]) + (" and others" if found[3:] else "")
    return f"{counted(count, 'photo')} in {counted(len(found), 'folder')} ({names})"


def _nothing(folder: Path, chosen: Sequence[PhotoFolder]) -> str:
    """Why a folder without a photo that can be read holds none."""
    reasons = with_examples([named for one in chosen for named in one.skipped])
    if not reasons:
        return f"{folder}: holds no images ({', '.join(sorted(SUFFIXES))})."
    said = "; ".join(f"{reason.example} {reason.sentence} ({reason.count} such)" for reason in reasons)
    return f"{folder}: holds no images that can be read: {said}."


def _record_folder(
    found: PhotoFolder,
    flags: CameraFlags,
    log: PhotoLog | None,
    target: tuple[History, Embedder],
    levelled: Callable[[Survey], Survey],
) -> tuple[int, list[Skipped]]:
    left_out = [Skipped(name, reason) for name, reason in found.skipped]
    if not found.images:
        return 0, left_out
    with progress("reading", len(found.images)) as steps:
        read = survey(found.images, flags, steps.step, log)
    kept, skipped = recorded(
        completed(levelled(read)), read.flight(found.path), PHOTO_MOVED, photo_reader(found.path), target
    )
    return kept, [*left_out, *skipped]
