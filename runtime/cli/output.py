"""What the commands print: JSON lines for programs, sentences for people, progress on stderr."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from runtime.cli.interruption import INTERRUPTION
from runtime.finite import finite

if TYPE_CHECKING:  # `homing run` shows no bar
    from rich.progress import Progress

SCHEMA = 1


def emit(record: dict[str, Any]) -> None:
    """One object on one line of stdout, ``schema`` first; a number that is not finite becomes null."""
    typer.echo(json.dumps({"schema": SCHEMA, **finite(record)}, allow_nan=False))


def say(text: str) -> None:
    """A line for people, on stdout."""
    typer.echo(text)


def warn(text: str) -> None:
    """A line for people, on stderr."""
    typer.echo(text, err=True)


class Steps:
    """Counts the steps of long work: a bar with time left on a terminal, a plain line each tenth elsewhere."""

    def __init__(self, progress: Progress | None, what: str, total: int) -> None:
        self._progress = progress
        self._what = what
        self._total = total
        self._done = 0
        self._task = progress.add_task(what, total=total) if progress is not None else None

    def step(self) -> None:
        """One more is done.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, and a library kept it to itself.
        """
        INTERRUPTION.check()
        self._done += 1
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)
        elif self._done * 10 // self._total != (self._done - 1) * 10 // self._total:
            warn(f"{self._what}: {self._done} of {self._total}")


Progressing = Callable[[str, int], AbstractContextManager[Steps]]  # `progress`, or what stands in for it


@contextmanager
def progress(what: str, total: int) -> Iterator[Steps]:
    """Progress of ``total`` steps on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Steps(None, what, max(total, 1))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        yield Steps(bar, what, max(total, 1))


@contextmanager
def share_done() -> Iterator[Callable[[float, str], None]]:
    """A bar with the time left on a terminal's stderr, told (share, what is being done); nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda share, what: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share, what: bar.update(task, completed=share, description=what)


def open_on_a_desk(path: Path) -> None:
    """Show a page in the browser where somebody sits in front of one: on a terminal, with a display, not in CI."""
    with_display = sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
    if sys.stdout.isatty() and with_display and "CI" not in os.environ:
        webbrowser.open(path.resolve().as_uri())
