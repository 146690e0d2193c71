"""What the simulator makes and measures without flying: hardness of worlds, training sets, acceptance tables."""

from __future__ import annotations

from pathlib import Path

import typer

from runtime.cli.output import emit, progress, say, warn
from runtime.errors import UsageError


def hardness(
    world: str = typer.Option("procedural", help="`procedural`, or a GeoTIFF."),
    seed: int = typer.Option(1, min=0, help="The world follows from it."),
    json: bool = typer.Option(False, "--json", help="One JSON object per pair of dates on stdout."),
) -> None:
    """How hard a world is to known methods; a procedural one is seen on other dates until it is accepted."""
    from rich.console import Console

    from sim.hardness import table
    from sim.world_choice import PROCEDURAL, open_world, tried

    rows = []
    for _, report in tried(lambda dates: open_world(world, seed, dates)):
        rows.append((f"{world} {seed}", report))
        if json:
            emit({"world": world, "seed": seed, **report.as_json()})
        else:
            warn(f"dates {report.dates}: {report}")
        if world != PROCEDURAL:  # a real map is as it is
            break
    if not json:
        Console(width=120).print(table(rows))
    if not report.accepted:
        raise typer.Exit(3)


def university(
    places: int = typer.Option(..., min=0, help="Places to train on; none makes a test alone."),
    seed: int = typer.Option(1, min=0, help="The worlds follow from it; the test's are others."),
    out: Path = typer.Option(..., help="Folder to make, in University-1652's layout."),
    test_places: int | None = typer.Option(
        None, min=0, help="Places in the test's gallery; half of the others by default."
    ),
    views: str = typer.Option("spiral", help="`spiral` as University-1652 has them, or `rectified` as Homing flies."),
    drone_views: int = typer.Option(0, min=0, help="Of each place; 54 on the spiral, 2 rectified by default."),
    world_m: float = typer.Option(900.0, min=150.0, help="Side of each world."),
    size_px: int = typer.Option(256, min=64, max=1024, help="Side of each picture."),
    per_world: int | None = typer.Option(None, min=1, help="Most places of one world; all that fit by default."),
) -> None:
    """A synthetic University-1652 from procedural worlds: two dates a place, and a test with things never seen."""
    from sim.university import SPIRAL, SPIRAL_VIEWS, Plan, make_university

    count = drone_views or (SPIRAL_VIEWS if views == SPIRAL else 2)
    asked = max(1, places // 2) if test_places is None else test_places
    plan = Plan(places, asked, seed, views, count, world_m, size_px, per_world)
    make_university(plan, out, say)
    say(f"{out}: train on it with homing-train, measure on it with homing-evaluate")


def acceptance(
    pair: list[str] = typer.Option(
        ["drone", "map", "tiles"],
        help="What is searched: `drone` histories by satellite pictures, a `map`'s tiles by drone frames, or its "
        "`tiles` by another satellite's pictures.",
    ),
    bundle: Path | None = typer.Option(None, help="The bundle; without one, the default's figures are printed."),
    write: bool = typer.Option(False, "--write", help="Put the tables into the bundle; sign it afterwards."),
    out: Path = typer.Option(
        Path("out/acceptance"),
        help="Folder that keeps surveys and answers, so that an interrupted run goes on; remove it when worlds change.",
    ),
) -> None:
    """The thresholds of `homing locate` and `fix`: what a bundle accepts on simulated surveys and maps; 40 minutes."""
    from rich.console import Console

    from runtime.bundle import Bundle, write_acceptance
    from sim.acceptance.answers import PAIRS
    from sim.acceptance.fitting import fit_acceptance as run

    for name in pair:
        if name not in PAIRS:
            raise UsageError(f"there is no pair {name}; there are {', '.join(PAIRS)}.")
    if write and bundle is None:
        raise UsageError("--write needs the --bundle that it writes into.")
    loaded = Bundle.load(bundle)
    for name in pair:
        done = run(name, loaded, out, progress)
        Console(width=120).print(done.acceptance)
        say("\n".join(done.honesty))
        if write and bundle is not None:
            write_acceptance(bundle, PAIRS[name].query, PAIRS[name].gallery, done.table)
            say(f"{name}: written into {bundle}")
