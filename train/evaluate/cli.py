"""`homing-evaluate`: what a checkpoint or a bundle is worth, on University-1652 or on galleries of one area.

``homing-evaluate DATA [--checkpoint towers.pt | --bundle DIR] [--pair drone:satellite] [--out out/evaluation]``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

if not __package__:  # run as a file: the checkout root, not this folder, leads the path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import typer

from train.entry import enter


def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder in University-1652's layout, or a .mat file of features.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Towers of homing-train.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle; without either, the one that ships.")] = None,
    pair: Annotated[list[str] | None, typer.Option(help="query:gallery, of drone, satellite, street, google.")] = None,
    flip: Annotated[bool, typer.Option(help="Add each picture's mirror image, as the official test does.")] = False,
    multi: Annotated[bool, typer.Option(help="One query of all pictures of a place.")] = False,
    distractors: Annotated[str | None, typer.Option(help="A .npy of features, a folder of pictures or a pool.")] = None,
    conditions: Annotated[bool, typer.Option(help="Also a table by weather.")] = False,
    errors: Annotated[bool, typer.Option(help="Also at 10 degrees of heading and 20 % of scale error.")] = False,
    unknown: Annotated[bool, typer.Option(help="Also with a heading, or a scale, that is not known.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for features, lines per query, answer.txt and pictures.")] = Path(
        "out/evaluation"
    ),
) -> None:
    """Measure retrieval between views; prints tables and writes what is behind them."""
    from train.evaluate.tables import Evaluation  # imports torch: not for --help

    pairs = {"pairs": tuple(pair)} if pair else {}
    evaluation = Evaluation(out, flip=flip, multi=multi, distractors=distractors, conditions=conditions, errors=errors,
                            unknown=unknown, **pairs)  # fmt: skip
    if data.suffix == ".mat":
        evaluation.of_features(data)
    else:
        evaluation.of_pictures(data, checkpoint, bundle)


def main() -> None:
    """Entry point of `homing-evaluate`."""
    enter("homing-evaluate", evaluate)


if __name__ == "__main__":
    main()
