"""The fault matrix as it was measured last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sim.faults
from docs.generate.markdown import table
from sim.faults.catalogue import FAULTS
from sim.faults.table import seconds

_MEASURED = Path(sim.faults.__file__).with_name("measured.json")


def matrix_block() -> str:
    """A row for each fault."""
    heads = ("fault", "injected by", "what the daemon did", "targets sent", "forbidden", "noticed", "recovered")
    return table(heads, map(_row, _rows()))


def missing_block() -> str:
    """The rows that are declared and were not measured."""
    measured = {row["fault"] for row in _rows()}
    missing = [f"{fault.what} (`{name}`)" for name, fault in FAULTS.items() if name not in measured]
    return "Not measured yet: " + "; ".join(missing) + "." if missing else "Every row that is declared was measured."


def words_block() -> str:
    """What the status page said, fault by fault."""
    told = [(row["what"], "<br>".join(row["said"]) or "nothing new") for row in _rows()]
    return table(("fault", "what the status page, or the command, said"), told)


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    limit = "" if row["notice_within_s"] is None else f" (limit {row['notice_within_s']:g} s)"
    return (
        f"{row['what']} (`{row['fault']}`)", row["injected"], _did(row), str(row["commands"]), str(row["forbidden"]),
        seconds(row["noticed_s"]) + limit, seconds(row["recovered_s"]),
    )  # fmt: skip


def _did(row: dict[str, Any]) -> str:
    missed = "; ".join(row["missed"])
    return f"{row['did']}. **NOT in order: {missed}**" if missed else str(row["did"])


def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(_MEASURED.read_text(encoding="utf-8"))["rows"]
    return rows
