"""ArduPlane's firmware in ArduPilot's own simulator, as a plane and as a QuadPlane."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sim.scenario.dialect import Dialect
from sim.scenario.plane import PLANE, QUADPLANE
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.firmware import Stand

TAKEOFF_HEIGHT_M = 60.0
_DIALECTS: dict[str, Dialect] = {"plane": PLANE, "quadplane": QUADPLANE}


class ArduPlane(ArduCopter):
    """See `sim.sitl.firmware.Firmware`; ``model``: "plane" or "quadplane"."""

    name = "ArduPlane"
    variable = "HOMING_ARDUPLANE"

    def __init__(self, model: str) -> None:
        self._model = model
        self.dialect = _DIALECTS[model]

    def command(self, binary: Path, folder: Path, instance: int, stand: Stand) -> tuple[list[str], tuple[str, str]]:
        """With the parameters of ArduPilot's own tests for this model."""
        words, found = super().command(binary, folder, instance, stand)
        defaults = Path(__file__).with_name(f"{self._model}.parm").read_text(encoding="utf-8")
        ours = "".join(f"{name} {value:g}\n" for name, value in self.set_up().items())
        (folder / "defaults.parm").write_text(f"{defaults}\n{ours}", encoding="utf-8")
        words[words.index("--model") + 1] = self._model
        return words, found

    def set_up(self) -> Mapping[str, float]:
        """GPS only: a plane is not fed here."""
        return {"BATT_CAPACITY": 20_000.0, "BATT_MONITOR": 4.0, "TKOFF_ALT": TAKEOFF_HEIGHT_M, "THR_FAILSAFE": 1.0}

    def taken_at_boot(self) -> frozenset[str]:
        """Nothing of it."""
        return frozenset()
