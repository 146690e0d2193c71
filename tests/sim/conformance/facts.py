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

from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.firmware import Stand
from sim.sitl.hangar import FIRMWARE
from sim.sitl.launch import launched
from tests.sim.conformance.exchanges import everything
from tests.sim.conformance.side import BuiltInLine, Peer, RealLine, Side

RECORDED = Path(__file__).with_name("facts.json")
NAMES = ("builtin", *FIRMWARE)
_STAND = Stand(GeoPoint(60.4, 22.4), 37.0)
_PORT_TRIES = 30

Gathered = dict[str, Any]  # "version", and "facts" by exchange


def recorded() -> dict[str, Gathered]:
    """By autopilot."""
    return dict(json.loads(RECORDED.read_text(encoding="utf-8"))) if RECORDED.exists() else {}


def write(facts: dict[str, Gathered]) -> None:
    """Keep them."""
    RECORDED.write_text(json.dumps({name: facts[name] for name in NAMES if name in facts}, indent=1) + "\n")


def gathered(name: str, tell: Callable[[str], None] = lambda exchange: None) -> Gathered:
    """Of this autopilot; a real one is started for it."""
    with _side(name) as side:
        facts = everything(side, tell)
        version = side.peer.firmware.name
    return {"autopilot": "built-in" if name == "builtin" else version, "facts": facts}


def binary_of(name: str) -> Path | None:
    """What the firmware's environment variable names."""
    path = os.environ.get(FIRMWARE[name]().variable)
    return Path(path) if path else None


@contextmanager
def _side(name: str) -> Iterator[Side]:
    if name == "builtin":
        config = AutopilotConfig(_STAND.position, home_altitude_amsl_m=37.0, parameters=_fallback())
        yield Side(Peer(ArduCopter(), sticks=False), BuiltInLine(Autopilot(config)))
        return
    firmware, binary = FIRMWARE[name](), binary_of(name)
    assert binary is not None, f"{firmware.variable} names no binary"
    with tempfile.TemporaryDirectory() as folder, launched(firmware, binary, Path(folder) / "sitl", _STAND) as found:
        line = _opened(found[0])
        try:
            side = Side(Peer(firmware, sticks=True), line)
            _let_arm(side)
            yield side
        finally:
            line.link.close()


def _fallback() -> dict[str, float]:
    return {"EK3_SRC2_POSXY": 6.0, "EK3_SRC2_VELXY": 6.0, "EK3_SRC2_YAW": 1.0}


def _let_arm(side: Side) -> None:
    """A vehicle that expects to be fed does not arm before it is: it is told only later."""
    side.run(3.0)
    if side.peer.firmware.name != "PX4":
        side.peer.send(side.peer.firmware.parameter_set("VISO_TYPE", 0.0))


def _opened(uri: str) -> RealLine:
    for tries in range(_PORT_TRIES):
        try:
            return RealLine(uri)
        except Exception:
            if tries == _PORT_TRIES - 1:
                raise
            time.sleep(1.0)
    raise AssertionError
