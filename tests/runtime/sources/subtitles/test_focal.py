"""Focal lengths through their spellings, and digital zoom that is counted in or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import UsageError
from runtime.sources.photo import CameraFlags
from runtime.sources.subtitles.focal import FocalTrack, focal_track
from runtime.sources.subtitles.said import said_of
from runtime.sources.telemetry import read_telemetry
from runtime.sources.video import lens_of_video
from tests.runtime.sources.logs import write_srt


def focal_of(*texts: str) -> FocalTrack:
    """A subtitle a second."""
    return focal_track([said_of(float(k), text) for k, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("text", "focal_mm"),
    [
        ("[focal_len : 240]", 24.0),  # tenths, as Mavic 2 and Air 2 write them
        ("[focal_len : 280]", 28.0),
        ("[focal_len: 224]", 22.4),
        ("[focal_len : 1620]", 162.0),
        ("[focal_len: 24.00]", 24.0),  # millimetres, Mavic 3 and later
        ("[focal_len: 162.00]", 162.0),
        ("[focal_len: 480.00]", 480.0),
        ("[focal_len: 162.00] [dzoom_ratio: 1.00]", 162.0),
        ("[focal_len : 240] [dzoom_ratio: 10000, delta:0]", 24.0),
        ("[focal_len: 24]", 24.0),
        ("[focal_len: 284.80] [dzoom_ratio: 1.77]", 284.8),  # 162 mm by 1.77: counted in
        ("[focal_len: 480.00] [dzoom_ratio: 1.18]", 480.0),  # 405 mm by 1.18
        ("[focal_len: 52.00] [dzoom: 1.79]", 93.08),  # a thermal lens of 52 mm: not counted in
        ("[focal_len: 52.00] [dzoom_ratio: 17871, delta:0]", 92.93),
        ("[focal_len : 240] [dzoom_ratio: 20000, delta:0]", 48.0),
        ("F/2.8, SS 60, DZOOM 2.000, [focal_len: 24.00]", 48.0),
    ],
)
def test_a_focal_length_is_read_as_its_spelling_says(text: str, focal_mm: float) -> None:
    assert focal_of(text).at(0.0) == pytest.approx(focal_mm, abs=0.02)


@pytest.mark.parametrize("text", ["[iso : 100]", "[focal_len: 0.00]", "[focal_len : 99999999]", "[focal_len: -24.00]"])
def test_no_focal_length_is_none(text: str) -> None:
    assert focal_of(text) == FocalTrack()


def test_a_zoom_that_varies_tells_whether_it_is_counted_in() -> None:
    counted = focal_of("[focal_len: 60.00] [dzoom_ratio: 1.00]", "[focal_len: 90.00] [dzoom_ratio: 1.50]")
    assert counted.focal_mm == (60.0, 90.0) and counted.changes
    apart = focal_of("[focal_len: 60.00] [dzoom_ratio: 1.00]", "[focal_len: 60.00] [dzoom_ratio: 1.50]")
    assert apart.focal_mm == (60.0, 90.0)
    hybrid = focal_of(*(f"[focal_len: {f}] [dzoom_ratio: {z}]" for f, z in (("30.0", 1), ("60.0", 1), ("90.0", "1.5"))))
    assert hybrid.focal_mm == (30.0, 60.0, 90.0)


def test_a_zoom_that_can_be_read_in_two_ways_is_asked_for(tmp_path: Path) -> None:
    text = "[latitude: 46.9] [longitude: 8.0] [focal_len: 93.00] [dzoom_ratio: 1.40]"
    focal = read_telemetry(write_srt(tmp_path / "a.srt", [text] * 3)).focal
    assert focal.unclear
    with pytest.raises(UsageError, match=r"focal_len 93 may or may not count in its zoom of 1\.4; give --hfov-deg"):
        lens_of_video((640, 480), focal, CameraFlags())
    assert lens_of_video((640, 480), focal, CameraFlags(hfov_deg=20.0)).known


def test_between_two_zooms_no_lens_is_known() -> None:
    focal = focal_of("[focal_len: 24.00]", "[focal_len: 24.00]", "[focal_len: 48.00]", "[focal_len: 48.00]")
    assert focal.changes and not focal_of("[focal_len: 24.00]", "[focal_len: 24.10]").changes
    assert [focal.at(t_s) for t_s in (-1.0, 0.0, 0.9, 1.0, 1.1, 1.9, 2.0, 2.5, 9.0)] == [
        24.0, 24.0, 24.0, 24.0, None, None, 48.0, 48.0, 48.0,
    ]  # fmt: skip


def test_the_lens_of_a_video_follows_its_zoom() -> None:
    lens = lens_of_video((640, 480), focal_of("[focal_len: 24.00]", "[focal_len: 48.00]"), CameraFlags())
    wide, between, tele = lens.at(0.0), lens.at(0.5), lens.at(1.0)
    assert lens.known and wide is not None and tele is not None and between is None
    assert tele.camera.fx_px == pytest.approx(2 * wide.camera.fx_px)
    flagged = lens_of_video((640, 480), focal_of("[focal_len: 24.00]"), CameraFlags(hfov_deg=50.0)).at(0.5)
    assert flagged is not None and flagged.source == "flag"
