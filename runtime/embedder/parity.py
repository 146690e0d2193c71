"""The parity gate: what an engine must agree with before it may fly, after export and on the drone alike.

Cosines alone are not enough: a history is searched by the *order* of similarities, so the largest change of any
pairwise similarity and the nearest neighbour of every image count as well. Images that the reference itself holds for
equally near are tied: which of them an engine puts first is decided by rounding and says nothing of the engine. The
same holds for an image whose whole embedding is decided by rounding (a flat colour, of which a network's cells differ
by nothing else): its reference is a row of nan, and finite numbers are all that is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BundleError
from runtime.values import Vectors


@dataclass(frozen=True, slots=True)
class Bar:
    """What a precision has to reach."""

    cosine_min: float
    similarity_change_max: float | None  # None: not asked
    top1_share_min: float

    def of_a_sample(self) -> Bar:
        """The bar for a few of the images, which asks nothing of nearest neighbours: an image's true ones may be among
        those left out, and what is left is far from it, and by chance nearly equally far."""
        return replace(self, top1_share_min=0.0)


_SIMILARITY_CHANGE_MAX = 0.002  # of a faithful engine; two similarities that lie no further apart are tied
_FAITHFUL = Bar(cosine_min=0.9995, similarity_change_max=_SIMILARITY_CHANGE_MAX, top1_share_min=1.0)
# Eight bits move similarities by more than that; what they must not do is to find other places.
BARS = {"fp32": _FAITHFUL, "fp16": _FAITHFUL, "int8": Bar(0.98, None, 0.98)}


@dataclass(frozen=True, slots=True)
class Comparison:
    """(N, D) candidate against (N, D) reference, both unit rows; nan throughout where something is not finite.

    Rows of nan in the reference are left out, once the candidate's are known to be finite. A cosine is counted as
    1 - |a - b|^2 / 2, which it is for unit rows. A crop without any feature has a row of zeros: two of them agree, and
    a row that is too short or too long does not.
    """

    cosine_min: float
    cosine_mean: float
    similarity_change: float  # largest change of any pairwise similarity
    top1_share: float  # of the images whose nearest neighbour is the reference's, or tied with it in the reference
    finite: bool

    def refusal(self, bar: Bar) -> str | None:
        """Why this may not fly, or None."""
        if not self.finite:
            return "it gives numbers that are not finite"
        if self.cosine_min < bar.cosine_min:
            return f"its cosine with the reference falls to {self.cosine_min:.4f}, below {bar.cosine_min}"
        most = bar.similarity_change_max
        if most is not None and self.similarity_change > most:
            return f"it moves a similarity by {self.similarity_change:.4f}, more than {most}"
        if self.top1_share < bar.top1_share_min:
            moved = 1 - self.top1_share
            return f"it finds another nearest neighbour than the reference for {moved:.1%} of the images"
        return None


def compare(candidate: Vectors, reference: Vectors) -> Comparison:
    """Measure a candidate's embeddings of the parity images against the reference's."""
    decided = np.isfinite(reference).all(axis=1)
    if candidate.shape != reference.shape or not np.isfinite(candidate).all() or not decided.any():
        nan = float("nan")
        return Comparison(nan, nan, nan, 0.0, False)
    candidate, reference = candidate[decided], reference[decided]
    cosine = 1.0 - np.sum((candidate.astype(np.float64) - reference) ** 2, axis=1) / 2
    ours, theirs = _similarities(candidate), _similarities(reference)
    same = float(_nearest_kept(ours, theirs).mean())
    change = float(np.abs(ours - theirs).max())
    return Comparison(float(cosine.min()), float(cosine.mean()), change, same, True)


def worst(comparisons: list[Comparison]) -> Comparison:
    """The worst of each measure over several runs of one file."""
    return Comparison(
        cosine_min=min(c.cosine_min for c in comparisons),
        cosine_mean=min(c.cosine_mean for c in comparisons),
        similarity_change=max(c.similarity_change for c in comparisons),
        top1_share=min(c.top1_share for c in comparisons),
        finite=all(c.finite for c in comparisons),
    )


def gate(name: str, comparison: Comparison, bar: Bar) -> None:
    """Refuse what does not compute what the reference computes.

    Raises:
        BundleError: it does not; the sentence says in what.
    """
    reason = comparison.refusal(bar)
    if reason is not None:
        raise BundleError(f"{name} is refused: {reason}.")


def _nearest_kept(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """For each image, whether the reference holds our nearest neighbour for as near as its own, up to a tie."""
    of_ours = np.take_along_axis(theirs, np.argmax(ours, axis=1)[:, None], axis=1)[:, 0]
    return np.asarray(theirs.max(axis=1) - of_ours <= _SIMILARITY_CHANGE_MAX)


def _similarities(vectors: Vectors) -> NDArray[np.float64]:
    similarities = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(similarities, -1.0)
    return np.asarray(similarities)
