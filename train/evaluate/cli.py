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

from runtime.cli.output import warn
from runtime.errors import UsageError
from train.entry import enter

_INTERRUPTED = 130  # as the shell counts SIGINT


def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder in University-1652's layout, or a .mat file of features.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Towers of homing-train.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle; without either, the one that ships.")] = None,
    pair: Annotated[list[str] | None, typer.Option(help="query:gallery, of drone, satellite, street, google.")] = None,
    flip: Annotated[bool, typer.Option(help="Add each picture's mirror image, as the official test does.")] = False,
    multi: Annotated[bool, typer.Option(help="One query of all pictures of a place.")] = False,
    distractors: Annotated[str | None, typer.Option(help="A .npy of features, a folder of pictures or a pool.")] = None,
    keep: Annotated[str | None, typer.Option(help="Keep features of those pictures: a folder or a pool.")] = None,
    cluster: Annotated[str | None, typer.Option(help="A Dask scheduler whose workers embed them, or: local.")] = None,
    conditions: Annotated[bool, typer.Option(help="Also a table by weather.")] = False,
    errors: Annotated[bool, typer.Option(help="Also at 10 degrees of heading and 20 % of scale error.")] = False,
    unknown: Annotated[bool, typer.Option(help="Also with a heading, or a scale, that is not known.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for features, lines per query, answer.txt and pictures.")] = Path(
        "out/evaluation"
    ),
) -> None:
    """Measure retrieval between views; prints tables and writes what is behind them."""
    from train.evaluate.distractors import Distractors
    from train.evaluate.tables import Evaluation  # what measures is not for --help

    if distractors is None and (keep or cluster):
        raise UsageError("--keep and --cluster are for the pictures of --distractors: give those too.")
    others = None if distractors is None else Distractors(str(distractors), keep, cluster)
    pairs = {"pairs": tuple(pair)} if pair else {}
    evaluation = Evaluation(out, flip=flip, multi=multi, distractors=others, conditions=conditions, errors=errors,
                            unknown=unknown, **pairs)  # fmt: skip
    try:
        if data.suffix == ".mat":
            evaluation.of_features(data)
        else:
            evaluation.of_pictures(data, checkpoint, bundle)
    except KeyboardInterrupt:
        kept = "" if keep is None else f"; what was embedded is kept in {keep}, and the same command goes on from there"
        warn(f"Interrupted{kept}.")
        raise typer.Exit(_INTERRUPTED) from None


def main() -> None:
    """Entry point of `homing-evaluate`."""
    enter("homing-evaluate", evaluate)


if __name__ == "__main__":
    main()
