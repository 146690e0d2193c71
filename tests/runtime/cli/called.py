"""A program called in the process of the test: what it writes and how it exits, without the second of its imports."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryFile
from typing import IO

from runtime.cli.main import main


def homing(*words: str | Path) -> CompletedProcess[str]:
    """`homing` with ``words``."""
    return program(main, *words)


def program(entry: Callable[[list[str]], object], *words: str | Path) -> CompletedProcess[str]:
    """A program with ``words``: its exit status, and what it and the libraries beneath it wrote to stdout and stderr.

    Both are files, as where a program runs it; what a C library writes goes there too.
    """
    arguments = [str(word) for word in words]
    with TemporaryFile("w+") as out, TemporaryFile("w+") as errors:
        with _written_to(out, errors), _logging_anew():
            status = _status(entry, arguments)
        out.seek(0)
        errors.seek(0)
        return CompletedProcess(arguments, status, out.read(), errors.read())


def _status(entry: Callable[[list[str]], object], words: list[str]) -> int:
    try:
        entry(words)
    except SystemExit as left:
        assert isinstance(left.code, int)
        return left.code


@contextmanager
def _written_to(out: IO[str], errors: IO[str]) -> Iterator[None]:
    """What Python or any library writes to file descriptors 1 and 2 goes into these files."""
    before = os.dup(1), os.dup(2)
    os.dup2(out.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    try:
        with redirect_stdout(out), redirect_stderr(errors):
            yield
    finally:
        for descriptor, kept, file in zip((1, 2), before, (out, errors), strict=True):
            file.flush()
            os.dup2(kept, descriptor)
            os.close(kept)


@contextmanager
def _logging_anew() -> Iterator[None]:
    """The root logger as a new process has it, for the program to configure."""
    root = logging.getLogger()
    before, level, root.handlers = root.handlers, root.level, []
    try:
        yield
    finally:
        root.handlers = before
        root.setLevel(level)
