"""Parameters held against the rules that are in force: what stands in the way, and what to set it to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runtime.doctor.autopilot import Autopilot, Seen
from runtime.doctor.finding import Finding
from runtime.vehicle.parameters.reading import Parameter
from runtime.vehicle.parameters.rules import Figure, Figures, Rule, Use

_WORDS = {
    Figure.DELAY_MS: "the delay from exposure to sending is not measured: a flying daemon shows it in `homing status` "
    "as latency_ms.exposure_to_injection, and --delay-ms tells it here",
}


@dataclass(frozen=True, slots=True)
class Held:
    """One rule against one vehicle. ``parameter`` None: it has none of that name; ``wanted`` None: it will do."""

    rule: Rule
    name: str
    parameter: Parameter | None
    wanted: float | None
    finding: Finding

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        value = None if self.parameter is None else self.parameter.value
        told = {"parameter": self.name, "value": value, "wanted": self.wanted}
        return {**told, "why": self.rule.why, "reboot": self.rule.reboot}


def read(autopilot: Autopilot, rules: Iterable[Rule], use: Use, rates: bool = False) -> Seen:
    """Reads what the rules are of: by the newest names, and by the older ones where those are missing; then, with
    ``rates``, waits until every stream has shown its own."""
    names = [rule.named(use) for rule in rules if rule.holds(use)]
    seen = autopilot.look(sorted({one[0] for one in names}))
    older = {name for one in names if one[0] in seen.missing for name in one[1:]}
    return autopilot.look(sorted(older), rates) if older or rates else seen


def held(rules: Iterable[Rule], use: Use, figures: Figures, seen: Seen) -> list[Held]:
    """Every rule that holds for ``use``, in the table's order."""
    found = (_held(rule, use, figures, seen) for rule in rules if rule.holds(use))
    return [one for one in found if one is not None]


def _held(rule: Rule, use: Use, figures: Figures, seen: Seen) -> Held | None:
    names = rule.named(use)
    name = next((one for one in names if one in seen.parameters), None)
    bad = "wrong" if rule.breaks else "warning"
    if name is None:
        if rule.optional:
            return None
        return Held(rule, names[0], None, None, Finding(names[0], bad, f"the autopilot has none: {rule.why}"))
    parameter = seen.parameters[name]
    try:
        wanted = rule.wanted.better(parameter.value, figures)
        words = rule.wanted.words(figures)
    except KeyError as unknown:
        figure = unknown.args[0]
        return Held(rule, name, parameter, None, Finding(name, "note", f"{parameter.value:.7g}; {_WORDS[figure]}"))
    if wanted is None:
        return Held(rule, name, parameter, None, Finding(name, "ok", f"{parameter.value:.7g}"))
    reboot = ", then restart the autopilot" if rule.reboot else ""
    told = f"{parameter.value:.7g}, has to be {words}: {rule.why}; set {wanted:.7g}{reboot}"
    return Held(rule, name, parameter, wanted, Finding(name, bad, told))
