"""When the pictures of a folder were taken: by the dates in their names, or by their EXIF."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from runtime.errors import ImageError
from runtime.sources.exif import read_exif
from runtime.sources.picture import opened_picture

# 2018-08-05 01.00.44.480, 20180805_010044_480, 2018080501004480Z: hundredths may follow the seconds at once
_CALENDAR = re.compile(
    r"(?<!\d)(?P<date>20\d\d([-_.]?)\d\d\2\d\d)[-_T ]{0,3}(?P<clock>\d\d([-_.:]?)\d\d\4\d\d)"
    r"(?:(?P<glued>\d{1,9})|[.,](?P<dotted>\d{1,9})|[-_](?P<counted>\d{3}|\d{6}))?(?P<utc>Z)?(?!\d)"
)
_EPOCH = re.compile(r"(?<![\d.])(?P<whole>\d{10})(?:[._]?(?P<fraction>\d{3}|\d{6}|\d{9})|\.(?P<dotted>\d{1,9}))?(?!\d)")
_EPOCH_S = (1_000_000_000, 2_000_000_000)  # 2001 to 2033: beyond, the digits are those of a date
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PictureTime:
    """``t_ns`` since 1970, UTC, cut off to steps of ``step_s``."""

    t_ns: int
    step_s: float

    @property
    def middle_s(self) -> float:
        """The middle of the step: the instant that is most likely."""
        return self.t_ns * 1e-9 + self.step_s / 2


def time_in_name(name: str, counted: bool = True) -> PictureTime | None:
    """The time that a file's name without its ending holds, taken for UTC: a date with a time to the second or finer,
    or seconds, milli-, micro- or nanoseconds since 1970. ``counted``: three or six digits set apart are a fraction."""
    for found in _CALENDAR.finditer(name):
        digits = found["glued"] or found["dotted"] or (found["counted"] if counted else "") or ""
        stamp = re.sub(r"\D", "", found["date"]) + re.sub(r"\D", "", found["clock"])
        try:
            second = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
        except ValueError:
            continue
        return _time(int(second.timestamp()), digits)
    for found in _EPOCH.finditer(name):
        if _EPOCH_S[0] <= int(found["whole"]) < _EPOCH_S[1]:
            return _time(int(found["whole"]), found["fraction"] or found["dotted"] or "")
    return None


def times_of(paths: Sequence[Path]) -> dict[Path, PictureTime]:
    """The pictures that have a time, by one clock for all: their names', or their EXIF's where more have one, or finer
    ones. A clock that counts whole seconds is right to a second only."""
    counted = not _count_on([path.stem for path in paths])
    by_name = _dated(paths, lambda path: time_in_name(path.stem, counted))
    if paths and len(by_name) == len(paths) and _finest_s(by_name) < 1.0:
        return by_name
    by_exif = _dated(paths, _time_in_exif)
    if by_exif and any(time.t_ns % _SECOND_NS for time in by_exif.values()):
        by_exif = {path: PictureTime(time.t_ns, 0.01) for path, time in by_exif.items()}
    best = max(by_name, by_exif, key=lambda times: (len(times), -_finest_s(times)))
    return best


def _time(second: int, digits: str) -> PictureTime:
    fraction_ns = int(digits.ljust(9, "0")) if digits else 0
    return PictureTime(second * _SECOND_NS + fraction_ns, 10.0 ** -len(digits))


def _count_on(names: Sequence[str]) -> bool:
    """Whether the digits set apart count the pictures, as they do that rise by one from each to the next."""
    numbers = [int(found["counted"]) for name in names if (found := _CALENDAR.search(name)) and found["counted"]]
    steps = [b - a for a, b in zip(numbers[:-1], numbers[1:], strict=True)]
    return bool(steps) and all(step == 1 for step in steps)


def _dated(paths: Sequence[Path], read: Callable[[Path], PictureTime | None]) -> dict[Path, PictureTime]:
    return {path: time for path in paths if (time := read(path)) is not None}


def _time_in_exif(path: Path) -> PictureTime | None:
    try:
        with opened_picture(path) as image:
            t_ns = read_exif(image).t_ns
    except ImageError:  # it is told where its pixels are read
        return None
    return None if t_ns is None else PictureTime(t_ns, 1.0)


def _finest_s(times: dict[Path, PictureTime]) -> float:
    return min((time.step_s for time in times.values()), default=float("inf"))
