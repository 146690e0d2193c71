"""`homing run` as a process of its own, as on the drone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import tomlkit

from runtime.control.client import ask
from runtime.errors import ControlError
from sim.scenario.aircraft import Answer

_END_LIMIT_S = 30.0


class DaemonProcess:
    """One configuration in a folder, started and ended as often as the flight asks for; each start has its own log."""

    def __init__(self, folder: Path, sections: dict[str, Any]) -> None:
        """``sections`` of the configuration; where its socket and its logs are, is said here."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        for old in (folder / "logs").glob("*"):  # of an earlier run
            old.unlink()
        self.socket = folder / "control.sock"
        self.config = folder / "homing.toml"
        log = {**sections.get("log", {}), "directory": str(folder.resolve() / "logs")}
        own = {"control": {"socket": str(self.socket.resolve())}, "log": log}
        self.config.write_text(tomlkit.dumps({**sections, **own}), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def logs(self) -> list[Path]:
        """Its flight logs, oldest first: one for each start."""
        return sorted((self._folder / "logs").glob("*.mcap"), key=lambda path: path.stat().st_mtime_ns)

    def start(self) -> None:
        """Start it; it answers some seconds later."""
        command = [sys.executable, "-m", "runtime", "run", "--config", str(self.config)]
        with (self._folder / "run.log").open("a") as console:
            self._process = subprocess.Popen(command, stderr=console, env={**os.environ, "HOMING_LOG": "INFO"})

    def end(self, number: int) -> None:
        """End it with SIGTERM, as a service manager does, or SIGKILL, as a power cut does; nothing if none runs."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(timeout=_END_LIMIT_S)

    def ask(self, request: Answer, timeout_s: float = 60.0) -> Answer:
        """Its answer; a refusal, or nobody there, is an answer with ``error``."""
        try:
            return ask(self.socket, request, timeout_s)
        except ControlError as error:
            return {"error": str(error)}
