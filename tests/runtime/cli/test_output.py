"""What the commands show beside their results: a bar and a page for people at a terminal, nothing for anyone else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.cli.deferred import program
from runtime.cli.entry import enter
from runtime.cli.main import COMMANDS

_OPENS = "from pathlib import Path; from runtime.cli.output import open_on_a_desk; open_on_a_desk(Path('page.html'))"
_SHARES = """
from runtime.cli.output import say, share_done
with share_done() as bar:
    bar(0.25, "survey")
    say("a line")
    bar(1.0, "report")
"""


def on_a_terminal(program: str, folder: Path, environment: dict[str, str]) -> str:
    """What a program shows on a terminal of its own."""
    ours, its = pty.openpty()
    command = [sys.executable, "-c", program]
    done = subprocess.Popen(command, cwd=folder, stdin=its, stdout=its, stderr=its, env=environment)
    os.close(its)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert done.wait(timeout=30) == 0, shown.decode()
    return shown.decode()


def environment_of(folder: Path, **more: str) -> dict[str, str]:
    """A desk's, whose browser writes down what it is asked to show."""
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {folder}/opened\n')
    browser.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "DISPLAY", "WAYLAND_DISPLAY")}
    desk = {"BROWSER": f"{browser} %s", "TERM": "xterm", "COLUMNS": "100"}
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[3]), **desk, **more}


def test_a_page_opens_on_a_terminal_with_a_display(tmp_path: Path) -> None:
    on_a_terminal(_OPENS, tmp_path, environment_of(tmp_path, DISPLAY=":0"))
    assert (tmp_path / "opened").read_text().strip() == (tmp_path / "page.html").as_uri()


@pytest.mark.parametrize("more", [{}, {"DISPLAY": ":0", "CI": "true"}])
def test_it_opens_neither_without_a_display_nor_in_ci(tmp_path: Path, more: dict[str, str]) -> None:
    on_a_terminal(_OPENS, tmp_path, environment_of(tmp_path, **more))
    assert not (tmp_path / "opened").exists()


def test_it_opens_nothing_where_the_output_goes_to_a_file(tmp_path: Path) -> None:
    environment = environment_of(tmp_path, DISPLAY=":0")
    subprocess.run([sys.executable, "-c", _OPENS], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, check=True)
    assert not (tmp_path / "opened").exists()


def test_a_terminal_shows_a_bar_with_the_lines_above_it(tmp_path: Path) -> None:
    shown = on_a_terminal(_SHARES, tmp_path, environment_of(tmp_path))
    assert "a line" in shown and "report" in shown and "100%" in shown and "0:00:00" in shown


def test_elsewhere_there_are_the_lines_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SHARES], cwd=tmp_path, env=environment_of(tmp_path), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "a line\n", "")


def test_libraries_are_told_to_be_quiet_and_to_tell_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("OPENCV_LOG_LEVEL", "DEBUG")
    with pytest.raises(SystemExit):
        enter(program("homing", "", COMMANDS), ["--version"])
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert os.environ["OPENCV_LOG_LEVEL"] == "DEBUG"  # who asks for more gets it
