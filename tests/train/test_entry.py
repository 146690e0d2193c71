"""Whatever ends a command of training, its user reads one sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        ("PermissionError(13, 'Not permitted', '/out')", 1, "tool: cannot read or write /out: Not permitted.\n"),
        ("ModuleNotFoundError(name='timm')", 2, "tool: timm is not installed: pip install 'homing[cpu,train]'.\n"),
        ("UsageError('there is no loss hinge.')", 2, "tool: there is no loss hinge.\n"),
    ],
)
def test_an_error_is_one_sentence(raised: str, status: int, said: str) -> None:
    program = (
        "from runtime.errors import UsageError\nfrom train.entry import enter\n"
        f"def command() -> None:\n    raise {raised}\nenter('tool', command)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)
