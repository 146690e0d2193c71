"""Ground-station programs of other people, as processes beside a flight."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType


class Program:
    """A program that is typed into; what it says is kept in a file. A context."""

    def __init__(self, command: Sequence[str], folder: Path, name: str) -> None:
        self._command, self._folder, self._log = command, folder, folder / f"{name}.log"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Program:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("w") as out:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, text=True,
                cwd=self._folder, env={**os.environ, "HOME": str(self._folder)}, start_new_session=True,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        # MAVProxy asks its many threads first, which takes longer than a test waits, and leaves a helper behind.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=10.0)
        if self._process.stdin is not None:
            self._process.stdin.close()

    def type_in(self, line: str) -> None:
        """A line, and return."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    @property
    def said(self) -> str:
        """Everything so far."""
        return self._log.read_text(errors="replace")

    def wait_for(self, words: str, patience_s: float = 60.0) -> None:
        """Until it has said this."""
        end_s = time.monotonic() + patience_s
        while words not in self.said:
            assert time.monotonic() < end_s, f"it never said {words!r}: {self.said[-500:]}"
            time.sleep(0.1)


def mavproxy(master: str, folder: Path) -> Program:
    """MAVProxy on a line of its own, with its own console."""
    binary = Path(sys.executable).parent / "mavproxy.py"
    words = [sys.executable, str(binary), "--nowait", f"--state-basedir={folder}", f"--master={master}"]
    return Program(words, folder, "mavproxy")


def mavsdk(url: str, parameter: str, folder: Path) -> Program:
    """MAVSDK, as `mavsdk_pilot` uses it; ``parameter`` is read again and again."""
    words = [sys.executable, str(Path(__file__).with_name("mavsdk_pilot.py")), url, parameter]
    return Program(words, folder, "mavsdk")
