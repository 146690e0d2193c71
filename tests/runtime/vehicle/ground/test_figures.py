"""Figures on the wire: named, of ten characters at most, unknown rather than zero; the computer's from a real one."""

from __future__ import annotations

import math
import time
from pathlib import Path

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.computer import Computer, ComputerLoad, Disk
from runtime.vehicle.ground.figures import NAMES, NavigationFigures, computer_message, figure_messages
from tests.runtime.vehicle.peer import Wire


def test_every_figure_has_a_name_that_fits_and_what_is_unknown_is_not_zero() -> None:
    assert set(NAMES) == set(NavigationFigures.__slots__) and all(len(name) <= 10 for name in NAMES.values())
    said = {m.name.rstrip("\0"): m.value for m in sent(NavigationFigures(sigma_m=2.5, coast_left_s=0.0), None)}
    assert (said["hm_sigma"], said["hm_coast"]) == (2.5, 0.0)
    assert math.isnan(said["hm_fixage"]) and math.isnan(said["hm_prob"])


def sent(figures: NavigationFigures, load: ComputerLoad | None) -> list[mavlink.MAVLink_message]:
    """As a ground station parses them."""
    wire = Wire()
    wire.run(1.5)
    wire.sent.clear()
    wire.vehicle.report(figures, load, 12_345)
    wire.run(0.01)
    kinds = ("NAMED_VALUE_FLOAT", "ONBOARD_COMPUTER_STATUS")
    return [packet.message for _, packet in wire.sent if packet.name in kinds]


def test_a_silent_heartbeat_silences_the_figures_too() -> None:
    wire = Wire()
    wire.run(1.5)
    wire.fed = False
    wire.run(2.5)
    wire.sent.clear()
    wire.vehicle.report(NavigationFigures(), ComputerLoad(), 1)
    wire.run(0.01)
    assert {packet.name for _, packet in wire.sent}.isdisjoint({"NAMED_VALUE_FLOAT", "ONBOARD_COMPUTER_STATUS"})


def test_the_computers_load_travels_in_the_messages_units() -> None:
    load = ComputerLoad((0.25, 1.0), (900, 7600), Disk(120 << 20, 50_000 << 20, 64_000 << 20), 61.6)
    *_, m = sent(NavigationFigures(), load)
    assert list(m.cpu_cores) == [25, 100, 255, 255, 255, 255, 255, 255]
    assert (m.uptime, m.ram_usage, m.ram_total, m.temperature_board) == (12_345, 900, 7600, 62)
    assert (m.storage_usage[0], m.storage_total[0], m.storage_usage[1]) == (120, 64_000, 0xFFFFFFFF)


def test_what_is_not_known_of_the_computer_is_said_as_not_known() -> None:
    m = computer_message(ComputerLoad(), 1)
    assert set(m.cpu_cores) == {255} and (m.temperature_board, m.ram_total) == (127, 0xFFFFFFFF)
    assert set(m.storage_total) == set(m.link_tx_rate) == {0xFFFFFFFF}
    assert len(list(figure_messages(NavigationFigures(), 1))) == 4


def test_a_real_computer_is_looked_at(tmp_path: Path) -> None:
    computer = Computer(tmp_path)
    end_s = time.process_time() + 0.05
    while time.process_time() < end_s:
        pass  # something to be seen
    load = computer.look()
    assert load.cores and all(0.0 <= share <= 1.0 for share in load.cores) and max(load.cores) > 0.0
    assert load.memory_mib is not None and 0 < load.memory_mib[0] < load.memory_mib[1]
    assert load.disk is not None and 0 <= load.disk.used_bytes + load.disk.free_bytes <= load.disk.total_bytes
    assert load.resident_bytes is not None and load.resident_bytes > 20 << 20
    assert Computer(tmp_path / "gone").look().disk is None
    assert computer.load() is None  # nobody has started it
