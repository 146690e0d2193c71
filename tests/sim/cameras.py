"""How the cameras of the simulator's tests look."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def nadir(yaw_rad: float = 0.0) -> NDArray[np.float64]:
    """(3, 3) ned_from_camera of a camera looking straight down, the image's top towards yaw."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    return np.array([[-s, -c, 0.0], [c, -s, 0.0], [0.0, 0.0, 1.0]])
