"""The triangles of a scene as the compiled loops take them: by part, with what tells early that a part is not met."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim.world.meshes import Mesh, Surface

Array = npt.NDArray[np.float32]
Index = npt.NDArray[np.int32]


class Solids(NamedTuple):
    """F triangles in P parts, each part's triangles in one run; NED metres."""

    triangles: Array  # (F, 3, 3)
    normals: Array  # (F, 3) unit, of either side
    first: Index  # (P + 1,) the triangles of part p are first[p] to first[p + 1]
    spheres: Array  # (P, 4) centre and radius of a sphere around each part
    part: Index  # (F,)
    colour: Array  # (P, 3) RGB 0..1
    surface: npt.NDArray[np.uint8]  # (P,) Surface
    centre: Array  # (P, 3) of a crown
    closed: npt.NDArray[np.bool_]  # (P,) whose triangles, wound outwards, leave no way in from above


def solids_of(mesh: Mesh) -> Solids:
    """The solids of a mesh, whose parts are numbered in the order of their triangles."""
    first = np.searchsorted(mesh.part, np.arange(len(mesh.colour) + 1)).astype(np.int32)
    corners = mesh.triangles.reshape(-1, 3)
    low, high = (ufunc.reduceat(corners, first[:-1] * 3) for ufunc in (np.minimum, np.maximum))
    middle = (low + high) / 2
    radius = np.linalg.norm(high - low, axis=1, keepdims=True) / 2
    a, b, c = (mesh.triangles[:, i] for i in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return Solids(
        np.ascontiguousarray(mesh.triangles),
        normals,
        first,
        np.hstack([middle, radius]).astype(np.float32),
        np.ascontiguousarray(mesh.part),
        np.ascontiguousarray(mesh.colour),
        np.ascontiguousarray(mesh.surface),
        np.ascontiguousarray(mesh.centre),
        mesh.surface == Surface.CROWN,
    )
