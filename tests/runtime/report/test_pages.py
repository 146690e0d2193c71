"""Reports: self-contained, escaped, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import StorageError
from runtime.geodesy import offset
from runtime.report.figures import Background, Line, Marks, draw_map, draw_series, svg_of, write_png
from runtime.report.flight import FlightReport, Picture, Table, write_flight_report
from runtime.report.locate import LocateItem, write_locate_report
from runtime.values import Candidate, Decision, GeoPoint, PlaceAnswer

HOME = GeoPoint(60.4, 22.4)
IMAGE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)


def flight_report() -> FlightReport:
    track = tuple(offset(HOME, 10.0 * step, 5.0 * step) for step in range(10))
    figure = draw_map(
        HOME, [Line("track", track, "red")], [Marks("target", (track[-1],), "green", "*")],
        Background(IMAGE, HOME, 200.0, 200.0),
    )  # fmt: skip
    return FlightReport(
        "A <flight>", "lead", "PASS", {"arrived_within_10_m": True, "nothing_else": False}, {"rate": "5 Hz"}, figure,
        (Picture("target", "what was asked for", IMAGE),), (draw_series("error", "m", [("fix", [0, 1], [2, 1])]),),
        (Table("Commands", ("time", "what"), (("1.0", "goto"),)),),
    )  # fmt: skip


def test_a_figure_is_laid_out_once_and_looks_the_same_whatever_was_written_before(tmp_path: Path) -> None:
    twice, once = (draw_series("error", "m", [("fix", [0, 1], [2, 1]), ("sight", [0, 1], [1, 1])]) for _ in range(2))
    svg = svg_of(twice)
    write_png(twice, tmp_path / "twice.png")
    assert twice.get_layout_engine() is None  # each `savefig` would draw it once more for that
    write_png(once, tmp_path / "once.png")
    assert (tmp_path / "twice.png").read_bytes() == (tmp_path / "once.png").read_bytes()
    assert svg_of(once) == svg


def test_flight_report_is_one_file_without_references(tmp_path: Path) -> None:
    write_flight_report(tmp_path / "report.html", flight_report())
    text = (tmp_path / "report.html").read_text()
    assert "A &lt;flight&gt;" in text and "A <flight>" not in text
    assert text.count("<svg") == 2 and "data:image/jpeg;base64," in text
    assert "<script" not in text and 'src="http' not in text and 'href="http' not in text.replace("xlink:href", "")
    assert cv2.imread(str(tmp_path / "report_map.png")) is not None


def test_the_same_flight_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_flight_report(tmp_path / name, flight_report())
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_locate_report_shows_the_chosen_candidate(tmp_path: Path) -> None:
    candidates = (Candidate(3, offset(HOME, 5, 5), 0.9, 0.97), Candidate(8, offset(HOME, 90, 5), 0.5, None))
    answer = PlaceAnswer(Decision.MATCH, candidates[0].ground, 3.0, 0.97, candidates, "beats the rest")
    elsewhere = PlaceAnswer.no_match("nothing resembles it", (), 0.1)
    items = [LocateItem("pond", IMAGE, answer, {3: IMAGE, 8: IMAGE}), LocateItem("elsewhere", IMAGE, elsewhere, {})]
    write_locate_report(tmp_path / "out.html", items, [HOME, offset(HOME, 30, 0)])
    text = (tmp_path / "out.html").read_text()
    assert text.count('class="chosen"') == 1 and "1 of 2 targets matched" in text and "nothing resembles it" in text


def test_a_report_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        write_flight_report(target, flight_report())
    assert not list(tmp_path.glob("*.part"))


def test_a_map_is_as_tall_as_its_ground() -> None:
    def drawn(north_m: float, east_m: float) -> float:
        corners = tuple(offset(HOME, north_m * k, east_m * k) for k in (0.0, 1.0))
        return float(draw_map(HOME, [], [Marks("keyframes", corners, "#5b8fd9")]).get_size_inches()[1])

    assert drawn(100.0, 1000.0) < drawn(500.0, 1000.0) < drawn(1000.0, 1000.0) <= drawn(9000.0, 1000.0) <= 11.0
