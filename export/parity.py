"""The parity images and the gate: what an exported file must agree with before it may fly."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.embedder.embedder import MIN_COSINE
from runtime.errors import BundleError

SCENES = 8  # each drawn twice, a little apart: near neighbours are what a wrong engine swaps first


@dataclass(frozen=True, slots=True)
class Comparison:
    """(N, D) candidate against (N, D) reference, both unit rows."""

    cosine_min: float
    cosine_mean: float
    similarity_change: float  # largest change of any pairwise similarity
    same_top1: bool
    finite: bool

    def refusal(self) -> str | None:
        """Why this may not fly, or None."""
        if not self.finite:
            return "it gives numbers that are not finite"
        if self.cosine_min < MIN_COSINE:
            return f"its cosine with the reference falls to {self.cosine_min:.4f}, below {MIN_COSINE}"
        if not self.same_top1:
            return "it finds another nearest neighbour than the reference"
        return None


def compare(candidate: NDArray[np.float32], reference: NDArray[np.float32]) -> Comparison:
    """Measure a candidate's embeddings of the parity images against the reference's."""
    if not np.isfinite(candidate).all():
        return Comparison(float("nan"), float("nan"), float("nan"), False, False)
    cosine = np.sum(candidate.astype(np.float64) * reference, axis=1)
    ours, theirs = _similarities(candidate), _similarities(reference)
    same = bool((np.argmax(ours, axis=1) == np.argmax(theirs, axis=1)).all())
    change = float(np.abs(ours - theirs).max())
    return Comparison(float(cosine.min()), float(cosine.mean()), change, same, True)


def gate(name: str, comparison: Comparison) -> None:
    """Refuse a file that does not compute what the reference computes.

    Raises:
        BundleError: it does not; the sentence says in what.
    """
    reason = comparison.refusal()
    if reason is not None:
        raise BundleError(f"{name} is refused: {reason}.")


def drawn_images(size_px: int) -> NDArray[np.uint8]:
    """(N, S, S, 3) uint8 RGB: drawn scenes in near-neighbour pairs, then black, white and noise; always the same."""
    images = []
    for seed in range(SCENES):
        scene = _scene(np.random.default_rng(seed), size_px + 16)
        images += [scene[:size_px, :size_px], scene[6 : size_px + 6, 9 : size_px + 9]]
    noise = np.random.default_rng(SCENES).integers(0, 256, (size_px, size_px, 3))
    flat = [np.zeros((size_px, size_px, 3)), np.full((size_px, size_px, 3), 255), noise]
    return np.stack([*images, *flat]).astype(np.uint8)


def _similarities(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    similarities = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(similarities, -1.0)
    return np.asarray(similarities)


def _scene(rng: np.random.Generator, size_px: int) -> NDArray[np.uint8]:
    """Something like ground from above: patches of soil and grass, fields' edges, a few roofs and a road."""
    ground = np.zeros((size_px, size_px, 3), np.float32)
    for octave, weight in ((4, 60.0), (12, 35.0), (48, 18.0)):
        coarse = rng.normal(size=(octave, octave, 3)).astype(np.float32)
        coarse = coarse.mean(axis=2, keepdims=True) + 0.35 * coarse  # mostly light and dark, a little hue
        ground += weight * cv2.resize(coarse, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    ground += rng.uniform((70, 80, 60), (140, 140, 110))
    for _ in range(int(rng.integers(3, 14))):
        centre, sides = rng.uniform(0, size_px, 2), rng.uniform(10, 60, 2)
        corners = cv2.boxPoints((tuple(centre), tuple(sides), float(rng.uniform(0, 180))))
        cv2.fillConvexPoly(ground, corners.astype(np.int32), tuple(rng.uniform(60, 230, 3)))
    ends = rng.integers(0, size_px, (2, 2))
    cv2.line(ground, tuple(map(int, ends[0])), tuple(map(int, ends[1])), tuple([float(rng.uniform(90, 190))] * 3), 9)
    return np.clip(ground, 0, 255).astype(np.uint8)
