"""A simulator is started where its ports are free, and ends with all that it started."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.errors import UsageError
from runtime.values import GeoPoint
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.firmware import Stand
from sim.sitl.launch import launched
from sim.sitl.px4 import Px4

STAND = Stand(GeoPoint(60.4, 22.4), 37.0)
PROGRAM = """#!{python}
import os, signal, socket, subprocess, sys, time
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("helper", "w").write(str(helper.pid))
open("words", "w").write(" ".join(sys.argv[1:]))
time.sleep(600)
"""


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "arducopter"
    path.write_text(PROGRAM.format(python=sys.executable))
    path.chmod(0o755)
    return path


def wait_for(condition: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + 30.0
    while not condition() and time.monotonic() < end_s:
        time.sleep(0.02)
    return condition()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return state != "Z"


@pytest.fixture
def taken() -> Iterator[int]:
    """The first instance's port, in use by somebody else."""
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            first.bind(("127.0.0.1", 5760))
            first.listen()
        except OSError:
            pass  # it is in use in any case
        yield 5760


def test_it_starts_on_free_ports_and_ends_with_its_helpers(binary: Path, tmp_path: Path, taken: int) -> None:
    folder = tmp_path / "sitl"
    with launched(ArduCopter(), binary, folder, STAND) as (companion, station):
        port = int(companion.rsplit(":", 1)[1])
        assert port > taken and port % 10 == 0 and station == f"tcp:127.0.0.1:{port + 2}"
        assert wait_for(lambda: (folder / "words").exists() and (folder / "words").read_text() != "")
        words = (folder / "words").read_text().split()
        assert words[words.index("--home") + 1] == "60.40000000,22.40000000,37.00,0"
        assert words[words.index("-I") + 1] == str((port - 5760) // 10)
        helper = int((folder / "helper").read_text())
        assert alive(helper)
    assert wait_for(lambda: not alive(helper))


def test_two_that_start_at_once_are_two_instances(binary: Path, tmp_path: Path) -> None:
    """The first does not listen yet when the second looks for free ports."""
    with launched(ArduCopter(), binary, tmp_path / "one", STAND) as one:
        with launched(ArduCopter(), binary, tmp_path / "other", STAND) as other:
            assert set(one).isdisjoint(other)
        with launched(ArduCopter(), binary, tmp_path / "other", STAND) as third:  # what ended is free again
            assert set(one).isdisjoint(third)


def test_no_two_instances_of_px4_are_told_to_send_to_one_port(tmp_path: Path) -> None:
    firmware = Px4()
    ports = [uri for n in range(firmware.instances) for uri in firmware.command(tmp_path, tmp_path, n, STAND)[1]]
    assert len(set(ports)) == 2 * firmware.instances
    assert "udpin:127.0.0.1:14550" not in ports  # every ground station's


def test_it_is_set_up_before_it_boots(binary: Path, tmp_path: Path) -> None:
    with launched(ArduCopter(), binary, tmp_path / "sitl", STAND):
        lines = dict(line.split() for line in (tmp_path / "sitl" / "defaults.parm").read_text().splitlines())
    assert float(lines["VISO_TYPE"]) == 1.0 and float(lines["EK3_SRC2_POSXY"]) == 6.0
    assert float(lines["FRAME_CLASS"]) == 1.0


def test_an_earlier_flight_is_forgotten(binary: Path, tmp_path: Path) -> None:
    memory = tmp_path / "sitl" / "eeprom.bin"
    memory.parent.mkdir()
    memory.write_bytes(b"what was set before")
    with launched(ArduCopter(), binary, tmp_path / "sitl", STAND):
        assert not memory.exists()


def test_what_is_no_program_is_refused_in_one_sentence(tmp_path: Path) -> None:
    plain = tmp_path / "README"
    plain.write_text("no program")
    for path in (plain, tmp_path / "missing"):
        with pytest.raises(UsageError, match="no program that could be started; give the binary of ArduCopter"):
            with launched(ArduCopter(), path, tmp_path / "sitl", STAND):
                pass
