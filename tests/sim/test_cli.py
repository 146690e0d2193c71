"""What `homing-sim` says of options that do not go together: one sentence, and no flight."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import UsageError
from sim.cli.scenarios import COMMANDS, Flying
from sim.scenario.catalogue import CATALOGUE
from sim.scenario.hangar import BuiltIn
from sim.sitl.hangar import SitlHangar


def test_every_scenario_is_a_command_and_every_command_a_scenario() -> None:
    assert sorted(COMMANDS) == sorted(CATALOGUE)


@pytest.mark.parametrize(
    ("flying", "sentence"),
    [
        (Flying(connect=("tcp:127.0.0.1:5760",)), "--connect and --launch are for --autopilot ardupilot or px4"),
        (Flying(launch=Path("arducopter")), "--connect and --launch are for --autopilot ardupilot or px4"),
        (Flying("betaflight"), "there is no autopilot betaflight; there are builtin, ardupilot"),
        (Flying("ardupilot", ("tcp:a:1", "tcp:a:2", "tcp:a:3")), "--connect is given once for the companion's line"),
    ],
)
def test_what_cannot_be_flown_is_refused(flying: Flying, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=sentence):
        flying.hangar(tmp_path)


def test_what_can_be_flown_is_provided(tmp_path: Path) -> None:
    assert isinstance(Flying(realtime=True).hangar(tmp_path), BuiltIn)
    hangar = Flying("ardupilot", launch=Path("arducopter")).hangar(tmp_path)
    assert isinstance(hangar, SitlHangar) and hangar.autopilot == "ArduCopter"
