"""The fault matrix as a command."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from runtime.cli.output import emit, progress, say, warn
from runtime.errors import UsageError

if TYPE_CHECKING:
    from sim.faults.row import Fault


def faults(
    only: list[str] = typer.Option([], help="A row by its name; once more for each."),
    listed: bool = typer.Option(False, "--list", help="Only name the rows."),
    out: Path | None = typer.Option(None, help="Folder for the histories and logs that are made; a temporary one."),
    write: Path | None = typer.Option(None, help="A file for the rows as JSON, for the page of the matrix."),
    json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
) -> None:
    """Every fault of the matrix, one by one: what the daemon did, and that it commanded nothing it must not."""
    from sim.faults.catalogue import FAULTS

    for name in only:
        if name not in FAULTS:
            raise UsageError(f"there is no fault {name}; `homing-sim faults --list` names them.")
    chosen = [FAULTS[name] for name in FAULTS if not only or name in only]
    if listed:
        for one in chosen:
            say(f"{one.name}: {one.what} ({one.injected})")
        return
    with tempfile.TemporaryDirectory(prefix="homing-faults-") as folder:
        os.chmod(folder, 0o755)  # a row looks into it as a user without rights
        _play(chosen, out or Path(folder), write, json)


def _play(chosen: list[Fault], folder: Path, write: Path | None, json: bool) -> None:
    from json import dumps

    from rich.console import Console

    from sim.faults.row import played
    from sim.faults.table import as_json, table
    from sim.faults.workshop import Workshop

    logging.getLogger("runtime").setLevel(logging.CRITICAL)  # what the daemons say stands in the rows
    workshop, rows = Workshop(folder), []
    with progress("faults", len(chosen)) as steps:
        for one in chosen:
            rows.append(played(one, workshop))
            steps.step()
            if rows[-1].missed:
                warn(f"{one.name}: {'; '.join(rows[-1].missed)}")
            if write is not None:  # after each: what was played is not lost when the rest is broken off
                write.write_text(dumps(as_json(rows), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    result = as_json(rows)
    if json:
        emit(result)
    else:
        Console(width=120).print(table(rows))
        say(result["result"])
    if result["result"] != "PASS":
        raise typer.Exit(3)
