"""How far below the horizon a stabilised camera looks, where no file says it, from overlaps alone.

Laid on level ground by the right pitch, two views of the same ground are a similarity; by a wrong one they are bent as
far as the camera moved or turned between them. One pitch is sought for all photos, their roll being taken for none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel, body_from_mount
from runtime.survey.overlaps import Overlap, ground_misfit
from runtime.survey.rays import Look

NADIR_DEG = -90.0
_STEP_DEG, _FINE_DEG = 5.0, 1.0  # of the pitches tried
_FLATTEST_DEG = -25.0  # 65 degrees off straight down: beyond it most of the view lies near the horizon
_LEAST_MOVED = 0.03  # of the focal length: views that did not move fit by any pitch
_MOST_PAIRS = 80  # of overlaps: more say no more
_LEAST_PAIRS = 6
_OBLIQUE_DEG = 15.0  # nearer to straight down a copter's own tilt explains what is seen
_BETTER = 0.7  # of the misfit straight down: otherwise nothing speaks for another pitch
_MOST_MISFIT_RAD = 0.05  # of a pair: more, or nothing below the horizon, is a pair that does not fit
_ROUNDS = 20  # of the bootstrap
_LEAST_SIGMA_DEG = 1.0  # slopes and roll, which are left out


@dataclass(frozen=True, slots=True)
class Pitch:
    """The solved ``deg`` (-90: straight down) with its 1-sigma, from ``pairs`` overlaps."""

    deg: float
    sigma_deg: float
    pairs: int

    def sentence(self) -> str:
        """For people."""
        return (
            f"The camera's pitch is not recorded: {self.pairs} overlaps show it looking {-self.deg:.0f} ± "
            f"{self.sigma_deg:.0f} deg below the horizon; --camera-pitch-deg says better."
        )

    def mounted(self, camera: CameraModel) -> CameraModel:
        """The camera, looking so."""
        return replace(camera, body_from_camera=body_from_mount(self.deg))


def solved_pitch(cameras: Sequence[CameraModel], overlaps: Sequence[Overlap]) -> Pitch | None:
    """The pitch that makes overlaps similar on level ground; None where straight down explains them as well, or there
    are too few.

    Args:
        cameras: one per photo; how they are mounted is not looked at.
        overlaps: with all points that agree, as `runtime.survey.overlaps.matched` finds them.
    """
    moved = [one for one in overlaps if _moved(one, cameras[one.first])]
    chosen = moved[:: -(-len(moved) // _MOST_PAIRS)] if moved else []
    if len(chosen) < _LEAST_PAIRS:
        return None
    coarse = np.arange(NADIR_DEG, _FLATTEST_DEG + 0.1, _STEP_DEG)
    misfits = _misfits(coarse, cameras, chosen)
    best = float(coarse[int(misfits.mean(axis=1).argmin())])
    if best - NADIR_DEG < _OBLIQUE_DEG or misfits.mean(axis=1).min() > _BETTER * misfits[0].mean():
        return None
    fine = best + np.arange(-_STEP_DEG, _STEP_DEG + 0.1, _FINE_DEG)
    misfits = _misfits(fine, cameras, chosen)
    drawn = np.random.default_rng(1).integers(0, len(chosen), (_ROUNDS, len(chosen)))
    found = np.array([_lowest(fine, misfits[:, some].mean(axis=1)) for some in drawn])
    return Pitch(_lowest(fine, misfits.mean(axis=1)), max(float(found.std()), _LEAST_SIGMA_DEG), len(chosen))


def _moved(overlap: Overlap, camera: CameraModel) -> bool:
    moved_px = float(np.median(np.linalg.norm(overlap.first_px - overlap.second_px, axis=1)))
    return moved_px > _LEAST_MOVED * camera.fx_px


def _misfits(
    pitches_deg: NDArray[np.float64], cameras: Sequence[CameraModel], overlaps: Sequence[Overlap]
) -> NDArray[np.float64]:
    """(P, N) misfits in radians by each of (P,) pitches."""
    rows = []
    for pitch_deg in pitches_deg:
        mount = body_from_mount(float(pitch_deg))
        looks = [Look(replace(camera, body_from_camera=mount), (1.0, 0.0, 0.0, 0.0)) for camera in cameras]
        found = [ground_misfit(looks[o.first], looks[o.second], o.first_px, o.second_px)[0] for o in overlaps]
        rows.append(np.minimum(found, _MOST_MISFIT_RAD))
    return np.array(rows)


def _lowest(at_deg: NDArray[np.float64], misfits: NDArray[np.float64]) -> float:
    """The vertex of the parabola through the lowest misfit and its neighbours."""
    k = int(np.clip(misfits.argmin(), 1, len(at_deg) - 2))
    before, here, after = misfits[k - 1 : k + 2]
    curve = before - 2 * here + after
    shift = 0.5 * (before - after) / curve if curve > 1e-12 else 0.0
    return float(at_deg[k] + math.copysign(min(abs(shift), 1.0), shift) * (at_deg[1] - at_deg[0]))
