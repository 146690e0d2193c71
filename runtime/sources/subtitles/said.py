"""What one subtitle says: its fields by the names that the makers give them, not yet interpreted across the file.

- bracketed keys (Mavic 2 and later): ``[latitude: 46.84] [longtitude: -91.99] [rel_alt: 39.8 abs_alt: 198.3]
  [gb_yaw: 45.0 gb_pitch: -89.9 gb_roll: 0.0] [focal_len: 24.00] [dzoom_ratio: 1.00]``
- one line (Phantom 4, Mavic Air, Mini): ``F/2.8, SS 60, ..., GPS (-91.99, 46.84, 15), HOME (...), D 12.1m, H 39.8m``,
  some with ``RTK (...)`` for ``GPS (...)`` and ``F.PRY (1.0, -3.7, -59.0), G.PRY (-89.9, 0.0, 45.0)``
- two lines (Mavic Pro, Spark; Phantom 3, Inspire): ``HOME(...) GPS(-91.99,46.84,15) BAROMETER:39.8``, or ``Hb:39.8``
- Matrice 300 with an XT2: ``GPS(46.84,-91.99,0.0M) BAROMETER:39.8M``
- Autel: ``HOME(W: 91.99, N: 46.84) GPS(W: 91.99, N: 46.84, 39.80m) F.PRY (...), G.PRY (...)``

Samples of each are in the public parsers JuanIrache/DJI_SRT_Parser, CallMarcus/dji-drone-metadata-embedder,
PhilipQuirke/SkyCombAnalystHelp and lcabon258's converter of Autel's.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

_N = r"([-+]?\d+(?:\.\d+)?)"
_KEYED = re.compile(  # a whole number, no half of 1/60, 46°50'21" or 5.1e-05; and the hemisphere or feet after it
    r"(?<![Hh]ome )(?<!HOME )\b([A-Za-z][A-Za-z_]*)\s*:\s*([-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?)"
    r"(?![\d.,eE+-]*(?:/|\s*°\s*\d))(?:\s*°?\s*([NSEWnsew]|[Nn]orth|[Ss]outh|[Ee]ast|[Ww]est|ft|feet)\b)?"
)
_PAIR = re.compile(rf"\b(?:GPS|RTK)\s*\(\s*{_N}\s*,\s*{_N}\s*(?:,\s*([^)]*?)\s*)?\)")
_LETTERED = re.compile(rf"\bGPS\s*\(\s*([NSEW])\s*:\s*{_N}\s*°?\s*,\s*([NSEW])\s*:\s*{_N}")
_HOME = re.compile(r"\bHOME\s*\(\s*[-+\d]")
_ONE_LINE = re.compile(r"\bF/\d|\bSS\s+\d")
_BAROMETER = re.compile(rf"\bBAROMETER\s*\(\s*{_N}")
_HEIGHT = re.compile(rf"\bH\s+{_N}\s*m\b")
_GIMBAL = re.compile(rf"\bG\.PRY\s*\(\s*{_N}[^,)]*,\s*{_N}[^,)]*,\s*{_N}")
_ZOOM = re.compile(rf"\bDZOOM\s+{_N}")
_AIR_2 = re.compile(r"\bSrtCnt\b.{0,99}?:\d\d,\d{3},\d{3}\b", re.DOTALL)  # by its counter and its clock of two commas
_ABOVE_TAKEOFF = ("rel_alt", "barometer", "hb")  # Hs is a sonar's
_NAMED = (("latitude", "longitude"), ("latitude", "longtitude"), ("lat", "lon"), ("lat", "lng"), ("lat", "long"))
_MOST_HEIGHT_M = 20_000.0  # above or below anything: what is beyond is no height


@dataclass(frozen=True, slots=True)
class Pair:
    """``GPS(first, second, third)``, of which the dialect says which is the latitude."""

    first: float
    second: float
    third: str


@dataclass(frozen=True, slots=True)
class Said:
    """The fields of one subtitle at ``t_s`` of the video; None where it does not have them.

    ``named_deg`` is (latitude, longitude) where the subtitle itself says which is which, ``pair`` where it does not;
    ``decimals`` are those of either. ``gimbal_deg`` is (yaw, pitch, roll). ``focal`` and ``zoom`` are as written.
    ``home`` and ``one_line`` tell dialects apart, and so does ``misspelt``: longtitude.
    """

    t_s: float
    named_deg: tuple[float, float] | None = None
    pair: Pair | None = None
    decimals: int = 0
    height_takeoff_m: float | None = None
    altitude_amsl_m: float | None = None
    gimbal_deg: tuple[float, float, float] | None = None
    focal: str | None = None
    zoom: str | None = None
    home: bool = False
    one_line: bool = False
    misspelt: bool = False


def said_of(t_s: float, text: str) -> Said:
    """The fields of one subtitle's text."""
    keyed = _keyed(text)
    named, pair, decimals = _position(text, keyed)
    zoom = _ZOOM.search(text)
    return Said(
        t_s,
        named_deg=named,
        pair=pair,
        decimals=decimals,
        height_takeoff_m=_height(text, keyed),
        altitude_amsl_m=_altitude(keyed),
        gimbal_deg=_gimbal(text, keyed),
        focal=keyed.get("focal_len"),
        zoom=keyed.get("dzoom_ratio") or keyed.get("dzoom") or (zoom[1] if zoom else None),
        home=_HOME.search(text) is not None,
        one_line=_ONE_LINE.search(text) is not None,
        misspelt="longtitude" in keyed,
    )


