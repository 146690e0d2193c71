"""What each autopilot does in the same exchanges, from what was recorded of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sim.autopilot
import sim.sitl
from docs.generate.markdown import table

_RECORDED = Path(sim.autopilot.__file__).with_name("conformance.json")
_PLANES = Path(sim.sitl.__file__).with_name("planes.json")


def facts_block() -> str:
    """A table for each exchange, with a column for each autopilot."""
    autopilots = _read()["autopilots"]
    heads = ("what is done, or seen", *(one["version"] for one in autopilots.values()))
    parts = []
    for exchange in next(iter(autopilots.values()))["facts"]:
        by_autopilot = [one["facts"].get(exchange, {}) for one in autopilots.values()]
        names = list(dict.fromkeys(name for facts in by_autopilot for name in facts))
        rows = [(name, *(_word(facts, name) for facts in by_autopilot)) for name in names]
        if rows:
            parts += [f"### {exchange[0].upper()}{exchange[1:]}", table(heads, rows)]
    return "\n\n".join(parts)


def planes_block() -> str:
    """What ArduPlane's models did when Homing flew them."""
    flown = json.loads(_PLANES.read_text(encoding="utf-8")).values()
    names = list(dict.fromkeys(name for one in flown for name in one["facts"]))
    rows = [(name, *(_word(one["facts"], name) for one in flown)) for name in names]
    return table(("what is done, or seen", *(one["version"] for one in flown)), rows)


def differences_block() -> str:
    """Where the built-in autopilot is not as ArduCopter, and why."""
    rows = [(exchange, fact, why) for exchange, facts in _read()["differences"].items() for fact, why in facts.items()]
    return table(("exchange", "what", "why"), rows) if rows else "None is known in these exchanges."


def _word(facts: Mapping[str, Any], name: str) -> str:
    if name not in facts:
        return "–"
    value = facts[name]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " to ".join(map(str, value))
    return "nothing" if value is None else str(value)


def _read() -> dict[str, Any]:
    return dict(json.loads(_RECORDED.read_text(encoding="utf-8")))
