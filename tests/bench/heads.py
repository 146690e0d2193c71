"""Which untrained head to fly: ``python -m tests.bench.heads [--seed N] [--queries N] [--gallery N]`` prints the table.

One simulated area, both ways: satellite crops looked up among drone views and drone views among satellite crops, all
north-up at one footprint, the drone's with the errors of a real pose. The gallery overlaps by three quarters along
the track and half across. Columns: R@1, a hit lying within half a crop's side; the median distance of the first hit,
and for maps after the translation found; R@1 with queries turned by 10 degrees; and *told apart*, the share of queries
whose best right similarity exceeds every query's best wrong one, because a place is accepted by a threshold.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.matching.alignment import align
from runtime.values import ViewKind
from runtime.view import turned
from sim.galleries import Gallery, drone_gallery, satellite_gallery, scattered, survey
from sim.world.world import World
from train.evaluate.protocol import normalised
from train.tower import unit
from train.weights import LITE0_LAST, LITE0_STRIDE_16, LITE0_STRIDE_32, lite0_imagenet

Array = NDArray[np.float32]
Crops = NDArray[np.uint8]
SIDE_M = 80.0
TURNED_RAD = np.radians(10.0)
NAMES = {LITE0_STRIDE_16: "stride 16", LITE0_STRIDE_32: "stride 32", LITE0_LAST: "last layer"}
WAYS = ("satellite → drone", "drone → satellite")


@dataclass(frozen=True, slots=True)
class Way:
    """One direction: queries of one view, their places, the same queries turned, and the other view's gallery."""

    query_view: ViewKind
    gallery_view: ViewKind
    queries: Crops
    turned_queries: Crops
    places_ne_m: NDArray[np.float64]
    gallery: Gallery


@dataclass(frozen=True, slots=True)
class Found:
    """Per query and gallery entry the similarity (Q, G), and the translation (Q, G, 2) north and east in metres."""

    similarity: Array
    shift_ne_m: Array


Head = Callable[[ViewKind, Crops], Array]  # (N, D) vectors or (N, C, h, w) maps


def ways(seed: int, queries: int, gallery: int) -> tuple[Way, Way]:
    """Both directions over one world."""
    world = World.generate(seed)
    half = np.sqrt(gallery * SIDE_M / 2 * SIDE_M / 4) / 2
    places = survey((-half, -half), (half, half), SIDE_M / 2, SIDE_M / 4)
    at = scattered(world, queries, SIDE_M, 1, half - 10.0)
    drone, satellite = (drone_gallery(world, places, SIDE_M, seed=1), satellite_gallery(world, places, SIDE_M))
    seen, pictured = (drone_gallery(world, at, SIDE_M, seed=2), satellite_gallery(world, at, SIDE_M))
    return (
        Way(ViewKind.SATELLITE, ViewKind.DRONE, pictured.images, _turned(pictured.images), at, drone),
        Way(ViewKind.DRONE, ViewKind.SATELLITE, seen.images, _turned(seen.images), at, satellite),
    )


def heads() -> Iterator[tuple[str, Head]]:
    """Every head compared, by name; the last two are what the default bundle ships, which is trained."""
    features = _Features()
    for depth, name in NAMES.items():
        yield f"{name}, pooled", features.cells(depth, 1)
        for count in (2, 3, 4):
            yield f"{name}, {count}x{count} cells", features.cells(depth, count)
            yield f"{name}, {count}x{count} cells centred on the crop", features.cells(depth, count, centred=True)
    for depth in (LITE0_STRIDE_16, LITE0_STRIDE_32):
        yield f"{NAMES[depth]}, map", features.grid(depth)
    embedder = Embedder(Bundle.load())
    shared = embedder.bundle.shared_dim
    yield "shipped vector", lambda view, crops: normalised(embedder.embed(view, crops).vectors[:, :shared])
    yield "shipped map", lambda view, crops: _maps(embedder, view, crops)


