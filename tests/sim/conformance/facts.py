"""Facts of an autopilot: gathered by the exchanges, and as they were recorded."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sim.autopilot
from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.scenario.conditions import FALLBACK
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.firmware import Stand
from sim.sitl.hangar import FIRMWARE
from sim.sitl.launch import launched
from sim.sitl.pilot import version_in_words
from tests.sim.conformance.exchanges import everything
from tests.sim.conformance.side import BuiltInLine, Peer, RealLine, Side

RECORDED = Path(sim.autopilot.__file__).with_name("conformance.json")
REAL = ("ardupilot", "px4")
NAMES = ("builtin", *REAL)
_STAND = Stand(GeoPoint(60.4, 22.4), 37.0)
_PORT_TRIES = 30

Gathered = dict[str, Any]  # "version" in words, and "facts" by exchange


def recorded() -> dict[str, Gathered]:
    """By autopilot."""
    return dict(_read()["autopilots"])


def differences() -> dict[tuple[str, str], str]:
    """Why the built-in autopilot differs from ArduCopter, by exchange and fact."""
    return {(exchange, fact): why for exchange, facts in _read()["differences"].items() for fact, why in facts.items()}


def write(name: str, facts: Gathered) -> None:
    """Keep them as what is recorded of this autopilot."""
    kept = _read()
    kept["autopilots"] = {one: {**kept["autopilots"], name: facts}.get(one) for one in NAMES}
    kept["autopilots"] = {one: facts for one, facts in kept["autopilots"].items() if facts is not None}
    RECORDED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _read() -> dict[str, Any]:
    if not RECORDED.exists():
        return {"autopilots": {}, "differences": {}}
    return dict(json.loads(RECORDED.read_text(encoding="utf-8")))


def gathered(name: str, tell: Callable[[str], None] = lambda exchange: None) -> Gathered:
    """Of this autopilot; a real one is started for it."""
    with _side(name) as side:
        begun = time.monotonic()

        def told_when(exchange: str) -> None:
            tell(f"[{time.monotonic() - begun:5.1f} s] {exchange}")

        facts = everything(side, told_when)
        told = side.last("AUTOPILOT_VERSION")
    if name == "builtin":
        return {"version": "built-in", "facts": facts}
    firmware, words = FIRMWARE[name]().name, version_in_words(told.flight_sw_version, bytes(told.flight_custom_version))
    return {"version": f"{firmware} {words}", "facts": facts}


def binary_of(name: str) -> Path | None:
    """What the firmware's environment variable names."""
    path = os.environ.get(FIRMWARE[name]().variable)
    return Path(path) if path else None


@contextmanager
def _side(name: str) -> Iterator[Side]:
    if name == "builtin":
        config = AutopilotConfig(_STAND.position, home_altitude_amsl_m=37.0, parameters=FALLBACK)
        yield Side(Peer(ArduCopter(), sticks=False), BuiltInLine(Autopilot(config)))
        return
    firmware, binary = FIRMWARE[name](), binary_of(name)
    assert binary is not None, f"{firmware.variable} names no binary"
    with tempfile.TemporaryDirectory() as folder, launched(firmware, binary, Path(folder) / "sitl", _STAND) as found:
        line = _opened(found[0])
        try:
            yield Side(Peer(firmware, sticks=True), line)
        finally:
            line.link.close()


def _opened(uri: str) -> RealLine:
    for tries in range(_PORT_TRIES):
        try:
            return RealLine(uri)
        except Exception:
            if tries == _PORT_TRIES - 1:
                raise
            time.sleep(1.0)
    raise AssertionError
