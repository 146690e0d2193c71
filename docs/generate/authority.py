"""The tables of authority: what each event does in each state, as guidance itself answers when it is played to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from docs.generate.markdown import table
from runtime.guidance.reasons import FINISHED, State
from runtime.mavlink.dialect import mavlink
from runtime.vehicle.ardupilot.plane import ArduPlane
from runtime.vehicle.ardupilot.stack import ArduPilot
from runtime.vehicle.px4.stack import Px4
from runtime.vehicle.stack import Stack
from sim.authority.happenings import HAPPENINGS, Happening
from sim.authority.outcomes import Outcome, flies, outcome

_PX4_MODES = tuple(main << 16 | sub << 24 for main in range(1, 12) for sub in (range(1, 21) if main == 4 else (0,)))
_VEHICLES: tuple[tuple[str, Stack, int, str], ...] = (
    ("ArduPilot, a copter", ArduPilot(), mavlink.MAV_TYPE_QUADROTOR, "COPTER_MODE"),
    ("ArduPilot, a plane or QuadPlane", ArduPlane(), mavlink.MAV_TYPE_FIXED_WING, "PLANE_MODE"),
    ("PX4", Px4(), mavlink.MAV_TYPE_QUADROTOR, ""),
)


def modes_block() -> str:
    """Every mode of every autopilot, by whether position targets may be sent in it."""
    return table(("autopilot", "targets may be sent in", "never in"), map(_modes, _VEHICLES))


def events_block() -> str:
    """What each event does in each state."""
    heads = ("a target is confirmed", "READY", "flying")
    return _by_group(heads, lambda one: (_waiting(one, State.MONITOR), _waiting(one, State.READY), _flying(one)))


def switches_block() -> str:
    """What a switch grants after each event."""
    heads = ("READY, while it lasts", "READY, when it is over", "flown, when it is over",
             "the same, confirmed and engaged anew", "into any other mode")  # fmt: skip
    return _by_group(heads, lambda one: tuple(_grants(one)))


def numbers_block() -> str:
    """How many cells there are, and in how many of them a target leaves."""
    cells = [(one, state, again) for one in HAPPENINGS for state in _STATES for again in (False, True)]
    into_guided = sum(flies(one, state, again=again) for one, state, again in cells)
    into_other = sum(flies(one, state, mode="LOITER", again=again) for one, state, again in cells)
    return table(
        ("the pilot then enters", "stories", "of them with a target afterwards"),
        [
            ("the guided mode", str(len(cells)), str(into_guided)),
            ("any other mode", str(len(cells)), str(into_other)),
        ],
    )


_STATES = (State.DISABLED, State.MONITOR, State.READY, State.ENGAGED, State.YIELDED)


def _by_group(heads: Iterable[str], cells: Callable[[Happening], tuple[str, ...]]) -> str:
    groups = dict.fromkeys(one.group for one in HAPPENINGS)
    parts = []
    for group in groups:
        rows = [(f"… {one.words}", *cells(one)) for one in HAPPENINGS if one.group == group]
        parts.append(f"### {group}\n\n{table((f'{group} …', *heads), rows)}")
    return "\n\n".join(parts)


def _modes(vehicle: tuple[str, Stack, int, str]) -> tuple[str, str, str]:
    name, stack, kind, enum = vehicle
    numbers = [number for number in sorted(mavlink.enums[enum]) if enum] if enum else list(_PX4_MODES)
    named = [(stack.mode_name(kind, number), number) for number in numbers]
    known = [(mode, number) for mode, number in named if not mode.startswith(("MODE_", "AUTO_"))]
    guided = [mode for mode, number in known if stack.is_guided(kind, number)]
    others = [mode for mode, number in known if not stack.is_guided(kind, number)]
    return name, ", ".join(guided) or "none", ", ".join(others)


def _waiting(happening: Happening, state: State) -> str:
    """What an event does before the pilot granted."""
    seen = outcome(happening, state)
    if seen.granted:
        return "**grants**"
    if not seen.target_stands:
        return "ends, target too"
    if state is State.READY and not seen.consent_stands:
        return "ends consent"
    if seen.after is State.READY and state is State.MONITOR:
        return "makes READY"
    if seen.lasting is not seen.before:
        return "not READY while it lasts" if seen.after is seen.before else "not READY"
    return "–"


def _flying(happening: Happening) -> str:
    """What an event does in flight; a stream makes a difference at the target, a plane in what it is told."""
    plain = _in_flight(outcome(happening, State.ENGAGED))
    others = {
        "PX4": _in_flight(outcome(happening, State.ENGAGED, streamed=True)),
        "a plane": _in_flight(outcome(happening, State.ENGAGED, circling=True)),
    }
    return "; ".join([plain, *(f"{name}: {other}" for name, other in others.items() if other != plain)])


def _in_flight(seen: Outcome) -> str:
    if seen.granted and seen.lines[-1].setpoint is not None and seen.lines[-1].setpoint.reason.startswith("hold"):
        return "holds on"
    if seen.granted:
        return "refused, flies on" if seen.refused else "flies on"
    there = any(reason in FINISHED for line in seen.lines for reason in line.reasons)
    last = "holds" if seen.holds else "circles on" if there else "silent"
    return f"ends{_when(seen)}, {last}"


def _when(seen: Outcome) -> str:
    after_s = seen.ended_after_s
    return "" if after_s < 1.0 else f" after {after_s:.0f} s"


def _grants(happening: Happening) -> Iterator[str]:
    yield _yes(flies(happening, State.READY, lasting=True))
    yield _yes(flies(happening, State.READY))
    yield _yes(flies(happening, State.ENGAGED))
    yield _yes(flies(happening, State.ENGAGED, again=True))
    others = [flies(happening, state, mode="LOITER", again=again) for state in _STATES for again in (False, True)]
    yield _yes(any(others))


def _yes(granted: bool) -> str:
    return "**flies**" if granted else "–"
