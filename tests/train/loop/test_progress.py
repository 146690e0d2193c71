"""Who waits for a run is told: lines where there is no terminal, a bar with the time left where there is one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

pytest.importorskip("torch")

from train.loop.progress import told  # noqa: E402


def test_lines_without_a_terminal() -> None:
    out = io.StringIO()
    with told(Console(file=out, width=120)) as tell:
        for step in range(1, 101):
            tell(step, 100, 2.0 / step, 31.4, 90.0)
    lines = out.getvalue().splitlines()
    assert len(lines) == 20
    assert lines[0] == "step 5 of 100: loss 0.4000, 31 images/s, 1.5 min left"
    assert lines[-1].startswith("step 100 of 100: ")


def test_a_bar_on_a_terminal() -> None:
    out = io.StringIO()
    with told(Console(file=out, width=120, force_terminal=True)) as tell:
        tell(7, 10, 0.25, 31.4, 90.0)
    assert all(part in out.getvalue() for part in ("loss 0.2500  31 images/s", "7/10", "1.5 min left"))
