"""A subtitle file as texts with their times, whatever its encoding, numbering and line ends."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import TelemetryError

_MOST_BYTES = 64 << 20  # of a subtitle file: 47 minutes of sixty subtitles a second, half a gigabyte of memory
_MOST_CHARACTERS = 20_000  # of one subtitle: cameras in their makers' debugging mode write 3,000
_TIMES = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})\d*[ \t]*-->[^\n]*")
_TAG = re.compile(r"<[^<>]*>")
_MARKS = (  # UTF-32 before UTF-16: its mark begins with the other's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Subtitle:
    """One text, its HTML tags taken out, from ``t_s`` of the video on."""

    t_s: float
    text: str


def read_subtitles(path: Path) -> list[Subtitle]:
    """The subtitles of a file in their order, found by their lines of times alone: numbers may be wrong or missing, and
    a text may hold empty lines, as the Matrice 300's does.

    Raises:
        TelemetryError: it cannot be read, is empty, or no subtitle says its time.
    """
    text = _decoded(path)
    if not text.strip():
        raise TelemetryError(f"{path}: holds no subtitles.")
    found = list(_TIMES.finditer(text))
    if not found:
        raise TelemetryError(f"{path}: its subtitles carry no times, so nothing says which frame each belongs to.")
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [
        Subtitle(_seconds(match), _content(text[match.end() : min(end, match.end() + _MOST_CHARACTERS)]))
        for match, end in zip(found, ends, strict=True)
    ]


def _content(between: str) -> str:
    """What stands between two lines of times, without HTML tags and the number of the subtitle that follows."""
    content, _, last = between.rstrip().rpartition("\n")
    return _TAG.sub(" ", content if last.strip().isdecimal() else between)


def _seconds(match: re.Match[str]) -> float:
    hours, minutes, seconds, fraction = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) * 1e-3


def _decoded(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise TelemetryError(f"{path}: cannot be read ({error.strerror}).") from None
    if len(raw) > _MOST_BYTES:
        raise TelemetryError(f"{path}: too large for subtitles ({_MOST_BYTES >> 20} MB at most).")
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return _lines(raw[len(mark) :].decode(encoding, errors="replace"))
    head = raw[:200]
    if head.count(0) > len(head) // 3:  # UTF-16 without its mark: every other byte of a Latin text is zero
        return _lines(raw.decode("utf-16-be" if head[:1] == b"\x00" else "utf-16-le", errors="replace"))
    return _lines(raw.decode("utf-8", errors="replace"))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
