"""A command's products of matrices are one thread's, unless the environment says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import contextlib, os, sys
from runtime.__main__ import main
sys.argv = ["homing", "--version"]
with contextlib.suppress(SystemExit):
    main()
import numpy as np
np.ones((400, 400)) @ np.ones((400, 400))
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux alone shows a process's threads")
@pytest.mark.parametrize(("told", "threads"), [({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)])
def test_openblas_has_one_thread_unless_it_is_told(told: dict[str, str], threads: int) -> None:
    left_out = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment | told, capture_output=True, text=True, timeout=60, check=True
    )
    assert int(ran.stdout.split()[-1]) == threads
