"""The report of one flight: map, pictures, figures, every command with its answer, every refusal with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from runtime.report.figures import svg_of, write_png
from runtime.report.page import safe_svg, write_page
from runtime.values import ImageRGB


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with its title and caption."""

    title: str
    caption: str
    image: ImageRGB


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under one heading; ``marked``: the numbers of those that tell of something wrong."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class FlightReport:
    """The contents of a flight's page; ``result`` is None where the true positions are unknown."""

    title: str
    lead: str
    result: str | None
    checks: dict[str, bool]
    facts: dict[str, str]
    map: Figure
    pictures: tuple[Picture, ...] = ()
    plots: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = field(default=())
    pictures_title: str = "What was asked for, what was found, what was there"


def write_flight_report(path: Path, report: FlightReport) -> None:
    """Write the page to ``path`` and its map beside it as ``<stem>_map.png``.

    Raises:
        StorageError: a file cannot be written.
    """
    write_png(report.map, path.with_name(path.stem + "_map.png"))
    write_page(
        path,
        "flight.html",
        title=report.title,
        lead=report.lead,
        result=report.result,
        checks=report.checks,
        facts=report.facts,
        map=safe_svg(svg_of(report.map)),
        pictures=report.pictures,
        pictures_title=report.pictures_title,
        plots=[safe_svg(svg_of(plot)) for plot in report.plots],
        tables=report.tables,
    )
