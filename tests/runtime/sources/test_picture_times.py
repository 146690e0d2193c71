"""When pictures were taken, by their names as cameras, companions and robots write them, or by their EXIF."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from runtime.sources.picture_times import PictureTime, time_in_name, times_of
from tests.runtime.sources.photos import SUBSECOND, TAKEN, write_photo

SECOND = int(datetime(2018, 8, 5, 1, 0, 44, tzinfo=timezone.utc).timestamp())
GREY = np.full((48, 64, 3), 90, np.uint8)


@pytest.mark.parametrize(
    ("name", "fraction_ms", "step_s"),
    [
        ("2018080501004480Z", 800, 0.01),
        ("20180805T010044.480Z", 480, 0.001),
        ("2018-08-05T01-00-44.480123Z", 480.123, 1e-6),
        ("2018-08-05 01.00.44", 0, 1.0),
        ("IMG_20180805_010044", 0, 1.0),
        ("IMG_20180805_010044_480", 480, 0.001),
        ("PXL_20180805_010044480", 480, 0.001),
        ("cam0_20180805-010044-480000_left", 480, 1e-6),
        ("DJI_20180805010044_0012_V", 0, 1.0),
        (f"{SECOND}", 0, 1.0),
        (f"{SECOND}.48", 480, 0.01),
        (f"{SECOND}480", 480, 0.001),
        (f"frame_{SECOND}480123", 480.123, 1e-6),
        (f"{SECOND}480123456", 480.123456, 1e-9),
        (f"{SECOND}_480", 480, 0.001),
    ],
)
def test_a_name_tells_the_time(name: str, fraction_ms: float, step_s: float) -> None:
    time = time_in_name(name)
    assert time is not None
    assert time.t_ns == SECOND * 10**9 + round(fraction_ms * 1e6) and time.step_s == pytest.approx(step_s)


@pytest.mark.parametrize(
    "name",
    ["DSC01234", "G0735851", "0000000123", "2018130501004480", "20180805", "12345678901234567890123", "9999999999"],
)
def test_other_numbers_are_no_time(name: str) -> None:
    assert time_in_name(name) is None


def test_digits_that_count_the_pictures_are_no_fraction() -> None:
    names = [Path(f"20180805_0100{44 + k}_00{k + 1}.jpg") for k in range(3)]
    assert [time.t_ns for time in times_of(names).values()] == [(SECOND + k) * 10**9 for k in range(3)]
    apart = [Path(f"20180805_010044_{part}.jpg") for part in (120, 480, 840)]
    assert [time.t_ns % 10**9 for time in times_of(apart).values()] == [120_000_000, 480_000_000, 840_000_000]


def test_the_finer_of_two_clocks_is_used_for_all(tmp_path: Path) -> None:
    paths = [tmp_path / f"20180805_01004{k}.jpg" for k in range(2)]
    for k, path in enumerate(paths):
        write_photo(path, GREY, detail={TAKEN: f"2018:08:05 01:00:4{k}", SUBSECOND: f"{25 * k:02d}"})
    assert times_of(paths)[paths[1]] == PictureTime((SECOND - 3) * 10**9 + 250_000_000, 0.01)
    write_photo(paths[0], GREY)
    assert [time.step_s for time in times_of(paths).values()] == [1.0, 1.0], "the names, which all of them have"
    assert times_of([tmp_path / "absent.jpg"]) == {}
