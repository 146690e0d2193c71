"""How hard a world is: 200 drone views against a pool of 500 satellite crops, by three known methods.

A world is accepted when SIFT with a robust homography is right on at most 10 %, grey-level correlation has R@1 of at
most 20 %, and the pooled last layer of an ImageNet network has R@1 between 0.45 and 0.75: neither matching pixels nor
recognising kinds of places is enough, and the places are not indistinguishable either.

An answer is right when the place it names lies within half a crop's side of the true ground point. The network is a
file that `export/pooled.py` writes. `homing-sim hardness --seed N` prints the figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rich.table import Table

from runtime.errors import BundleError, UsageError
from sim.galleries import Gallery, drone_gallery, grid, satellite_gallery, scattered
from sim.world.world import AnyWorld

Images = npt.NDArray[np.uint8]  # (N, S, S, 3) RGB
Floats = npt.NDArray[np.float32]
Embed = Callable[[Images], Floats]  # (N, S, S, 3) uint8 to (N, D) float32

PAIRS, POOL = 200, 500
SIDE_M, STRIDE_M = 90.0, 35.0
SIFT_MOST, CORRELATION_MOST, POOLED_RANGE = 0.10, 0.20, (0.45, 0.75)
_CORRELATION_PX = 32  # crops are averaged down to this before they are correlated: finer is no better
_SIFT_RATIO = 0.8  # Lowe's test
_SIFT_INLIERS = 10  # fewer than this is not a match
_SIFT_ERROR_PX = 3.0
_NETWORK_PX = 224
_BATCH = 16
_NETWORK = Path(__file__).parent / "pooled.onnx"  # EfficientNet-Lite0, ImageNet


@dataclass(frozen=True, slots=True)
class HardnessReport:
    """Shares of right answers among `pairs` drone views in a pool of `pool` crops."""

    sift: float
    correlation: float
    pooled: float
    pairs: int
    pool: int
    dates: int = 0  # which of the world's pairs of dates; see `sim.world.dates.make_date`

    @property
    def accepted(self) -> bool:
        """Whether a world with these figures may be used."""
        in_range = POOLED_RANGE[0] <= self.pooled <= POOLED_RANGE[1]
        return self.sift <= SIFT_MOST and self.correlation <= CORRELATION_MOST and in_range

    def __str__(self) -> str:
        return (
            f"SIFT {self.sift:.3f} (at most {SIFT_MOST:.2f}), grey correlation {self.correlation:.3f} "
            f"(at most {CORRELATION_MOST:.2f}), pooled last layer {self.pooled:.3f} "
            f"({POOLED_RANGE[0]:.2f} to {POOLED_RANGE[1]:.2f}): {'' if self.accepted else 'not '}accepted"
        )

    def as_json(self) -> dict[str, Any]:
        """For the commands' ``--json``."""
        return {**asdict(self), "accepted": self.accepted}


def hardness(world: AnyWorld) -> HardnessReport:
    """The whole measurement of a world, with the network that comes with the simulator."""
    return measure(*galleries(world), network())


def galleries(world: AnyWorld, seed: int = 0, pairs: int = PAIRS, pool: int = POOL) -> tuple[Gallery, Gallery]:
    """(drone queries off the grid, pool of satellite crops on it) over the same part of a world.

    Raises:
        UsageError: the world is too small for places that differ.
    """
    if world.size_m < 1.5 * SIDE_M:
        raise UsageError(f"the world is {world.size_m:.0f} m wide; take one of at least {1.5 * SIDE_M:.0f} m.")
    places = grid(world, STRIDE_M, SIDE_M, pool)
    if len(places) < pool:  # a small map: a finer grid
        places = grid(world, STRIDE_M * (len(places) / pool) ** 0.5 * 0.95, SIDE_M, pool)
    reach = float(np.abs(places).max())
    queries = scattered(world, pairs, SIDE_M, seed, reach)
    return drone_gallery(world, queries, SIDE_M, seed=seed), satellite_gallery(world, places, SIDE_M)


def measure(pairs: Gallery, pool: Gallery, embed: Embed) -> HardnessReport:
    """All three methods on drone queries against a pool of satellite crops."""
    correlation = recall_at_1(grey_similarity(pairs.images, pool.images), pairs, pool)
    pooled = recall_at_1(_unit(embed(pairs.images)) @ _unit(embed(pool.images)).T, pairs, pool)
    return HardnessReport(sift_share(pairs, pool), correlation, pooled, len(pairs.images), len(pool.images))


def recall_at_1(similarity: Floats, queries: Gallery, pool: Gallery) -> float:
    """Share of queries whose most similar pool crop lies within half a side; similarity (queries, pool)."""
    best = pool.places_ne_m[similarity.argmax(axis=1)]
    return float((np.linalg.norm(best - queries.places_ne_m, axis=1) <= pool.side_m / 2).mean())


