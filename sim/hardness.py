"""How hard a world is: 200 drone views against a pool of 500 satellite crops, by three known methods.

A world is accepted when SIFT with a robust homography is right on at most 10 %, grey-level correlation has R@1 of at
most 20 %, and the pooled last layer of an ImageNet network has R@1 between 0.45 and 0.75: neither matching pixels nor
recognising kinds of places is enough, and the places are not indistinguishable either.

An answer is right when the place it names lies within half a crop's side of the true ground point.

    python -m sim.hardness --seed 100000 --network lite0.onnx
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table

from runtime.errors import BundleError, HomingError, UsageError
from sim.galleries import Gallery, drone_gallery, grid, satellite_gallery, scattered
from sim.world.geotiff import GeoTiffWorld
from sim.world.world import AnyWorld, World

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


@dataclass(frozen=True, slots=True)
class HardnessReport:
    """Shares of right answers; `pooled` is None when no network was given, and then nothing is accepted."""

    sift: float
    correlation: float
    pooled: float | None
    pairs: int
    pool: int

    @property
    def accepted(self) -> bool:
        """Whether a world with these figures may be used."""
        if self.pooled is None:
            return False
        in_range = POOLED_RANGE[0] <= self.pooled <= POOLED_RANGE[1]
        return self.sift <= SIFT_MOST and self.correlation <= CORRELATION_MOST and in_range


def galleries(world: AnyWorld, seed: int = 0, pairs: int = PAIRS, pool: int = POOL) -> tuple[Gallery, Gallery]:
    """(drone queries off the grid, pool of satellite crops on it) over the same part of a world."""
    places = grid(world, STRIDE_M, SIDE_M, pool)
    if len(places) < pool:  # a small map: a finer grid
        places = grid(world, STRIDE_M * (len(places) / pool) ** 0.5 * 0.95, SIDE_M, pool)
    reach = float(np.abs(places).max())
    queries = scattered(world, pairs, SIDE_M, seed, reach)
    return drone_gallery(world, queries, SIDE_M, seed=seed), satellite_gallery(world, places, SIDE_M)


def measure(pairs: Gallery, pool: Gallery, embed: Embed | None) -> HardnessReport:
    """All three methods on drone queries against a pool of satellite crops."""
    correlation = recall_at_1(grey_similarity(pairs.images, pool.images), pairs, pool)
    pooled = None
    if embed is not None:
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


def network(path: Path, output: str = "pooled") -> Embed:
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
    out = Table("world", "SIFT (max 0.10)", "grey correlation R@1 (max 0.20)", "pooled R@1 (0.45 to 0.75)", "accepted")
    for name, r in rows:
        pooled = "not measured" if r.pooled is None else f"{r.pooled:.3f}"
        out.add_row(name, f"{r.sift:.3f}", f"{r.correlation:.3f}", pooled, "yes" if r.accepted else "NO")
    return out


def main(
    seed: Annotated[list[int], typer.Option(help="seed of a world; may be given several times")],
    network_file: Annotated[Path | None, typer.Option("--network", help="ONNX file with an output `pooled`")] = None,
    world: Annotated[str, typer.Option(help="`procedural`, or a GeoTIFF")] = "procedural",
) -> None:
    """Measure worlds and print the table; exit status 3 when one is not accepted."""
    console = Console(width=120)
    try:
        if not seed:
            raise UsageError("no seed was given: use --seed N.")
        embed = network(network_file) if network_file else None
        rows = []
        for number in seed:
            place: AnyWorld = World.generate(number) if world == "procedural" else GeoTiffWorld.open(world, number)
            rows.append((f"{world} {number}", measure(*galleries(place), embed)))
    except HomingError as error:
        Console(stderr=True).print(str(error))
        raise SystemExit(error.exit_status) from None
    console.print(table(rows))
    raise SystemExit(0 if all(report.accepted for _, report in rows) else 3)


if __name__ == "__main__":
    typer.run(main)
