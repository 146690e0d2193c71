"""Positions that leapt away and back are none; a leap that is not undone is kept, nobody knows which side is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.sources.excursions import excursions
from runtime.sources.telemetry import read_telemetry
from runtime.values import GeoPoint
from tests.runtime.sources.logs import Tlog, heartbeat_message, position_message, write_srt

METRE = 1 / 111_195


def way(*north_m: float, period_s: float = 0.1) -> list[tuple[float, GeoPoint]]:
    return [(k * period_s, GeoPoint(48.0 + metres * METRE, 11.0)) for k, metres in enumerate(north_m)]


@pytest.mark.parametrize(
    ("north_m", "away"),
    [
        ((0, 1, 2, 500, 4, 5), {3}),
        ((0, 1, 2, 3, 4, 500, 501, 7, 8, 9), {5, 6}),
        ((0, 1, 2, 500, 4, 5, -500, 7, 8), {3, 6}),
        ((0, 1, 2, 500, 501, 502), set()),  # set to another place
        ((0, 500, 501, 502, 503, 504, 5), set()),  # away for longer than it is known elsewhere
        ((0, 25, 50, 75, 100), set()),  # fast
        ((0, 1, 2, 500, 900, 5, 6), set()),  # two places elsewhere: not undone by one leap
        ((), set()),
        ((0,), set()),
    ],
)
def test_only_what_comes_back_was_away(north_m: tuple[float, ...], away: set[int]) -> None:
    assert excursions(way(*north_m)) == away


def test_a_coarse_step_is_no_leap() -> None:
    coarse = way(0, 0, 111, 0, 0, 111, 111)
    assert excursions(coarse) and not excursions(coarse, step_m=111.0)


def test_a_log_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    for k in range(101):
        t_s, message = k / 10, position_message(100.0, k / 10)
        if 40 <= k < 55:
            message.lat += 50_000
        log.say(t_s, heartbeat_message())
        log.say(t_s, message)
    said = read_telemetry(log.done())
    assert len(said.track) == 86 and said.track.at(4.7) is None
    assert any("from 4.0 to 5.4 s (it leapt away and back)" in note for note in said.notes)


def test_subtitles_leave_them_out_and_say_so(tmp_path: Path) -> None:
    texts = [f"[latitude: {46.9 + k * 1e-5 + (k == 5):.6f}] [longitude: 8.123456]" for k in range(10)]
    said = read_telemetry(write_srt(tmp_path / "a.srt", texts, 0.1))
    state = said.track.at(0.5)
    assert state is not None and state.position is not None
    assert state.position.point.latitude_deg == pytest.approx(46.90005)
    assert said.notes == ("a.srt: 1 of its positions leapt away and back; they are left out.",)
