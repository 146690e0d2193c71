"""`homing bench`: how fast a bundle is on this computer, in one command."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from runtime.bench import Latency, embedding_latency, pipeline, resident_mib, throughput_hz
from runtime.bundle import Bundle
from runtime.cli.output import emit, say, warn
from runtime.embedder.backends import ORDER
from runtime.embedder.embedder import Embedder
from runtime.errors import UsageError
from runtime.machine import this_machine


def bench(
    bundle: Annotated[Path | None, typer.Option("--bundle", help="Default: the one that ships.")] = None,
    backend: Annotated[str | None, typer.Option(help=f"One of {', '.join(ORDER)}; default: the best here.")] = None,
    precision: Annotated[str | None, typer.Option(help="Default: the backend's own.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of a CPU; default: as suits the computer.")] = None,
    runs: Annotated[int, typer.Option(min=2, help="Timed runs of the network.")] = 200,
    frames: Annotated[int, typer.Option(min=0, help="Timed frames of the whole pipeline; 0: leave it out.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Measure the towers and a whole fix on this computer: percentiles, throughput, memory."""
    embedder = Embedder(Bundle.load(bundle), threads, precision, backends=None if backend is None else (backend,))
    for warning in embedder.warnings:
        warn(f"warning: {warning}")
    if precision is not None and precision != embedder.precision:
        raise UsageError(f"--precision {precision} is not what {embedder.backend} runs.")
    report = measured(embedder, runs, frames)
    if as_json:
        emit(report)
    else:
        _print(report)


def measured(embedder: Embedder, runs: int, frames: int) -> dict[str, Any]:
    """The whole report, as JSON has it."""
    report: dict[str, Any] = {
        "machine": this_machine().as_record(),
        "bundle": embedder.bundle.name,
        "embedding_space_id": embedder.bundle.embedding_space_id,
        "engine": asdict(embedder.report),
        "latency": [asdict(latency) for latency in embedding_latency(embedder, runs)],
        "throughput_hz": throughput_hz(embedder),
        "batch": embedder.batch,
        "pipeline": asdict(pipeline(embedder, frames)) if frames else None,
    }
    return {**report, "resident_mib": resident_mib(), "load": os.getloadavg()[0]}


def _print(report: dict[str, Any]) -> None:
    machine, engine = report["machine"], report["engine"]
    where = f"{machine['cpu']}, {machine['cores']} cores; GPU {machine['gpu'] or 'none'}"
    say(f"computer   {where}; load {report['load']:.1f}")
    say(f"power mode {machine['power_mode'] or 'none known'}")
    say(f"bundle     {report['bundle']}, {engine['precision']} on {engine['backend']}, parity {engine['parity']:.6f}")
    rows = [Latency(**row) for row in report["latency"]]
    whole = report["pipeline"]
    if whole is not None:
        rows += [Latency(**row) for row in whole["stages"]]
        say(f"pipeline   {whole['fixed']} of {whole['frames']} frames fixed among {whole['keyframes']} keyframes")
    table = Table("", "p50 ms", "p90 ms", "p99 ms", "max ms", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(row.what, *(f"{value:.2f}" for value in (row.p50_ms, row.p90_ms, row.p99_ms, row.max_ms)))
    Console(width=120).print(table)
    say(f"throughput {report['throughput_hz']:.0f} crops/s at batch {report['batch']}; "
        f"at most {report['resident_mib']:.0f} MiB resident")  # fmt: skip
