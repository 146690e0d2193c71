"""With what a flight was flown: versions, bundle and engine, and every key of the configuration that was in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runtime.debrief.flown import Flown
from runtime.report.flight import Table


def set_up_of(flown: Flown, name: str = "") -> list[Table]:
    """Tables of the versions and of the configuration; none where the log does not say what its daemon was given."""
    start, whose = flown.start, f": {name.replace('_', ' ')}" if name else ""
    if start is None:
        return []
    rows = [("bundle" if what == "bundle" else what, version) for what, version in start.versions.items()]
    for key, value in (start.engine or {}).items():
        if value not in (None, [], ""):
            rows.append((f"engine: {key}", _value(value)))
    rows += [
        ("history", f"{start.history_keyframes} keyframes at start"), ("kept frames", start.frames),
        ("dry run: nothing was sent", "yes" if start.dry_run else "no"),
    ]  # fmt: skip
    if flown.starts > 1:
        rows.append(("daemons in this log", f"{flown.starts}; the first one's set-up is shown"))
    keys = tuple(_keys(start.config))
    return [
        Table(f"Versions{whose}", ("what", "version"), tuple(rows)),
        Table(f"Configuration in force{whose}", ("key", "value"), keys),
    ]


def _keys(table: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _keys(value, f"{above}{key}.")
        elif value is not None:
            yield f"{above}{key}", _value(value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value)
