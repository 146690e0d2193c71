"""The history before a flight: whether it opens for this bundle, what it holds, and how much of the area it shows."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.config.config import Config
from runtime.counted import counted
from runtime.doctor.finding import Finding
from runtime.errors import HomingError
from runtime.guidance.limits import Area
from runtime.history.covered import covered_cells
from runtime.history.history import History
from runtime.values import Coverage

_LITTLE = 0.5  # of the operator's polygon: with less of it known, ways over unknown ground are the rule


def history_findings(config: Config, embedding_space_id: str | None) -> Iterator[Finding]:
    """``embedding_space_id`` of the bundle that flies; None where there is none, and nothing is held against it."""
    path, recording = config.history.path, config.record.enabled
    if not path.exists():
        if recording:
            yield Finding("history", "note", f"{path} is made at the first start: there is nothing to be known by yet")
        else:
            todo = "homing record makes one, or [record] enabled = true"
            yield Finding("history", "wrong", f"{path} is not there, and none is recorded", todo)
        return
    try:
        with History.open(path, embedding_space_id=embedding_space_id) as history:
            keyframes, flights, coverage = len(history), len(history.flights()), history.coverage()
    except HomingError as error:
        yield Finding("history", "wrong", str(error))
        return
    said = f"{path}: {counted(keyframes, 'keyframe')} of {counted(flights, 'flight')}"
    if not keyframes:
        yield Finding("history", "note" if recording else "wrong", said, "there is nothing to be known by yet")
        return
    yield Finding("history", "ok", said)
    yield covered(coverage, config.commanding.area)


def covered(coverage: Coverage, area: Area | None) -> Finding:
    """How much of the operator's polygon any keyframe shows."""
    cells = covered_cells(coverage)
    said = f"{cells.area_m2() / 1e4:.1f} ha"
    if area is None:
        return Finding("coverage", "absent", f"{said}; [commanding] has no polygon to hold it against")
    share = cells.share_of(area.about(cells.south_west))
    said = f"{said}, {share:.0%} of the operator's polygon"
    if share == 0.0:
        return Finding("coverage", "wrong", said, "this is the history, or the polygon, of another place")
    todo = "homing history coverage draws what is missing"
    return Finding("coverage", "warning", said, todo) if share < _LITTLE else Finding("coverage", "ok", said)
