"""`homing-evaluate`: what a checkpoint or a bundle is worth, on University-1652 or on galleries of one area.

    homing-evaluate DATA [--checkpoint towers.pt | --bundle DIR] [--pair drone:satellite] [--out out/evaluation]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

if not __package__:  # run as a file: the checkout root, not this folder, leads the path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from runtime.errors import StorageError
from train.data.places import Square, read_places
from train.data.university import University
from train.data.views import Skipped
from train.data.weather import CONDITIONS
from train.entry import enter
from train.evaluate.encoder import Change, Encoder, open_encoder
from train.evaluate.files import FeatureSet, read_mat, write_answer, write_mat, write_picture, write_queries
from train.evaluate.measure import (
    Asked,
    Pair,
    ask,
    by_labels,
    by_metres,
    by_metres_unknown,
    chance,
    distractors_from,
    in_weather,
    misjudged,
    unknown_heading,
    unknown_scale,
)  # fmt: skip
from train.evaluate.protocol import Ranking, best, multi_query
from train.evaluate.same_area import SameArea, overlapping_neighbours

_SHOWN = 10
Row = dict[str, Any]


def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder in University-1652's layout, or a .mat file of features.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Towers of homing-train.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle; without either, the one that ships.")] = None,
    pair: Annotated[list[str] | None, typer.Option(help="query:gallery, of drone, satellite, street, google.")] = None,
    flip: Annotated[bool, typer.Option(help="Add each picture's mirror image, as the official test does.")] = False,
    multi: Annotated[bool, typer.Option(help="One query of all pictures of a place.")] = False,
    distractors: Annotated[Path | None, typer.Option(help="A .npy of features or a folder of pictures.")] = None,
    conditions: Annotated[bool, typer.Option(help="Also a table by weather.")] = False,
    errors: Annotated[bool, typer.Option(help="Also at 10 degrees of heading and 20 % of scale error.")] = False,
    unknown: Annotated[bool, typer.Option(help="Also with a heading, or a scale, that is not known.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for features, lines per query, answer.txt and pictures.")] = Path(
        "out/evaluation"
    ),
) -> None:
    """Measure retrieval between views; prints tables and writes what is behind them."""
    skipped = Skipped()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
    if data.suffix == ".mat":
        features = read_mat(data)
        chunks = distractors_from(distractors, None, "", skipped) if distractors else ()
        rows = [_label_row("features", by_labels(features, chunks, multi)), _label_row("chance", chance(features))]
        return _told(out, {data.stem: rows}, skipped)
    encoder, folder, squares = open_encoder(checkpoint, bundle), University.open(data), read_places(data)
    tables: dict[str, list[Row]] = {}
    for which in [Pair.parse(text) for text in pair or ["drone:satellite", "satellite:drone"]]:
        asked = ask(encoder, folder, which, skipped, flip, None, squares is not None)
        place = out / str(which)
        place.mkdir(exist_ok=True)
        changes = _changes(conditions, errors)
        if squares is None:
            chunks = distractors_from(distractors, encoder, which.gallery, skipped) if distractors else ()
            features = asked.features()
            ranking = by_labels(features, chunks, multi)
            rows = [_label_row("chance", chance(features)), _label_row(encoder.name, ranking)]
            rows += [_label_row(n, _again(encoder, folder, which, skipped, flip, c)) for n, c in changes.items()]
            _leave(place, asked, features, ranking, multi)
        else:
            rows = _metre_rows(encoder.name, asked, squares)
            if unknown and asked.gallery.maps is not None:
                for name, readings in (("heading unknown", unknown_heading()), ("scale unknown", unknown_scale())):
                    found = by_metres_unknown(encoder, folder, which, asked.gallery, squares, readings)
                    rows += _metre_lines(name, found, [squares[place] for place in asked.gallery.names])
            for name, change in changes.items():
                again = ask(encoder, folder, which, skipped, flip, change, True)
                rows += _metre_rows(name, again, squares)
        tables[str(which)] = rows
    _told(out, tables, skipped)


def _changes(conditions: bool, errors: bool) -> dict[str, Change]:
    changes = {name: in_weather(name) for name in CONDITIONS if name != "clear"} if conditions else {}
    if errors:
        changes |= {f"heading {10 * sign:+d}°": misjudged(heading_deg=10.0 * sign) for sign in (-1, 1)}
        changes |= {f"scale {sign:+.0%}": misjudged(scale_error=sign) for sign in (-0.2, 0.2)}
    return changes


def _again(encoder: Encoder, data: University, pair: Pair, skipped: Skipped, flip: bool, change: Change) -> Ranking:
    return by_labels(ask(encoder, data, pair, skipped, flip, change).features())


def _label_row(name: str, ranking: Ranking) -> Row:
    return {
        "what": name, "queries": len(ranking.ranks), "gallery": ranking.gallery, "R@1": ranking.recall(1),
        "R@5": ranking.recall(5), "R@10": ranking.recall(10), "R@1%": ranking.recall_top_percent,
        "AP": ranking.mean_average_precision,
    }  # fmt: skip


def _metre_rows(name: str, asked: Asked, squares: dict[str, Square]) -> list[Row]:
    return _metre_lines(name, by_metres(asked, squares), [squares[place] for place in asked.gallery.names])


def _metre_lines(name: str, found: dict[str, SameArea], ground: list[Square]) -> list[Row]:
    rows = []
    for how, result in found.items():
        rows.append({
            "what": f"{name}, {how}", "queries": len(result.answers), "gallery": len(ground),
            "overlapping": overlapping_neighbours(ground), "R@1": str(result.recall),
            "median_m": round(result.median_m, 1), "misses within one side": str(result.near_misses),
        })  # fmt: skip
    return rows


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


def main() -> None:
    """Entry point of `homing-evaluate`."""
    enter("homing-evaluate", evaluate)


if __name__ == "__main__":
    main()
