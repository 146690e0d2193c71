"""`homing locate`: where targets lie in a flight history, or an honest no."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.bundle import Bundle
from runtime.cli.output import emit, progress, say, warn
from runtime.cli.pooled import POOL_HELP, pooled
from runtime.embedder.embedder import Embedder
from runtime.errors import GeoreferenceError, ImageError, UsageError
from runtime.features.network import FeatureNetwork
from runtime.history.history import History
from runtime.place.locator import Locator
from runtime.place.target import Target, load
from runtime.values import Decision, PlaceAnswer

_THREADS = 2
_NO = 3  # exit status: at least one honest no
_ERROR = 1


def locate(
    targets: Annotated[list[Path], typer.Argument(metavar="TARGET...", help="Pictures or GeoTIFFs from above.")],
    history: Annotated[Path, typer.Option(help="The flight history to search.")],
    target_gsd: Annotated[float | None, typer.Option(help="Metres per pixel of plain pictures.")] = None,
    any_heading: Annotated[bool, typer.Option(help="North may be anywhere in the picture, not only up.")] = False,
    top: Annotated[int, typer.Option(min=1, help="Candidates shown for each target.")] = 5,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="The bundle; the one shipped by default.")] = None,
    pool: Annotated[str | None, typer.Option(help=POOL_HELP)] = None,
    features: Annotated[Path | None, typer.Option(help="Folder of `homing-export --features`; see the docs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per target on stdout.")] = False,
) -> None:
    """Find targets in a history; exit status 3 where at least one was not found."""
    if target_gsd is not None and not target_gsd > 0:
        raise UsageError(f"--target-gsd must be a positive number of metres per pixel, not {target_gsd:g}.")
    loaded = Bundle.load(bundle)
    network = None if features is None else FeatureNetwork.load(features, _THREADS)
    answers: list[tuple[Path, Target | None, PlaceAnswer]] = []
    space = loaded.embedding_space_id
    with History.open(history, embedding_space_id=space) as opened, pooled(opened, pool) as searched:
        locator = Locator(opened, Embedder(loaded, threads=_THREADS), galleries=searched, network=network)
        with progress("locating", len(targets)) as steps:
            for path in targets:
                target, answer = _one(locator, path, target_gsd, any_heading, top)
                answers.append((path, target, answer))
                _show(path, answer, as_json)
                steps.step()
        if report is not None:
            _write_report(report, opened, answers)
    decisions = {answer.decision for _, _, answer in answers}
    if Decision.ERROR in decisions:
        raise typer.Exit(_ERROR)
    if Decision.NO_MATCH in decisions:
        raise typer.Exit(_NO)


def _one(
    locator: Locator, path: Path, gsd_m: float | None, any_heading: bool, top: int
) -> tuple[Target | None, PlaceAnswer]:
    """A target that cannot be used is an answer of its own, so that the others are still looked for."""
    try:
        target = load(path, gsd_m)
    except (GeoreferenceError, ImageError) as error:
        warn(str(error))
        return None, PlaceAnswer.error(str(error))
    return target, locator.locate(target, any_heading=any_heading, top=top)


def _show(path: Path, answer: PlaceAnswer, as_json: bool) -> None:
    if as_json:
        emit(_record(path, answer))
        return
    if answer.place is not None:
        at = f"{answer.place.latitude_deg:.7f}, {answer.place.longitude_deg:.7f} ± {answer.sigma_m:.1f} m"
        say(f"{path}: match at {at}, probability {answer.probability:.3f} ({answer.reason}).")
    elif answer.decision is Decision.NO_MATCH:
        say(f"{path}: no match: {answer.reason}.")
    for candidate in answer.candidates:
        known = "" if candidate.probability is None else f", probability {candidate.probability:.3f}"
        where = f"{candidate.ground.latitude_deg:.7f}, {candidate.ground.longitude_deg:.7f}"
        say(f"  keyframe {candidate.keyframe_id} at {where}: similarity {candidate.similarity:.3f}{known}")


def _record(path: Path, answer: PlaceAnswer) -> dict[str, Any]:
    place = None
    if answer.place is not None:
        place = {
            "latitude_deg": answer.place.latitude_deg,
            "longitude_deg": answer.place.longitude_deg,
            "sigma_m": answer.sigma_m,
        }
    return {
        "target": str(path),
        "decision": answer.decision.value,
        "probability": answer.probability,
        "place": place,
        "candidates": [
            {
                "keyframe": candidate.keyframe_id,
                "latitude_deg": candidate.ground.latitude_deg,
                "longitude_deg": candidate.ground.longitude_deg,
                "similarity": candidate.similarity,
                "probability": candidate.probability,
            }
            for candidate in answer.candidates
        ],
        "reason": answer.reason,
    }


def _write_report(
    path: Path, history: History, answers: list[tuple[Path, Target | None, PlaceAnswer]]
) -> None:
    from runtime.report.locate import LocateItem, write_locate_report  # brings matplotlib: only where asked for

    items = [
        LocateItem(
            path.name,
            target.image,
            answer,
            {one.keyframe_id: history.keyframe(one.keyframe_id).crop for one in answer.candidates},
        )
        for path, target, answer in answers
        if target is not None
    ]
    write_locate_report(path, items, [keyframe.ground for keyframe in history.keyframes(crops=False)])
    warn(f"report: {path}")