def grey_similarity(queries: Images, pool: Images) -> Floats:
    """Normalised cross-correlation of small grey images, (queries, pool)."""
    return np.asarray(_grey_vectors(queries) @ _grey_vectors(pool).T, np.float32)


def _grey_vectors(images: Images) -> Floats:
    size = (_CORRELATION_PX, _CORRELATION_PX)
    small = [cv2.resize(cv2.cvtColor(i, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA) for i in images]
    flat = np.stack(small).reshape(len(images), -1).astype(np.float32)
    return _unit(flat - flat.mean(axis=1, keepdims=True))


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)


def sift_share(queries: Gallery, pool: Gallery) -> float:
    """Share of queries that SIFT places rightly on the pool crop nearest to the truth.

    The choice of the crop is given away: this is the best that SIFT could do behind a perfect retrieval.
    """
    right = 0
    for image, place in zip(queries.images, queries.places_ne_m, strict=True):
        nearest = int(np.argmin(np.linalg.norm(pool.places_ne_m - place, axis=1)))
        found = sift_place(image, pool.images[nearest], pool.places_ne_m[nearest], pool.side_m)
        right += found is not None and bool(np.linalg.norm(found - place) <= pool.side_m / 2)
    return right / max(1, len(queries.images))


def sift_place(
    query: npt.NDArray[np.uint8],
    crop: npt.NDArray[np.uint8],
    crop_ne_m: npt.NDArray[np.float64],
    side_m: float,
) -> npt.NDArray[np.float64] | None:
    """(north, east) where a homography by SIFT and MAGSAC puts the query's centre; None without enough inliers."""
    sift = cv2.SIFT_create()  # type: ignore[attr-defined, unused-ignore]
    points_q, features_q = sift.detectAndCompute(cv2.cvtColor(query, cv2.COLOR_RGB2GRAY), None)
    points_c, features_c = sift.detectAndCompute(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), None)
    if features_q is None or features_c is None or len(points_c) < 2:
        return None
    two = cv2.BFMatcher().knnMatch(features_q, features_c, k=2)
    good = [a for a, b in two if a.distance < _SIFT_RATIO * b.distance]
    if len(good) < _SIFT_INLIERS:
        return None
    source = np.array([points_q[m.queryIdx].pt for m in good], np.float32)
    target = np.array([points_c[m.trainIdx].pt for m in good], np.float32)
    homography, inliers = cv2.findHomography(source, target, cv2.USAC_MAGSAC, _SIFT_ERROR_PX)
    if homography is None or int(inliers.sum()) < _SIFT_INLIERS:
        return None
    half = query.shape[0] / 2
    x, y = cv2.perspectiveTransform(np.array([[[half, half]]], np.float32), homography.astype(np.float32))[0, 0]
    metres = side_m / crop.shape[0]
    shift = np.array([(crop.shape[0] / 2 - y) * metres, (x - crop.shape[1] / 2) * metres])
    return np.asarray(crop_ne_m + shift, np.float64)


def network(path: Path = _NETWORK, output: str = "pooled") -> Embed:
    """An embedder from an ONNX file that takes uint8 NHWC RGB and has an output of that name, (N, D).

    Raises:
        BundleError: the file cannot be loaded, or has no such output.
    """
    import onnxruntime  # type: ignore[import-untyped, unused-ignore]  # kept out of the import of this module, which the galleries' users need not pay for

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own, undocumented classes
        raise BundleError(f"{path} cannot be loaded as an ONNX network: {error}.") from error
    if output not in [o.name for o in session.get_outputs()]:
        raise BundleError(f"{path} has no output named '{output}': export it with the pooled last layer.")
    name = session.get_inputs()[0].name

    def embed(images: Images) -> Floats:
        size = (_NETWORK_PX, _NETWORK_PX)
        small = np.stack([cv2.resize(i, size, interpolation=cv2.INTER_AREA) for i in images])
        parts = [session.run([output], {name: small[i : i + _BATCH]})[0] for i in range(0, len(small), _BATCH)]
        return np.concatenate(parts)

    return embed


def table(rows: list[tuple[str, HardnessReport]]) -> Table:
    """The figures of some worlds, to be printed."""
    most = f"SIFT (max {SIFT_MOST:.2f})", f"grey correlation R@1 (max {CORRELATION_MOST:.2f})"
    out = Table("world", "dates", *most, f"pooled R@1 ({POOLED_RANGE[0]:.2f} to {POOLED_RANGE[1]:.2f})", "accepted")
    for name, r in rows:
        figures = (f"{value:.3f}" for value in (r.sift, r.correlation, r.pooled))
        out.add_row(name, str(r.dates), *figures, "yes" if r.accepted else "NO")
    return out
