"""What this computer says of itself, from files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.machine import temperature_c


def sensors(folder: Path, *said: str) -> Path:
    for number, text in enumerate(said):
        zone = folder / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)
    (folder / "cooling_device0").mkdir()
    return folder


@pytest.mark.parametrize(
    ("said", "hottest"),
    [
        (("41500\n", "63250\n", "-256000\n"), 63.25),  # a part that is switched off
        (("-12000\n",), -12.0),
        (("", "no number\n", "999999999\n"), None),
        ((), None),
    ],
)
def test_the_hottest_sensor_that_is_believable(tmp_path: Path, said: tuple[str, ...], hottest: float | None) -> None:
    assert temperature_c(sensors(tmp_path, *said)) == hottest


def test_a_computer_without_sensors(tmp_path: Path) -> None:
    assert temperature_c(tmp_path / "nowhere") is None
