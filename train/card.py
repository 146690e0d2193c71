"""The model card of trained towers: ``python -m train.card out/default/best.pt --evaluation DIR ... --out MODEL.md``.

What they learned from, under which licences, what they were measured at, and what they are not for. Figures come from
the report.json of homing-evaluate and the reliability.json of `train.evaluate.reliability`; nothing is typed in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.errors import HomingError, UsageError
from runtime.whole_file import write_whole
from train.backbones import BackboneSpec
from train.towers import Towers, load_towers

LIMITS = (
    "Trained on procedural worlds and on views that are rectified, north up and of known scale; figures on other data "
    "are other figures.",
    "A probability holds for galleries like those it was fitted on; elsewhere it must be fitted again.",
    "Never a sole means of navigation.",
)
Row = dict[str, Any]


def card(towers: Towers, notes: Row, evaluations: Sequence[Row], reliability: Row | None, data: Sequence[str]) -> str:
    """The text, in Markdown; ``data`` names each source with its licence."""
    spec = towers.spec
    backbones = ", ".join(dict.fromkeys(_described(spec.backbone(view)) for view in spec.views))
    parts = [
        "# Model card", "",
        f"- towers: {', '.join(v.value for v in spec.views)}, {'one set' if spec.shared else 'a set each'} of weights",
        f"- backbone: {backbones}; head: {spec.head}", f"- crops: {spec.size_px} px while training",
        f"- step {notes.get('step', '?')} of configuration {str(notes.get('configuration', '?'))[:8]}; "
        f"sha256 {notes['digest']}",
        f"- weights begun from: {'; '.join(towers.licences) or 'unknown'}", "", "## Data and licences", "",
        *[f"- {line}" for line in data], "", "## Figures", "",
    ]  # fmt: skip
    for evaluation in evaluations:
        for title, rows in evaluation["tables"].items():
            parts += _table(title, rows)
    for name, result in (reliability or {}).items():
        parts += _accepted(name, result)
    return "\n".join([*parts, "## Limits", "", *[f"- {line}" for line in LIMITS], ""])


def _described(backbone: BackboneSpec) -> str:
    light = ", each crop's own light taken out first" if backbone.standardise else ""
    return f"{backbone.name} cut at {backbone.stage}{light}"


def _table(title: str, rows: Sequence[Row]) -> list[str]:
    names = list(rows[0])
    lines = [f"### {title.replace('_', ' ')}", "", f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    for row in rows:
        cells = (f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values())
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _accepted(name: str, result: Row) -> list[str]:
    report = result["report"]
    shares = {"right places accepted": report["right_accepted"], **report["strangers_accepted"]}
    most = f"of queries out of coverage at most {result['false_acceptance_rate']:.1%}"
    lines = [f"### accepted, {name.replace('_', ' ')} ({most})", ""]
    for what, share in shares.items():
        low, high = share["interval_95"]
        lines.append(f"- {what}: {share['share']:.3f} of {share['of']}, 95 % interval {low:.3f} to {high:.3f}")
    return [*lines, ""]


def main(
    checkpoint: Annotated[Path, typer.Argument(help="Towers of homing-train.")],
    data: Annotated[list[str], typer.Option(help="A source of training data and its licence; once for each.")],
    evaluation: Annotated[list[Path] | None, typer.Option(help="Folder that homing-evaluate wrote.")] = None,
    reliability: Annotated[
        Path | None, typer.Option("--reliability", "--calibration", help="Folder of train.evaluate.reliability.cli.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("MODEL.md"),
) -> None:
    """Write the model card."""
    towers, notes = load_towers(checkpoint)
    reports = [_read(folder / "report.json") for folder in evaluation or []]
    accepted = _read(_reliability_in(reliability)) if reliability is not None else None
    write_whole(out, card(towers, notes, reports, accepted, data).encode())


def _reliability_in(folder: Path) -> Path:
    """The file of a folder; earlier versions called it calibration.json."""
    found, earlier = folder / "reliability.json", folder / "calibration.json"
    return earlier if earlier.is_file() and not found.is_file() else found


def _read(path: Path) -> Row:
    try:
        content: Row = json.loads(path.read_text(encoding="utf-8"))
        return content
    except (OSError, ValueError) as error:
        how = "run homing-evaluate or train.evaluate.reliability.cli first"
        raise UsageError(f"{path} cannot be read: {how}.") from error


if __name__ == "__main__":
    try:
        typer.run(main)
    except HomingError as error:
        typer.echo(f"card: {error}", err=True)
        raise SystemExit(error.exit_status) from error
