"""What a measurement leaves behind: features in the official .mat form, a line per query, answer.txt, a picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import scipy.io
from numpy.typing import NDArray

from runtime.errors import ImageError, StorageError, UsageError
from train.data.views import read_crop
from train.evaluate.protocol import Features, Labels, Ranking
from train.evaluate.same_area import SameArea

FIRST = 10  # answers a query in answer.txt
_SHOWN, _ANSWERS, _CELL_PX, _FRAME_PX = 12, 5, 112, 5
_RIGHT, _WRONG, _PLAIN = (60, 170, 60), (200, 60, 50), (90, 90, 90)  # RGB


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Queries and gallery: ``*_features`` (N, D) unit rows, ``*_labels`` (N,), ``*_paths``, which may be empty."""

    query_features: Features
    query_labels: Labels
    gallery_features: Features
    gallery_labels: Labels
    query_paths: tuple[str, ...] = ()
    gallery_paths: tuple[str, ...] = ()


def write_mat(path: Path, features: FeatureSet) -> None:
    """The file that the official test.py writes and evaluate_gpu.py reads."""
    content = {
        "gallery_f": features.gallery_features, "gallery_label": features.gallery_labels,
        "gallery_path": np.array(features.gallery_paths), "query_f": features.query_features,
        "query_label": features.query_labels, "query_path": np.array(features.query_paths),
    }  # fmt: skip
    try:
        scipy.io.savemat(path, content)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from error


def read_mat(path: Path) -> FeatureSet:
    """Features as the official scripts leave them.

    Raises:
        UsageError: the file is not one of those.
    """
    try:
        content = scipy.io.loadmat(path)
        return FeatureSet(
            np.asarray(content["query_f"], np.float32), np.asarray(content["query_label"], np.int64).ravel(),
            np.asarray(content["gallery_f"], np.float32), np.asarray(content["gallery_label"], np.int64).ravel(),
            _paths(content.get("query_path")), _paths(content.get("gallery_path")),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise UsageError(f"{path} is no .mat file with query_f, query_label, gallery_f and gallery_label.") from error


def write_queries(path: Path, queries: Sequence[str], ranking: Ranking, answers: Sequence[str]) -> None:
    """A line a query: the rank of its first answer from 1 (empty where there is none), AP, and what came first."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("query", "rank", "average_precision", "first_answer"))
        rows = zip(queries, ranking.ranks, ranking.average_precisions, answers, strict=True)
        for query, ranks, precision, answer in rows:
            writer.writerow((query, int(ranks[0]) + 1 if len(ranks) else "", f"{precision:.6f}", answer))


def write_distances(path: Path, asked: Sequence[str], gallery: Sequence[str], found: Mapping[str, SameArea]) -> None:
    """A line a query and way of answering: what came first, how far from the truth it lies, and whether that is right;
    nothing for a distance where it lies in another area."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("query", "by", "first_answer", "distance_m", "right"))
        for how, result in found.items():
            for query, answer, away, right in zip(
                asked, result.answers[:, 0], result.distances_m[:, 0], result.right[:, 0], strict=True
            ):
                writer.writerow((query, how, gallery[answer], f"{away:.1f}" if np.isfinite(away) else "", int(right)))


def write_answer(path: Path, index: NDArray[np.int64], names: Sequence[str]) -> None:
    """University-160k's answer.txt: per query, in order, its first ten gallery names, tabs between."""
    lines = ("\t".join(names[i] for i in row[:FIRST]) for row in index)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_picture(
    path: Path, queries: Sequence[Path], answers: NDArray[np.int64], gallery: Sequence[Path], right: NDArray[np.bool_]
) -> None:
    """Some queries, evenly taken, with their first five answers, framed green where ``right`` (Q, 5) and red else."""
    rows = []
    for q in np.unique(np.linspace(0, len(queries) - 1, _SHOWN).round().astype(int)):
        cells = [_cell(queries[q], _PLAIN)]
        for answer, good in zip(answers[q, :_ANSWERS], right[q, :_ANSWERS], strict=True):
            cells.append(_cell(gallery[answer], _RIGHT if good else _WRONG))
        rows.append(np.hstack(cells))
    if not cv2.imwrite(str(path), np.vstack(rows)[..., ::-1]):
        raise StorageError(f"{path} cannot be written.")


def _cell(path: Path, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    try:
        crop = read_crop(path, _CELL_PX)
    except ImageError:
        crop = np.zeros((_CELL_PX, _CELL_PX, 3), np.uint8)
    edge = (_FRAME_PX,) * 4
    return np.asarray(cv2.copyMakeBorder(crop, *edge, cv2.BORDER_CONSTANT, value=colour), np.uint8)


def _paths(value: NDArray[np.str_] | None) -> tuple[str, ...]:
    return () if value is None else tuple(str(name).strip() for name in np.ravel(value))
