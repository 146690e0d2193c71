"""The matrix as people and machines read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from sim.faults.row import Row

HEADS = ("fault", "what the daemon did", "forbidden", "noticed", "recovered")


def table(rows: Iterable[Row]) -> Table:
    """For a terminal; a row that is not in order says why."""
    made = Table(*HEADS)
    for row in rows:
        did = row.outcome.did + "".join(f"\n[red]NOT: {one}[/red]" for one in row.missed)
        made.add_row(row.what, did, str(row.outcome.forbidden), seconds(row.outcome.noticed_s),
                     seconds(row.outcome.recovered_s))  # fmt: skip
    return made


def as_json(rows: Iterable[Row]) -> dict[str, Any]:
    """One JSON-able object."""
    found = list(rows)
    result = "FAIL" if any(row.missed for row in found) else "PASS"
    return {"schema": 1, "result": result, "rows": [row.as_json() for row in found]}


def seconds(value: float | None) -> str:
    """A time, or a dash."""
    return "–" if value is None else f"{value:.2f} s"
