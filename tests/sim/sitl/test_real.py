"""A whole scenario on real firmware, where a variable names its binary: ten minutes of its time each."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sim.cli.scenarios import FlightOptions, Flying, fly_scenario
from sim.sitl.hangar import FIRMWARE
from tests.sim.conformance.facts import binary_of

SEED = 1


@pytest.mark.parametrize("name", list(FIRMWARE))
@pytest.mark.parametrize("scenario", ["return", "denied"])
def test_a_scenario_passes_on_real_firmware(name: str, scenario: str, tmp_path: Path) -> None:
    binary = binary_of(name)
    if binary is None:
        pytest.skip(f"{FIRMWARE[name]().variable} names no binary of the simulator of {FIRMWARE[name]().name}")
    flying = Flying(name, launch=binary)
    options = FlightOptions("procedural", SEED, tmp_path, measure=False, browser=False, json=True, small=True,
                            flying=flying)  # fmt: skip
    result, _ = fly_scenario(scenario, options, tmp_path, time.monotonic(), print, lambda share: None)
    assert result["checks"] == dict.fromkeys(result["checks"], True)
    assert result["autopilot"].startswith(FIRMWARE[name]().name)
    page = (tmp_path / "report.html").read_text()
    assert "simulated in" not in page and "simulated computer" not in page
