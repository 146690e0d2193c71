"""SUES-200: 200 places, 50 drone views at each of four heights, one satellite view.

Zhu, Yin, Cui and others, "SUES-200: a multi-height multi-scene cross-view image benchmark", TCSVT 2023::

    drone_view_512/<place>/<height>/*.jpg      satellite-view/<place>/*.png
"""

from __future__ import annotations

from pathlib import Path

from runtime.errors import UsageError
from train.data.views import IMAGES, Picture, pictures_in

HEIGHTS_M = (150, 200, 250, 300)
TRAINING_PLACES = 120  # the paper splits 120 to 80; their lists of places are not in the folders
_DRONE, _SATELLITE = "drone_view_512", "satellite-view"


def sues200(root: Path, height_m: int) -> dict[str, list[Picture]]:
    """The drone pictures of one height and the satellite pictures, as ``drone`` and ``satellite``.

    Raises:
        UsageError: the folder is not laid out like SUES-200, or has no such height.
    """
    if not (root / _DRONE).is_dir():
        raise UsageError(f"{root} is not laid out like SUES-200: it has no {_DRONE}/.")
    if height_m not in HEIGHTS_M:
        raise UsageError(f"SUES-200 has no height of {height_m} m: choose {', '.join(map(str, HEIGHTS_M))}.")
    drone = [
        Picture(path, place.name)
        for place in sorted((root / _DRONE).iterdir())
        for path in sorted((place / str(height_m)).glob("*"))
        if path.suffix.lower() in IMAGES
    ]
    if not drone:
        raise UsageError(f"{root / _DRONE} holds no picture at {height_m} m.")
    return {"drone": drone, "satellite": pictures_in(root / _SATELLITE)}
