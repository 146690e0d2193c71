"""What a flat-field correction would gain: matches between a flight's pictures as they are and divided by their mean.

    python -m tests.bench.flat_field FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera.folder import image_files
from runtime.matching.rootsift import detect

_FEATURES, _CONTRAST, _RATIO, _GEOMETRY_PX = 800, 0.015, 0.85, 4.0
_SMOOTH_PX = 60.0  # of the mean picture: a vignette is smooth, the ground is not
_DEAD_LEVELS = 10.0  # of a pixel against its neighbours, in the median of all pictures

Grey = NDArray[np.uint8]


def main(folder: Path) -> None:
    """Prints the field, the pixels that stay as they are, and the matches both ways."""
    greys = [np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8) for path in image_files(folder)]
    field = cv2.GaussianBlur(np.mean([grey / grey.mean() for grey in greys], axis=0), (0, 0), _SMOOTH_PX)
    field = field / field.max()
    corners = [float(field[row, column]) for row in (0, -1) for column in (0, -1)]
    middle = float(field[field.shape[0] // 2, field.shape[1] // 2])
    print("field: corners", [round(corner, 2) for corner in corners], "middle", round(middle, 2))
    fixed = np.median([grey.astype(np.float32) - cv2.medianBlur(grey, 5) for grey in greys], axis=0)
    print("pixels that stay as they are:", int((np.abs(fixed) > _DEAD_LEVELS).sum()))
    for name, shown in (("as it is", greys), ("divided", [_divided(grey, field) for grey in greys])):
        found = [detect(grey, _FEATURES, _CONTRAST) for grey in shown]
        inliers = [_agreeing(*pair) for pair in zip(found, found[1:], strict=False)]
        print(f"{name}: {np.mean([len(points) for points, _ in found]):.0f} features, {sum(inliers)} agree: {inliers}")


def _divided(grey: Grey, field: NDArray[np.float64]) -> Grey:
    return np.asarray(np.clip(grey / field * field.mean(), 0, 255), np.uint8)


def _agreeing(first: tuple[NDArray[np.float32], ...], second: tuple[NDArray[np.float32], ...]) -> int:
    """How many matches one homography explains."""
    nearness = first[1] @ second[1].T
    rows, best = np.arange(len(nearness)), nearness.argmax(axis=1)
    top = nearness[rows, best]
    mutual = nearness.argmax(axis=0)[best] == rows
    nearness[rows, best] = -1.0
    kept = mutual & (1.0 - top < _RATIO**2 * (1.0 - nearness.max(axis=1)))
    if kept.sum() < 8:
        return 0
    mask = cv2.findHomography(first[0][kept], second[0][best[kept]], cv2.USAC_MAGSAC, _GEOMETRY_PX)[1]
    return 0 if mask is None else int(mask.sum())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
