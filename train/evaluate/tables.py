"""The tables of an evaluation, by pair of views, and the files behind them: features, a line a query, pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from runtime.cli.output import Steps, progress
from runtime.errors import StorageError
from runtime.values import ViewKind
from train.data.pairs import TOWER_OF, Pair
from train.data.places import Square, read_places
from train.data.university import University
from train.data.views import Skipped
from train.data.weather import CONDITIONS
from train.evaluate.distractors import Distractors, distractors_from
from train.evaluate.encoder import Change, Embedded, Encoder, OpenEncoder, open_encoder
from train.evaluate.files import (
    FeatureSet,
    read_mat,
    write_answer,
    write_distances,
    write_mat,
    write_picture,
    write_queries,
)
from train.evaluate.measure import (  # fmt: skip
    Asked,
    ask,
    by_labels,
    by_metres,
    by_metres_unknown,
    chance,
    in_weather,
    misjudged,
    unknown_heading,
    unknown_scale,
)
from train.evaluate.picture_job import Embedding
from train.evaluate.protocol import Features, Ranking, best, multi_query
from train.evaluate.same_area import SameArea, overlapping_neighbours

_SHOWN = 10
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is measured of whatever is given, and the folder where it is written; see the options of the command."""

    out: Path
    pairs: tuple[str, ...] = ("drone:satellite", "satellite:drone")
    flip: bool = False
    multi: bool = False
    distractors: Distractors | None = None
    conditions: bool = False
    errors: bool = False
    unknown: bool = False

    def of_features(self, path: Path) -> None:
        """The table of a .mat file.

        Raises:
            HomingError: a file cannot be read, or the folder not be written.
        """
        skipped = Skipped()
        self._make_folder()
        features = read_mat(path)
        chunks = distractors_from(self.distractors.source) if self.distractors else ()
        rows = [_label_row("features", by_labels(features, chunks, self.multi)), _label_row("chance", chance(features))]
        _told(self.out, {path.stem: rows}, skipped)

    def of_pictures(self, data: Path, checkpoint: Path | None, bundle: Path | None) -> None:
        """The tables of a folder in University-1652's layout, embedded by the towers of one or the other.

        Raises:
            HomingError: data or towers cannot be read, there is no such pair, or the folder cannot be written.
        """
        skipped = Skipped()
        self._make_folder()
        encoder, folder, squares = open_encoder(checkpoint, bundle), University.open(data), read_places(data)
        start = OpenEncoder(checkpoint and checkpoint.absolute(), bundle and bundle.absolute())
        changes = _changes(self.conditions, self.errors)
        known = not (self.unknown and squares)
        hypotheses = {} if known else {"heading unknown": unknown_heading(), "scale unknown": unknown_scale()}
        pairs = [Pair.parse(text) for text in self.pairs]
        tables: dict[str, list[Row]] = {}
        with ExitStack() as stack:
            embedding = Embedding(encoder, start, self.flip, skipped, progress)
            sources = self._distractors_by_view(embedding, folder, pairs, stack) if squares is None else {}
            steps = stack.enter_context(progress("measuring", len(pairs) * (1 + len(changes) + len(hypotheses))))
            for which in pairs:
                place = self.out / str(which)
                place.mkdir(exist_ok=True)
                subject = _Subject(encoder, folder, which, skipped, self.flip, steps)
                if squares is None:
                    source = sources.get(TOWER_OF[which.gallery])
                    chunks = () if source is None else distractors_from(source)
                    tables[str(which)] = _by_labels(subject, chunks, self.multi, changes, place)
                else:
                    tables[str(which)] = _by_metres(subject, squares, changes, hypotheses, place)
        _told(self.out, tables, skipped)

    def _distractors_by_view(
        self, embedding: Embedding, folder: University, pairs: Sequence[Pair], stack: ExitStack
    ) -> dict[ViewKind, str]:
        """Where the distractors' features are, embedded by the tower of each view that answers."""
        if self.distractors is None:
            return {}
        for which in pairs:  # what is missing is said before hours of embedding
            folder.query(which.query)
            folder.gallery(which.gallery)
        views = dict.fromkeys(TOWER_OF[which.gallery] for which in pairs)
        return {view: self.distractors.embedded(view, embedding, self.out, stack) for view in views}

    def _make_folder(self) -> None:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.out} cannot be written: {error.strerror}.") from error


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is measured, on what, and where it is told that one more question has been answered."""

    encoder: Encoder
    folder: University
    pair: Pair
    skipped: Skipped
    flip: bool
    steps: Steps

    def asked(self, keep_maps: bool, change: Change | None = None, gallery: Embedded | None = None) -> Asked:
        """The queries, changed as asked, and the gallery, or the one that was embedded before."""
        return ask(self.encoder, self.folder, self.pair, self.skipped, self.flip, change, keep_maps, gallery)


def _by_labels(
    subject: _Subject, distractors: Iterable[Features], multi: bool, changes: Mapping[str, Change], place: Path
) -> list[Row]:
    asked = subject.asked(keep_maps=False)
    features = asked.features()
    ranking = by_labels(features, distractors, multi)
    rows = [_label_row("chance", chance(features)), _label_row(subject.encoder.name, ranking)]
    _leave(place, asked, features, ranking, multi)
    subject.steps.step()
    for name, change in changes.items():
        again = subject.asked(False, change, asked.gallery)
        rows.append(_label_row(name, by_labels(again.features())))
        subject.steps.step()
    return rows


def _by_metres(
    subject: _Subject, squares: Mapping[str, Square], changes: Mapping[str, Change],
    hypotheses: Mapping[str, Sequence[Change]], place: Path,
) -> list[Row]:  # fmt: skip
    asked = subject.asked(keep_maps=True)
    found = by_metres(asked, squares)
    rows = _metre_rows(subject.encoder.name, found, asked, squares)
    _leave_metres(place, asked, found)
    subject.steps.step()
    for name, every in hypotheses.items():
        if asked.gallery.maps is not None:
            found = by_metres_unknown(subject.encoder, subject.folder, subject.pair, asked.gallery, squares, every)
            rows += _metre_rows(name, found, asked, squares)
        subject.steps.step()
    for name, change in changes.items():
        again = subject.asked(True, change, asked.gallery)
        rows += _metre_rows(name, by_metres(again, squares), again, squares)
        subject.steps.step()
    return rows


def _changes(conditions: bool, errors: bool) -> dict[str, Change]:
    changes = {name: in_weather(name) for name in CONDITIONS if name != "clear"} if conditions else {}
    if errors:
        changes |= {f"heading {10 * sign:+d}°": misjudged(heading_deg=10.0 * sign) for sign in (-1, 1)}
        changes |= {f"scale {sign:+.0%}": misjudged(scale_error=sign) for sign in (-0.2, 0.2)}
    return changes


def _label_row(name: str, ranking: Ranking) -> Row:
    return {
        "what": name, "queries": len(ranking.ranks), "gallery": ranking.gallery, "R@1": ranking.recall(1),
        "R@5": ranking.recall(5), "R@10": ranking.recall(10), "R@1%": ranking.recall_top_percent,
        "AP": ranking.mean_average_precision,
    }  # fmt: skip


def _metre_rows(name: str, found: Mapping[str, SameArea], asked: Asked, squares: Mapping[str, Square]) -> list[Row]:
    ground = [squares[place] for place in asked.gallery.names]
    return [{
        "what": f"{name}, {how}", "queries": len(result.answers), "gallery": len(ground),
        "overlapping": overlapping_neighbours(ground), "R@1": str(result.recall),
        "median_m": round(result.median_m, 1), "misses within one side": str(result.near_misses),
    } for how, result in found.items()]  # fmt: skip


def _leave(place: Path, asked: Asked, features: FeatureSet, ranking: Ranking, multi: bool) -> None:
    """The files of one pair of views."""
    write_mat(place / "features.mat", features)
    queries, names = features.query_features, list(features.query_paths)
    labels, pictures = features.query_labels, [p.path for p in asked.queries.pictures]
    if multi:
        queries, labels = multi_query(queries, labels)
        first = [int(np.argmax(features.query_labels == label)) for label in labels]
        names, pictures = [asked.queries.names[i] for i in first], [pictures[i] for i in first]
    index, _ = best(queries, features.gallery_features, _SHOWN)
    gallery = [p.path for p in asked.gallery.pictures]
    write_queries(place / "queries.csv", names, ranking, [str(gallery[row[0]]) for row in index])
    write_answer(place / "answer.txt", index, [path.stem for path in gallery])
    write_picture(place / "answers.png", pictures, index, gallery, features.gallery_labels[index] == labels[:, None])


def _leave_metres(place: Path, asked: Asked, found: Mapping[str, SameArea]) -> None:
    """The files of one pair of views in galleries of one area; the picture shows what is flown, the last way."""
    queries, gallery = ([p.path for p in side.pictures] for side in (asked.queries, asked.gallery))
    write_distances(place / "queries.csv", [str(p) for p in queries], [str(p) for p in gallery], found)
    shown = list(found.values())[-1]
    write_picture(place / "answers.png", queries, shown.answers, gallery, shown.right)


def _told(out: Path, tables: dict[str, list[Row]], skipped: Skipped) -> None:
    console = Console(width=150)
    for title, rows in tables.items():
        table = Table(*rows[0], title=title)
        for row in rows:
            table.add_row(*(f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values()))
        console.print(table)
    if skipped.paths:
        console.print(f"{len(skipped.paths)} pictures could not be read and were left out.")
    report = {"tables": tables, "skipped": sorted(map(str, skipped.paths))}
    (out / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(f"written to {out}")