class _Features:
    """The backbone's features of the crops seen last: the heads that follow one another share them."""

    def __init__(self) -> None:
        self._backbone = lite0_imagenet(tuple(NAMES)).backbone.eval()
        self._known: dict[int, dict[int, Tensor]] = {}

    def __call__(self, crops: Crops) -> dict[int, Tensor]:
        if id(crops) not in self._known:
            with torch.inference_mode():
                parts = [self._backbone(torch.from_numpy(crops[i : i + 16])) for i in range(0, len(crops), 16)]
            self._known[id(crops)] = {depth: torch.cat([part[depth] for part in parts]) for depth in NAMES}
        return self._known[id(crops)]

    def cells(self, depth: int, count: int, centred: bool = False) -> Head:
        """count x count ordered cells of unit features, or of how they differ from the crop's mean."""

        def head(view: ViewKind, crops: Crops) -> Array:
            features = self(crops)[depth]
            if centred:
                features = features - features.mean(dim=(2, 3), keepdim=True)
            pooled = functional.adaptive_avg_pool2d(unit(features), count)
            return np.asarray(unit(pooled.flatten(1)).numpy(), np.float32)

        return head

    def grid(self, depth: int) -> Head:
        """The features themselves, unit along the channels."""
        return lambda view, crops: np.asarray(unit(self(crops)[depth]).numpy(), np.float32)


def look_up(queries: Array, gallery: Array) -> Found:
    """Vectors by their cosine; maps by their best translation, of up to a quarter of their side."""
    if queries.ndim == 2:
        return Found(queries @ gallery.T, np.zeros((len(queries), len(gallery), 2), np.float32))
    side = gallery.shape[-1]
    found = [align(query, gallery, side // 4) for query in queries]
    shift = np.stack([np.stack([-f.shift_rows, f.shift_cols], axis=-1) for f in found]) * np.float32(SIDE_M / side)
    return Found(np.stack([f.score for f in found]), shift)


def figures(found: Found, places_ne_m: NDArray[np.float64], gallery_ne_m: NDArray[np.float64]) -> dict[str, float]:
    """The table's columns for one head, one way."""
    between = np.linalg.norm(gallery_ne_m[None] - places_ne_m[:, None], axis=2)
    first, rows = found.similarity.argmax(axis=1), np.arange(len(places_ne_m))
    placed = gallery_ne_m[first] + found.shift_ne_m[rows, first]
    right = np.where(between < SIDE_M / 2, found.similarity, -np.inf).max(axis=1)
    wrong = np.where(between > SIDE_M, found.similarity, -np.inf).max(axis=1)
    return {
        "R@1": float((between[rows, first] < SIDE_M / 2).mean()),
        "median m": float(np.median(np.linalg.norm(placed - places_ne_m, axis=1))),
        "told apart": float((right > wrong.max()).mean()),
    }


def compare(both: Iterable[Way]) -> Iterator[tuple[str, list[dict[str, float]]]]:
    """(head, [figures of each way]) one by one."""
    both = tuple(both)
    for name, head in heads():
        results = []
        for way in both:
            gallery = head(way.gallery_view, way.gallery.images)
            places = (way.places_ne_m, way.gallery.places_ne_m)
            result = figures(look_up(head(way.query_view, way.queries), gallery), *places)
            askew = figures(look_up(head(way.query_view, way.turned_queries), gallery), *places)
            results.append(result | {"R@1, 10°": askew["R@1"]})
        yield name, results


def table(seed: int = 100001, queries: int = 100, gallery: int = 250) -> Table:
    """The comparison, ready to print."""
    both = ways(seed, queries, gallery)
    sizes = f"seed {seed}: {queries} queries among {len(both[0].gallery.images)} views of {SIDE_M:g} m"
    out = Table(title=f"Untrained heads of EfficientNet-Lite0, {sizes}; left {WAYS[0]}, right {WAYS[1]}")
    columns = ("R@1", "median m", "R@1, 10°", "told apart")
    for column in ("head", *columns, *columns):
        out.add_column(column, justify="left" if column == "head" else "right")
    for name, results in compare(both):
        cells = [f"{r[c]:.1f}" if c == "median m" else f"{r[c]:.3f}" for r in results for c in columns]
        out.add_row(name, *cells)
    return out


def _maps(embedder: Embedder, view: ViewKind, crops: Crops) -> Array:
    maps = embedder.embed(view, crops).maps
    if maps is None:
        raise ValueError("the default bundle has no map")
    return maps


def _turned(crops: Crops) -> Crops:
    return np.stack([turned(crop, float(TURNED_RAD)) for crop in crops])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=100001, help="world; choose on seeds from 100000 on only")
    parser.add_argument("--queries", type=int, default=100, help="places looked up, each way")
    parser.add_argument("--gallery", type=int, default=250, help="views in the gallery, about")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    Console(width=140).print(table(arguments.seed, arguments.queries, arguments.gallery))


if __name__ == "__main__":
    main()
