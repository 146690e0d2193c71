"""Distractors out of a vector database rank as those of a file do."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import HomingError
from runtime.matching.milvus import Milvus
from train.evaluate.distractors import distractors_from
from train.evaluate.protocol import normalised, rank

with warnings.catch_warnings():  # of its own dependencies
    warnings.simplefilter("ignore")
    pytest.importorskip("pymilvus", reason="Milvus's client is not installed (extra `cluster`)")
    pytest.importorskip("milvus_lite", reason="Milvus's embedded form is not installed (extra `cluster`)")

pytestmark = pytest.mark.filterwarnings("ignore")


def test_distractors_of_a_pool_rank_as_those_of_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    gallery, others = (normalised(rng.standard_normal((count, 16))) for count in (20, 500))
    queries, labels = normalised(gallery + 0.3 * rng.standard_normal(gallery.shape)), np.arange(20)
    np.save(tmp_path / "others.npy", others)
    address = f"{tmp_path / 'pool.db'}#others"
    with Milvus(address) as pool:
        pool.collection("others", 16).put(np.arange(500), others)
    ranked = [
        rank(queries, labels, gallery, labels, distractors_from(source))
        for source in (str(tmp_path / "others.npy"), address)
    ]
    assert ranked[0].gallery == ranked[1].gallery == 520
    np.testing.assert_array_equal(ranked[0].first, ranked[1].first)
    assert ranked[0].first.max() > 0  # some distractor stands before an answer
    with pytest.raises(HomingError, match="no collection nobody"):
        list(distractors_from(f"{tmp_path / 'pool.db'}#nobody"))
