"""From the start of `homing run` to READY over a long history, and the most memory that the daemon then takes.

    python -m tests.bench.startup [--keyframes N] [--starts N] [--seconds S] [--cold]

`homing run` as a process of its own against a served drone that hovers, with the status page, the flight log and the
recorder on, over a copy of a history of N keyframes (`tests.bench.long_history`). Timed from before the process is
started, by the wall clock and by the CPU time that it has taken until then, once for each start:

- answers: its control socket answers;
- service: it tells its service manager that it is ready (the autopilot answers, and a decision has been made);
- READY: the operator's target, given as soon as the socket answers, is confirmed and consented to, and nothing but the
  pilot's switch is missing.

``--cold``: the history's pages are put out of the page cache before each start, as after a boot.
During the last start a page's viewer takes everything for some seconds, and one target picture is located.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import psutil

from runtime.control.client import ask
from runtime.errors import ControlError
from runtime.geodesy import offset
from sim.serve import SATELLITE_GSD_M
from sim.world.world import ORIGIN
from tests.bench.long_history import long_history
from tests.bench.page import drone, viewer
from tests.sim.served import free_port, process

_PATIENCE_S = 180.0  # a busy computer
_POLL_S = 0.02
_TARGET_NE_M, _TARGET_PX = (150.0, 120.0), 300


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds since the start, and CPU seconds taken until then, at each mark; and the last reasons that went."""

    wall_s: dict[str, float]
    cpu_s: dict[str, float]
    waited_for: dict[str, float]


class Daemon:
    """A process that was started at ``begun_s`` and tells a service manager how it does."""

    def __init__(self, config: Path, pid: int, begun_s: float, manager: socket.socket) -> None:
        self.control, self.pid = config.with_name("control.sock"), pid
        self._process, self._begun_s, self._manager = psutil.Process(pid), begun_s, manager

    def started(self) -> Start:
        """Waits until it is READY, giving it its target as soon as it takes one."""
        marks: dict[str, tuple[float, float]] = {}
        waited_for: dict[str, float] = {}
        asked = False
        while "READY" not in marks:
            if time.monotonic() - self._begun_s > _PATIENCE_S:
                raise SystemExit(f"not READY within {_PATIENCE_S:g} s; still {', '.join(waited_for)}.")
            time.sleep(_POLL_S)
            if "service" not in marks and b"READY=1" in self._told():
                marks["service"] = self._now()
            status = self._status()
            if status is None:
                continue
            marks.setdefault("answers", self._now())
            asked = asked or self._ask_for_target()
            waited_for |= dict.fromkeys(status["reasons"], self._now()[0])
            if status["state"] == "ready":
                marks["READY"] = self._now()
        return Start(
            {name: wall_s for name, (wall_s, _) in marks.items()},
            {name: cpu_s for name, (_, cpu_s) in marks.items()},
            waited_for,
        )

    def memory_mb(self) -> dict[str, float]:
        """What is resident now, the most that ever was, and what of it is the process's own."""
        said = Path(f"/proc/{self.pid}/status").read_text()
        kilobytes = {line.split(":")[0]: float(line.split()[1]) for line in said.splitlines() if line.endswith(" kB")}
        own = self._process.memory_full_info().uss / 2**20
        return {"resident": kilobytes["VmRSS"] / 1024, "at most": kilobytes["VmHWM"] / 1024, "its own": own}

    def _ask_for_target(self) -> bool:
        target = offset(ORIGIN, *_TARGET_NE_M)
        place = {"latitude_deg": target.latitude_deg, "longitude_deg": target.longitude_deg}
        try:
            for request in ({"command": "target", **place}, {"command": "confirm"}, {"command": "engage"}):
                ask(self.control, request)
        except ControlError:
            return False
        return True

    def _status(self) -> dict[str, Any] | None:
        try:
            return ask(self.control, {"command": "status"})
        except ControlError:
            return None

    def _told(self) -> bytes:
        try:
            return self._manager.recv(4096)
        except BlockingIOError:
            return b""

    def _now(self) -> tuple[float, float]:
        return time.monotonic() - self._begun_s, sum(self._process.cpu_times()[:2])


@contextmanager
def started(config: Path, scratch: Path) -> Iterator[Daemon]:
    """`homing run` with that configuration, under a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        address = scratch / f"notify-{time.monotonic_ns()}"
        manager.bind(str(address))
        manager.setblocking(False)
        begun_s = time.monotonic()
        command = ("runtime.cli.main", "run", "--config", str(config))
        with process(*command, log=scratch / "run.log", NOTIFY_SOCKET=str(address)) as child:
            yield Daemon(config, child.pid, begun_s, manager)


def forget(path: Path) -> None:
    """Puts a file's pages out of the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def with_page(config: Path) -> str:
    """Turns the status page on; its address."""
    port = free_port(socket.SOCK_STREAM)
    config.write_text(config.read_text() + f"\n[page]\nenabled = true\nport = {port}\ncontrol = true\n")
    return f"http://127.0.0.1:{port}/"


def used(daemon: Daemon, address: str, target: Path, seconds: float) -> None:
    """A viewer of the page for some seconds, and one picture that is looked for."""
    with viewer(address):
        time.sleep(seconds)
        request = {"command": "target", "image": str(target), "target_gsd_m": SATELLITE_GSD_M}
        ask(daemon.control, request, timeout_s=_PATIENCE_S)
        time.sleep(seconds)


def target_picture(scratch: Path) -> Path:
    """The middle of the served drone's satellite image."""
    whole = cv2.imread(str(scratch / "satellite.tif"))
    assert whole is not None
    row, column = (side // 2 - _TARGET_PX // 2 for side in whole.shape[:2])
    path = scratch / "target.png"
    cv2.imwrite(str(path), whole[row : row + _TARGET_PX, column : column + _TARGET_PX])
    return path


def say(start: Start) -> None:
    """One line of the table, and what READY waited for last."""
    words = [f"{name} {start.wall_s[name]:5.2f} s ({start.cpu_s[name]:.2f} CPU s)" for name in start.wall_s]
    last = sorted(start.waited_for.items(), key=lambda one: one[1])[-3:]
    print(", ".join(words) + f"; last reasons {', '.join(f'{name} until {until_s:.2f} s' for name, until_s in last)}")


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyframes", type=int, default=10_000)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--fps", type=float, default=4.0)
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args(words)
    kept = long_history(ORIGIN, options.keyframes)
    with tempfile.TemporaryDirectory() as folder, drone(Path(folder), options.fps) as (config, pilot):
        scratch, address = Path(folder), with_page(config)
        history = config.with_name("history.db")
        shutil.copyfile(kept, history)
        for number in range(options.starts):
            if options.cold:
                forget(history)
            with started(config, scratch) as daemon:
                say(daemon.started())
                print(f"load {os.getloadavg()[0]:.1f}, MB:", {k: round(v) for k, v in daemon.memory_mb().items()})
                if number + 1 == options.starts:
                    used(daemon, address, target_picture(scratch), options.seconds)
                    print("in use, MB:", {name: round(mb) for name, mb in daemon.memory_mb().items()})
                    print(ask(daemon.control, {"command": "status"})["counts"])


if __name__ == "__main__":
    sys.exit(main())
