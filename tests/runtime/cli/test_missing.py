"""A library that is not installed is a user's to install; a module of Homing's own that is absent is a mistake here."""

from __future__ import annotations

import subprocess
import sys


def _start(module: str) -> subprocess.CompletedProcess[str]:
    program = f"from runtime.cli.missing import start; start('homing-sim', {module!r}, 'cpu,sim')"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


def test_a_library_is_one_sentence() -> None:
    ran = _start("no_such_library.part")
    said = "homing-sim: no_such_library is not installed: pip install 'homing[cpu,sim]'.\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", said)


def test_a_module_of_our_own_is_a_traceback() -> None:
    ran = _start("runtime.no_such_module")
    assert ran.returncode == 1 and "ModuleNotFoundError: No module named 'runtime.no_such_module'" in ran.stderr
