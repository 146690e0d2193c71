"""What every kind of recording shares: the history with its embedder, overlaps that are solved aloud, and the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.bundle import Bundle
from runtime.cli.output import progress, warn
from runtime.counted import counted
from runtime.embedder.embedder import Embedder
from runtime.history.history import History
from runtime.record.known import Known
from runtime.record.recorder import Recorded, Recorder
from runtime.record.surveyed import picture_of
from runtime.record.surveyed import record as record_photos
from runtime.sources.lens import ASSUMED_HFOV_DEG
from runtime.sources.raster.terrain import read_terrain
from runtime.survey.complete import complete, pairs_to_match
from runtime.survey.over_terrain import over_terrain
from runtime.survey.survey import Skipped, Survey, Surveyed
from runtime.terrain import SOURCE, Datum
from runtime.values import Frame

_THREADS = 2


@contextmanager
def opened(path: Path, bundle: Path | None) -> Iterator[tuple[History, Embedder]]:
    """The history, made where there is none, and the embedder that fits it."""
    loaded = Bundle.load(bundle)
    with History.append(path, loaded.embedding_space_id, loaded.name) as history:
        yield history, Embedder(loaded, threads=_THREADS)


def by_terrain(file: Path | None, heights: Datum, read: Survey) -> Survey:
    """A survey with its heights taken above an elevation model, where one is given."""
    if file is None:
        return read
    lifted = over_terrain(read, lambda places: read_terrain(file, places, heights))
    count = sum(one.pose.height_agl_m is not None and one.pose.height_agl_m.source == SOURCE for one in lifted.photos)
    warn(f"{file}: {counted(count, 'picture')} of {len(lifted.photos)} stand above its {heights.value} heights.")
    return lifted


def completed(read: Survey) -> Survey:
    """A survey with what its overlaps show; what was found, and what had to be assumed, is said on stderr."""
    if read.assumed_lens:
        assumed(read.assumed_lens)
    pairs = pairs_to_match(read)
    if not pairs:
        return complete(read)
    with progress("matching overlaps", pairs) as steps:
        ready = complete(read, steps.step)
    if ready.pitch is not None:
        warn(ready.pitch.sentence())
    if ready.solution is not None:
        warn(ready.solution.summary())
    if ready.turned:
        warn(
            f"{len(ready.turned)} photos ({ready.turned[0]} and on) are turned against their recorded heading; "
            "the heading that their overlaps show is used."
        )
    for contradiction in ready.contradictions:
        warn(contradiction.sentence())
    return ready


def assumed(name: str) -> None:
    """Says on stderr that a picture's field of view is assumed."""
    warn(f"{name}: its field of view is not recorded; {ASSUMED_HFOV_DEG:g} deg is assumed, --hfov-deg says better.")


def recorded(
    ready: Survey,
    name: str,
    moved: float,
    read: Callable[[Surveyed], Frame],
    target: tuple[History, Embedder],
) -> tuple[int, list[Skipped]]:
    """Keyframes added, and what was left out; ``name`` is the flight's, if the history has no other of that name."""
    history, embedder = target
    kept, skipped = 0, list(ready.skipped)
    if not ready.photos:
        return kept, skipped
    known = Known(history)
    flight = known.flight(name, [picture_of(photo) for photo in ready.photos])
    recorder = Recorder(history, embedder, ready.photos[0].camera, flight, moved=moved)
    with progress("recording", len(ready.photos)) as steps:
        for outcome in record_photos(ready, recorder, read, known, steps.step):
            if isinstance(outcome, Recorded):
                kept += 1
            else:
                skipped.append(outcome)
    return kept, skipped
