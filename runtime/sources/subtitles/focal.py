"""How long the lens was while it filmed: focal length and digital zoom of subtitles, through their spellings."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.sources.subtitles.said import Said

_TENTHS_FROM = 70.0  # a whole number below is no tenth: 7 mm is wider than any lens that is not a fisheye
_FOCAL_MM = (7.0, 5000.0)  # 35 mm equivalents with zoom
_ZOOM_TEN_THOUSANDTHS_FROM = 10_000  # how whole numbers spell a ratio: 17871 is 1.7871
_MOST_ZOOM = 250.0
_ZOOMED = 1.005  # a ratio from here on is no rounding of 1
_SAME = 1.01  # two focal lengths of one setting, by their rounding
_CHANGING = 1.02  # between two subtitles: the zoom moves, and no frame between them has a known lens
# 35 mm equivalents at the ends of the makers' optical ranges, from their data sheets, in mm.
_OPTICAL_MM = (20.0, 22.4, 24.0, 25.0, 28.0, 40.0, 48.0, 52.0, 53.0, 58.0, 70.0, 113.0, 162.0, 166.0, 168.0, 405.0)


@dataclass(frozen=True, slots=True)
class Setting:
    """A lens as one subtitle writes it: 35 mm equivalent and digital zoom."""

    t_s: float
    focal_mm: float
    zoom: float


@dataclass(frozen=True, slots=True)
class FocalTrack:
    """35 mm equivalent focal lengths, digital zoom included, over the video's time; empty where none is written.

    ``unclear`` is a sentence where what is written can be read in two ways.
    """

    times_s: tuple[float, ...] = ()
    focal_mm: tuple[float, ...] = ()
    unclear: str = ""

    def at(self, t_s: float) -> float | None:
        """At an instant; None while the zoom changes, or where nothing is written."""
        if not self.times_s:
            return None
        high = min(bisect_left(self.times_s, t_s), len(self.times_s) - 1)
        low = high if self.times_s[high] <= t_s or high == 0 else high - 1
        before, after = self.focal_mm[low], self.focal_mm[high]
        if _ratio(before, after) > _CHANGING:
            return None
        return before if before == after else (before + after) / 2

    @property
    def changes(self) -> bool:
        """Whether the lens was zoomed while it filmed."""
        return bool(self.focal_mm) and _ratio(min(self.focal_mm), max(self.focal_mm)) > _CHANGING


def focal_track(said: Sequence[Said]) -> FocalTrack:
    """The focal lengths of a file's subtitles.

    Without decimals they are tenths of millimetres (Mavic 2, Air 2), with them millimetres (Mavic 3 and later). Some
    cameras count the digital zoom in, some do not: what varies tells, or the optics that the maker builds.
    """
    settings = [one for one in map(_setting, said) if one is not None]
    if not settings:
        return FocalTrack()
    included = _zoom_included(settings)
    if included is None:
        most = max(settings, key=lambda one: one.zoom)
        unclear = f"its focal_len {most.focal_mm:g} may or may not count in its zoom of {most.zoom:g}"
        return FocalTrack(unclear=unclear)
    times = tuple(one.t_s for one in settings)
    return FocalTrack(times, tuple(one.focal_mm * (1.0 if included else one.zoom) for one in settings))


def _setting(said: Said) -> Setting | None:
    if said.focal is None:
        return None
    focal_mm = float(said.focal)
    if "." not in said.focal and focal_mm >= _TENTHS_FROM:
        focal_mm /= 10.0
    if not _FOCAL_MM[0] <= focal_mm <= _FOCAL_MM[1]:
        return None
    return Setting(said.t_s, focal_mm, _zoom(said.zoom))


def _zoom(written: str | None) -> float:
    """The ratio as a factor; 1 where it is not written or makes no sense."""
    if written is None:
        return 1.0
    zoom = float(written)
    if "." not in written and zoom >= _ZOOM_TEN_THOUSANDTHS_FROM:
        zoom /= 10_000.0
    return zoom if _ZOOMED < zoom <= _MOST_ZOOM else 1.0


def _zoom_included(settings: Sequence[Setting]) -> bool | None:
    """Whether focal lengths count the digital zoom in; None where that cannot be told."""
    zoomed = [one for one in settings if one.zoom > 1.0]
    if not zoomed:
        return True
    optical_mm = max((one.focal_mm for one in settings if one.zoom == 1.0), default=None)
    with_zoom = [one.focal_mm / one.zoom for one in zoomed]  # the optics, if it is counted in
    without = [one.focal_mm for one in zoomed]  # and if it is not
    if optical_mm is not None:  # digital zoom begins where the optical ends
        with_zoom.append(optical_mm)
        without.append(optical_mm)
    if _ratio(min(one.zoom for one in settings), max(one.zoom for one in settings)) > _CHANGING:
        included, left_out = _steady(with_zoom), _steady(without)
    else:
        included, left_out = _built(with_zoom[0]), _built(without[0])
    return None if included == left_out else included


def _steady(focal_mm: Sequence[float]) -> bool:
    return _ratio(min(focal_mm), max(focal_mm)) <= _CHANGING


def _built(focal_mm: float) -> bool:
    return any(_ratio(focal_mm, optical_mm) <= _SAME for optical_mm in _OPTICAL_MM)


def _ratio(a: float, b: float) -> float:
    return max(a, b) / min(a, b)
