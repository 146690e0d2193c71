"""How reliable the probabilities of a checkpoint or a bundle are.

``python -m train.evaluate.reliability.cli DATA --checkpoint towers.pt --out DIR``

DATA holds test/ galleries of at least six areas with ``places.csv``, such as ``homing-sim university --views
rectified`` makes. Whole areas go to the fit, to the choice of the threshold, and to the report.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.bundle import Bundle, write_manifest
from runtime.errors import HomingError, StorageError, UsageError
from runtime.whole_file import write_whole
from train.data.pairs import Pair
from train.data.places import Square, read_places
from train.data.university import University
from train.data.views import Skipped
from train.evaluate.encoder import Embedded, open_encoder
from train.evaluate.measure import ask
from train.evaluate.reliability.model import Reliability, fit, with_threshold
from train.evaluate.reliability.questions import MAP, VECTOR, Evidence, Side, evidence

SETS = ("fit", "threshold", "report")
KEY = "retrieval_calibration"  # in the bundle's training summary


def measure(
    data: Annotated[Path, typer.Argument(help="Folder with test/ galleries of at least six areas.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Towers of homing-train.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle, into which the result is written.")] = None,
    pair: Annotated[list[str] | None, typer.Option(help="query:gallery.")] = None,
    size: Annotated[list[int] | None, typer.Option(min=2, help="Gallery sizes.")] = None,
    rate: Annotated[float, typer.Option(min=0.0, max=0.5, help="Share out of coverage that may pass.")] = 0.01,
    out: Annotated[Path, typer.Option(help="Folder for reliability.json and the plots.")] = Path("out/reliability"),
) -> None:
    """Fit, choose the threshold and report, each on areas of its own."""
    encoder, folder, squares = open_encoder(checkpoint, bundle), University.open(data), read_places(data)
    if squares is None:
        raise UsageError(f"{data} has no places.csv: without positions there are no galleries of one area.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
    result: dict[str, Any] = {}
    for which in [Pair.parse(text) for text in pair or ["drone:satellite", "satellite:drone"]]:
        asked = ask(encoder, folder, which, Skipped(), keep_maps=True)
        sides = _side(asked.queries, squares), _side(asked.gallery, squares)
        for how in (VECTOR, MAP) if asked.gallery.maps is not None else (VECTOR,):
            table, reliability = fitted_and_measured(*sides, tuple(size or (100, 300, 1000)), how, rate)
            name = f"{which}, {how}"
            result[name] = {"table": table, "report": reliability.as_json(), "false_acceptance_rate": rate}
            reliability.draw(out / f"{which}_{how}.png", name)
            outside = ", ".join(f"{kind} {share}" for kind, share in reliability.outside.items())
            typer.echo(f"{name}: right places accepted {reliability.accepted}; out-of-coverage queries: {outside}")
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    write_whole(out / "reliability.json", text.encode())
    if bundle is not None:
        manifest = Bundle.load(bundle).manifest
        write_manifest(bundle, manifest.model_copy(update={"training": {**manifest.training, KEY: result}}))


def fitted_and_measured(
    queries: Side, gallery: Side, sizes: tuple[int, ...], how: str, rate: float
) -> tuple[dict[str, Any], Reliability]:
    """The finished table and what it does on areas that neither the fit nor the threshold has seen.

    Raises:
        UsageError: there are fewer than two areas for each set: queries from another world need another world.
    """
    areas = sorted({square.area for square in gallery.squares})
    if len(areas) < 2 * len(SETS):
        raise UsageError(f"reliability needs at least {2 * len(SETS)} areas, and the data has {len(areas)}.")
    rows: list[list[Evidence]] = []
    for number in range(len(SETS)):
        own = areas[number :: len(SETS)]
        rows.append(evidence(queries.of(own), gallery.of(own), sizes, how, seed=number))
    table = with_threshold(fit(rows[0]), rows[1], rate)
    return table, Reliability.of(table, rows[2])


def _side(embedded: Embedded, squares: dict[str, Square]) -> Side:
    missing = [name for name in embedded.names if name not in squares]
    if missing:
        raise UsageError(f"places.csv has no line for {missing[0]}.")
    return Side(embedded, tuple(squares[name] for name in embedded.names))


def main() -> None:
    """Entry point: one sentence on stderr and the error's exit status, never a traceback."""
    try:
        typer.run(measure)
    except HomingError as error:
        typer.echo(f"reliability: {error}", err=True)
        raise SystemExit(error.exit_status) from error


if __name__ == "__main__":
    main()
