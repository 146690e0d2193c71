"""DenseUAV: University-1652's layout, with dense neighbouring places and the position of every picture.

Dai, Zheng, Feng and others, "Vision-based UAV self-positioning in low-altitude urban environments", TIP 2024. The
positions are lines of ``Dense_GPS_*.txt``: a path, E and the longitude, N and the latitude, the height.
"""

from __future__ import annotations

from pathlib import Path

from runtime.errors import UsageError
from runtime.values import GeoPoint
from train.data.university import University


def dense_uav(root: Path) -> tuple[University, dict[str, GeoPoint]]:
    """The pictures, and where each place is.

    Raises:
        UsageError: the folder is not laid out like DenseUAV, or a line of its positions cannot be read.
    """
    university = University.open(root)
    files = sorted(root.glob("Dense_GPS_*.txt"))
    if not files:
        raise UsageError(f"{root} is not laid out like DenseUAV: it has no Dense_GPS_*.txt.")
    positions: dict[str, GeoPoint] = {}
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                place, point = _parsed(line, f"{file} line {number}")
                positions[place] = point
    return university, positions


def _parsed(line: str, where: str) -> tuple[str, GeoPoint]:
    try:
        path, east, north, *_ = line.split()
        if not (east[0] == "E" and north[0] == "N"):
            raise ValueError("no E and N")
        return Path(path.replace("\\", "/")).parent.name, GeoPoint(float(north[1:]), float(east[1:]))
    except (ValueError, IndexError):
        raise UsageError(f"{where} is no position: it must read path, E longitude, N latitude, height.") from None
