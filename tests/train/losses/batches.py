"""Batches whose relation anyone can read: places by number, one of them seen twice, one pair to be ignored."""

from __future__ import annotations

import numpy as np
import torch

from train.losses.embedded import Embedded


def batch(seed: int = 0, dimensions: int = 6, unit: bool = True, spread: float = 0.6) -> Embedded:
    """Five queries of places 0, 1, 1, 2, 3 against a gallery of places 0, 1, 2, 3, 4, 0; query 3 ignores place 4.

    Float64, with gradients.
    """
    rng = np.random.default_rng(seed)
    query_places, gallery_places = np.array([0, 1, 1, 2, 3]), np.array([0, 1, 2, 3, 4, 0])
    centres = rng.normal(size=(5, dimensions))
    queries = centres[query_places] + spread * rng.normal(size=(5, dimensions))
    gallery = centres[gallery_places] + spread * rng.normal(size=(6, dimensions))
    if unit:
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    relation = np.where(query_places[:, None] == gallery_places[None], 1, -1).astype(np.int8)
    relation[3, 4] = 0
    return Embedded(
        torch.from_numpy(queries).requires_grad_(), torch.from_numpy(gallery).requires_grad_(),
        torch.from_numpy(relation), torch.from_numpy(query_places), torch.from_numpy(gallery_places),
    )  # fmt: skip


def arrays(one: Embedded) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Queries, gallery and relation as arrays."""
    return one.queries.detach().numpy(), one.gallery.detach().numpy(), one.relation.numpy()
