"""The history that a flight began with, as a copy that a replay may record into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from runtime.embedder.embedder import Embedder
from runtime.errors import HistoryError
from runtime.flightlog.start import FlightStart
from runtime.history.history import History
from runtime.history.past import copy_until
from runtime.history.reembed import reembed

_ALL = (1 << 63) - 1  # SQLite's largest id


@dataclass(frozen=True, slots=True)
class Past:
    """``copy`` of a history with ``keyframes``, without the ``left_out`` that were recorded since the flight began.

    ``note``: what is otherwise than it was; empty where nothing is.
    """

    copy: Path
    keyframes: int
    left_out: int
    note: str


def history_before(start: FlightStart, given: Path | None, configured: Path, copy: Path) -> Past:
    """Copies the history that lies at ``given``, else at ``configured``, as it was at the flight's start.

    A history in which the keyframe that was the newest then is not to be found is another one, and is taken whole.

    Raises:
        HistoryError: missing, foreign or damaged.
        StorageError: the copy cannot be written.
    """
    path = given or configured
    if given is None and not path.exists():
        if start.history_keyframes:
            raise HistoryError(
                f"the history {path} that the flight began with is not here; say by --history where it lies."
            )
        return Past(copy, 0, 0, "")  # made by the flight, as the replay makes its own
    with History.open(path) as history:
        same = _is_that_of(history, start, by_default=given is None)
    left_out = copy_until(path, copy, start.history_last_id if same else _ALL)
    with History.open(copy) as history:
        keyframes = len(history)
    if not same:
        note = f"the history {path} is not the one that the flight began with, and is taken as it is"
    elif keyframes != start.history_keyframes:
        note = f"the history {path} holds {keyframes} of the flight's first {start.history_keyframes} keyframes"
    else:
        note = ""
    return Past(copy, keyframes, left_out, note)


def of_space(past: Past, embedder: Embedder) -> Past:
    """Makes the copy one that ``embedder`` searches: its pictures are embedded again where another bundle made theirs,
    and one that the flight was to make is there."""
    bundle = embedder.bundle
    if not past.copy.exists():
        History.create(past.copy, bundle.embedding_space_id, bundle.name).close()
        return past
    with History.open(past.copy, write=True) as history:
        if history.embedding_space_id == bundle.embedding_space_id:
            return past
        reembed(history, embedder)
    return replace(past, note="; ".join([*filter(None, [past.note]), f"its pictures were embedded by {bundle.name}"]))


def _is_that_of(history: History, start: FlightStart, by_default: bool) -> bool:
    """Whether it is the one that the flight began with, perhaps grown since.

    One that was empty has no keyframe to be known by, but the first ones that the flight recorded.
    """
    if start.history_last_id:
        return newest_keyframe(history, start.history_last_id) == start.history_newest
    first_id = history.first_id()
    return by_default or first_id == 0 or history.keyframe(first_id, crop=False).flight == start.flight


def newest_keyframe(history: History, last_id: int) -> str:
    """What tells a history from others: its keyframe of this id; empty where it has none."""
    try:
        newest = history.keyframe(last_id, crop=False)
    except HistoryError:
        return ""
    return f"{last_id} {newest.flight} {newest.view.value} {newest.pose.t_ns} {newest.name}"