def _keyed(text: str) -> dict[str, str]:
    """Numbers by their keys, the first of each; a decimal comma as a point, a hemisphere's letter as the sign. What is
    in feet is none of them."""
    found: dict[str, str] = {}
    for key, number, after in _KEYED.findall(text):
        key, number = key.lower(), number.replace(",", ".")
        if (key[:3], after[:1].upper()) in (("lat", "S"), ("lon", "W"), ("lng", "W")):
            number = "-" + number.lstrip("+-")
        if not after.startswith("f"):
            found.setdefault(key, number)
    return found


def _position(text: str, keyed: dict[str, str]) -> tuple[tuple[float, float] | None, Pair | None, int]:
    for names in _NAMED:
        latitude, longitude = (keyed.get(name) for name in names)
        if latitude is not None and longitude is not None:
            return (float(latitude), float(longitude)), None, _decimals(latitude, longitude)
    if (match := _LETTERED.search(text)) is not None:
        axes = {"lat" if letter in "NS" else "lon": _signed(letter, number) for letter, number in _two(match)}
        if len(axes) == 2:
            return (axes["lat"], axes["lon"]), None, _decimals(match[2], match[4])
    if (match := _PAIR.search(text)) is not None:
        return None, Pair(float(match[1]), float(match[2]), match[3] or ""), _decimals(match[1], match[2])
    return None, None, 0


def _two(match: re.Match[str]) -> list[tuple[str, str]]:
    return [(match[1], match[2]), (match[3], match[4])]


def _signed(letter: str, number: str) -> float:
    return -abs(float(number)) if letter in "SW" else float(number)


def _decimals(*numbers: str) -> int:
    return max(max(0, -int(Decimal(number).as_tuple().exponent)) for number in numbers)


def _altitude(keyed: dict[str, str]) -> float | None:
    """Above the sea: ``abs_alt``, or the lone ``altitude`` of the generation that spells longtitude (a Mavic 2 writes
    214 m over Lahore)."""
    lone = keyed.get("altitude") if "longtitude" in keyed else None
    return _metres(keyed.get("abs_alt", lone))


def _height(text: str, keyed: dict[str, str]) -> float | None:
    """Above take-off; a lone ``altitude`` only of the Air 2 (27 m over a hill of 200) and 2S: others write one above
    the sea, or in tens of metres, under the same name."""
    if "altitude" in keyed and "longtitude" not in keyed and _AIR_2.search(text) is not None:
        return _metres(keyed["altitude"])
    for key in _ABOVE_TAKEOFF:
        if key in keyed:
            return _metres(keyed[key])
    match = _BAROMETER.search(text) or _HEIGHT.search(text)
    return None if match is None else _metres(match[1])


def _gimbal(text: str, keyed: dict[str, str]) -> tuple[float, float, float] | None:
    if "gb_yaw" in keyed and "gb_pitch" in keyed:
        yaw, pitch, roll = float(keyed["gb_yaw"]), float(keyed["gb_pitch"]), float(keyed.get("gb_roll", "0"))
    elif (match := _GIMBAL.search(text)) is not None:
        pitch, roll, yaw = float(match[1]), float(match[2]), float(match[3])
    else:
        return None
    if not all(abs(angle) <= 360.0 for angle in (yaw, pitch, roll)):
        return None
    return None if yaw == pitch == roll == 0.0 else (yaw, pitch, roll)  # zeros: by cameras that do not know


def _metres(number: str | None) -> float | None:
    if number is None:
        return None
    metres = float(number)
    return metres if math.isfinite(metres) and abs(metres) <= _MOST_HEIGHT_M else None
