"""The report of a query: each target beside its candidates, all of them on one map of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.report.figures import Line, Marks, draw_map, svg_of, write_png
from runtime.report.page import safe_svg, write_page
from runtime.values import Decision, GeoPoint, ImageRGB, PlaceAnswer


@dataclass(frozen=True, slots=True)
class LocateItem:
    """A target image with its answer; ``crops`` holds the candidates' keyframe crops by id."""

    name: str
    target: ImageRGB
    answer: PlaceAnswer
    crops: Mapping[int, ImageRGB]


def write_locate_report(path: Path, items: Sequence[LocateItem], history_points: Sequence[GeoPoint]) -> None:
    """Write the page to ``path`` and its map beside it as ``<stem>_map.png``.

    ``history_points``: the ground centres of the keyframes searched.

    Raises:
        StorageError: a file cannot be written.
    """
    places = [item.answer.place for item in items if item.answer.place is not None]
    anchors = [*history_points, *places]
    origin = anchors[0] if anchors else GeoPoint(0.0, 0.0)
    found = [(item.name, item.answer.place) for item in items if item.answer.place is not None]
    others = [candidate.ground for item in items for candidate in item.answer.candidates]
    marks = [
        Marks("keyframes", tuple(history_points), "#5b8fd9", ".", 24.0),
        Marks("candidates", tuple(others), "#e0a030", "x", 26.0),
        Marks("matches", tuple(place for _, place in found), "#1a7f4b", "*", 130.0, tuple(name for name, _ in found)),
    ]
    lines: list[Line] = []
    figure = draw_map(origin, lines, [layer for layer in marks if layer.points], title="history and answers")
    write_png(figure, path.with_name(path.stem + "_map.png"))
    matched = sum(item.answer.decision is Decision.MATCH for item in items)
    write_page(
        path,
        "locate.html",
        title="Homing: where is this place?",
        lead=f"{matched} of {len(items)} targets matched in a history of {len(history_points)} keyframes.",
        map=safe_svg(svg_of(figure)),
        items=[_context(item) for item in items],
    )


def _context(item: LocateItem) -> dict[str, object]:
    candidates = [
        {
            "keyframe_id": candidate.keyframe_id,
            "similarity": candidate.similarity,
            "probability": candidate.probability,
            "latitude_deg": candidate.ground.latitude_deg,
            "longitude_deg": candidate.ground.longitude_deg,
            "crop": item.crops[candidate.keyframe_id],
        }
        for candidate in item.answer.candidates
        if candidate.keyframe_id in item.crops
    ]
    return {
        "name": item.name,
        "target": item.target,
        "decision": item.answer.decision.value,
        "matched": item.answer.decision is Decision.MATCH,
        "reason": item.answer.reason,
        "candidates": candidates,
    }
