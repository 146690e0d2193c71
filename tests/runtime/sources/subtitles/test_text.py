"""Subtitle files as cameras and editors leave them: encodings, line ends, numbers, tags, damage."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import TelemetryError
from runtime.sources.subtitles.reader import read_srt
from runtime.sources.subtitles.text import read_subtitles

TEXT = (
    "1\n00:00:00,000 --> 00:00:00,033\n<font size=\"28\">FrameCnt: 1, DiffTime: 33ms\n[latitude: 46.9] [longitude: 8.0]"
    " </font>\n\n2\n00:00:00,033 --> 00:00:00,066\n<font size=\"28\">FrameCnt: 2\n[latitude: 46.9] [longitude: 8.1]"
    " </font>\n"
)  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_every_encoding_and_line_end(tmp_path: Path, encoding: str, ends: str) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(TEXT.replace("\n", ends).encode(encoding))
    assert [one.t_s for one in read_subtitles(path)] == [0.0, 0.033]
    assert len(read_srt(path)[0]) == 2


def test_an_empty_line_within_a_subtitle_ends_nothing(tmp_path: Path) -> None:
    """As the Matrice 300 writes them, with tags that have spaces."""
    text = "1\n00:00:01,000 --> 00:00:01,033\n< font size=\"28\" >FrameCnt: 1\n[latitude: 46.9] [longitude: 8.0]\n\n0\n"
    path = tmp_path / "a.srt"
    path.write_text(f"{text}[focal_len: 52.00] [dzoom_ratio: 17871, delta:0]\n< /font >\n\n")
    (one,) = read_subtitles(path)
    assert one.t_s == 1.0 and "17871" in one.text and "font" not in one.text


def test_a_file_that_is_one_endless_subtitle_costs_no_more_than_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    fields = "[latitude: 3] [longitude: 2] [altitude: 1]"
    path.write_text(f"00:00:01,000 --> 00:00:02,000\n{fields}" + " SrtCnt :00,000" * 30_000)
    began = time.process_time()
    track, _, _ = read_srt(path)
    assert len(track) == 1 and time.process_time() - began < 2.0


def test_a_file_too_large_for_subtitles_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(TelemetryError, match="too large for subtitles"):
        read_srt(path)


@pytest.mark.parametrize("numbers", [("7", "7"), ("", ""), ("x", "-3"), ("1 ", "2")])
def test_numbers_do_not_matter(tmp_path: Path, numbers: tuple[str, str]) -> None:
    path = tmp_path / "a.srt"
    path.write_text("\n\n".join(f"{n}\n00:00:0{k}.5 --> x\n[latitude: 46.9] [longitude: 8.{k}]"
                                for k, n in enumerate(numbers)))  # fmt: skip
    assert [one.t_s for one in read_subtitles(path)] == [0.5, 1.5]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no subtitles"),
        (" \n\n", "holds no subtitles"),
        ("1\n2024.05.01 12:00:00,393,525\n[latitude : 47.0] [longtitude : 8.0]\n\n", "carry no times"),
        ("hello", "carry no times"),
        ("1\n00:00:00,000 --> 00:00:01,000\nhello\n", "carry no positions"),
    ],
)
def test_what_is_missing_is_said_and_nothing_else(
    tmp_path: Path, text: str, sentence: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.srt"
    path.write_text(text)
    with caplog.at_level(logging.DEBUG), pytest.raises(TelemetryError, match=sentence) as refused:
        read_srt(path)
    assert len(str(refused.value)) < len(str(path)) + 120
    assert not caplog.records and capfd.readouterr() == ("", "")


NUMBER = st.one_of(
    st.floats(-200, 200, allow_subnormal=False).map(lambda v: f"{v:.6f}"),
    st.integers(-10**6, 10**6).map(str),
    st.sampled_from(["n/a", "nan", "inf", "9" * 320, "", "1e9", "-", "12.", "0.0", "0.0M", "1/60"]),
)
FIELD = st.sampled_from([
    "[latitude: {}] [longitude: {}]", "[latitude : {}] [longtitude : {}]", "GPS({},{},{}) BAROMETER:{}M",
    "GPS ({}, {}, {}), H {}m", "GPS(E: {}, N: {})", "HOME({},{})", "G.PRY ({}°, {}°, {}°)", "F/2.8, SS {}",
    "[gb_yaw: {} gb_pitch: {} gb_roll: {}]", "[rel_alt: {} abs_alt: {}]", "[focal_len: {}] [dzoom_ratio: {}]",
    "Hb:{} Hs:{}", "<font size={}>", "BAROMETER({})",
])  # fmt: skip


@st.composite
def subtitle_files(draw: st.DrawFn) -> bytes:
    """Valid and broken: fields of all dialects with any numbers, then cut and scribbled over."""
    parts = []
    for k in range(draw(st.integers(0, 4))):
        fields = [draw(FIELD) for _ in range(draw(st.integers(0, 4)))]
        filled = " ".join(field.format(*(draw(NUMBER) for _ in range(field.count("{}")))) for field in fields)
        parts.append(f"{k}\n00:00:0{k},{draw(st.integers(0, 999)):03d} --> 00:00:09,000\n{filled}\n")
    raw = "\n".join(parts).encode(draw(st.sampled_from(["utf-8", "utf-16", "latin-1"])))
    if draw(st.booleans()):
        raw = raw[: draw(st.integers(0, len(raw)))] + draw(st.binary(max_size=8))
    return raw


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subtitle_files())
def test_whatever_goes_in_is_in_range_or_one_sentence(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(raw)
    try:
        track, focal, notes = read_srt(path)
    except TelemetryError as refused:
        assert "\n" not in str(refused) and len(str(refused)) < 400
        return
    assert all("\n" not in note for note in notes)
    assert all(7.0 <= focal_mm <= 5000.0 * 250 for focal_mm in focal.focal_mm)
    for t_s in track.span_s:
        state = track.at(t_s)
        assert state is not None and state.position is not None
        at, pose = state.position.point, state.pose
        assert abs(at.latitude_deg) <= 90 and abs(at.longitude_deg) <= 180 and state.position.sigma_m >= 3.0
        for height in (pose.height_takeoff_m, pose.altitude_amsl_m):
            assert height is None or abs(height.value) <= 20_000
        assert pose.ned_from_body is None or sum(q * q for q in pose.ned_from_body) == pytest.approx(1.0)
