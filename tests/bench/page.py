"""What the status page costs the daemon.

    python -m tests.bench.page [--seconds S] [--keyframes N] [--fps F]

`homing run` as a process against a served drone, as in `tests.bench.daemon`: once without the page, once with it and
nobody looking, and once with one viewer who takes everything that a browser would.
"""

from __future__ import annotations

import argparse
import json
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from runtime.control.client import ask
from tests.bench.daemon import prepare, when
from tests.sim.served import Pilot, free_port, process

SEED = 100_021
_HEIGHT_M = 100.0
_SETTLE_S = 8.0
_PATIENCE_S = 180.0  # a busy computer


@dataclass(frozen=True)
class Flown:
    """A running daemon with its page."""

    pid: int
    control: Path
    address: str


@contextmanager
def drone(scratch: Path, fps: float) -> Iterator[tuple[Path, Pilot]]:
    """A served drone: its configuration, and the pilot."""
    station = free_port(socket.SOCK_DGRAM)
    serve = (
        "sim", "serve", "--seed", str(SEED), "--out", str(scratch), "--airborne-m", f"{_HEIGHT_M:g}", "--fps",
        str(fps), "--mavlink", "tcpin:127.0.0.1:0", "--station", f"udpout:127.0.0.1:{station}", "--json",
    )  # fmt: skip
    with process(*serve, log=scratch / "serve.log") as server:
        assert server.stdout is not None
        said = json.loads(server.stdout.readline())
        pilot = Pilot(station)
        try:
            yield Path(said["config"]), pilot
        finally:
            pilot.close()


@contextmanager
def flown(config: Path, page: bool) -> Iterator[Flown]:
    """`homing run` with that configuration."""
    control, port = config.with_name("control.sock"), free_port(socket.SOCK_STREAM)
    text = config.read_text().partition("\n[page]")[0]
    config.write_text(text + (f"\n[page]\nenabled = true\nport = {port}\ncontrol = true\n" if page else ""))
    with process("runtime.cli.main", "run", "--config", str(config), log=config.with_name("run.log")) as child:
        when(lambda: ask(control, {"command": "status"})["vehicle"]["connected"], _PATIENCE_S)
        yield Flown(child.pid, control, f"http://127.0.0.1:{port}/")


def measured(daemon: Flown, seconds: float) -> tuple[float, float]:
    """Most resident memory in MB, and the share of one core, over some seconds."""
    child, most = psutil.Process(daemon.pid), 0.0
    before = sum(child.cpu_times()[:2])
    begun_s = time.monotonic()
    while time.monotonic() - begun_s < seconds:
        time.sleep(0.5)
        most = max(most, child.memory_info().rss / 2**20)
    return most, (sum(child.cpu_times()[:2]) - before) / (time.monotonic() - begun_s)


@contextmanager
def viewer(address: str) -> Iterator[None]:
    """Takes the stream, and every picture that it tells of, as a browser does."""
    stop = threading.Event()

    def look() -> None:
        shown: dict[str, Any] = {}
        with urllib.request.urlopen(address + "api/live", timeout=10) as stream:
            while not stop.is_set():
                line = stream.readline()
                if line.startswith(b"data: "):
                    _fetch_new(address, json.loads(line[6:]), shown)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _fetch_new(address: str, message: dict[str, Any], shown: dict[str, Any]) -> None:
    matched = message.get("matched")
    wanted = {"live": ("view/live.jpg", message.get("frame"))}
    if matched is not None:
        wanted["matched"] = ("view/matched.jpg", matched["frame"])
        wanted["keyframe"] = (f"keyframe/{matched['keyframe']}.jpg", matched["keyframe"])
    for name, (path, version) in wanted.items():
        if version is not None and shown.get(name) != version:
            shown[name] = version
            urllib.request.urlopen(address + path, timeout=10).read()


def cost(config: Path, seconds: float) -> None:
    """Print the table."""
    print(f"{'':34s} {'MB resident':>12s} {'cores':>7s} {'guide p99 ms':>13s} {'show p99 ms':>12s}")
    for name, page, watched in (("without the page", False, False), ("with it, nobody looks", True, False),
                                ("one viewer", True, True)):  # fmt: skip
        with flown(config, page) as daemon, ExitStack() as stack:
            if watched:
                stack.enter_context(viewer(daemon.address))
            time.sleep(_SETTLE_S)
            resident_mb, cores = measured(daemon, seconds)
            took = ask(daemon.control, {"command": "status"})["latency_ms"]
            show = f"{took['show']['p99']:12.1f}" if "show" in took else ""
            print(f"{name:34s} {resident_mb:12.0f} {cores:7.3f} {took['guide']['p99']:13.1f} {show}", flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--keyframes", type=int, default=2000)
    parser.add_argument("--fps", type=float, default=4.0)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as scratch, drone(Path(scratch), options.fps) as (config, pilot):
        prepare(config.with_name("history.db"), pilot.position(), options.keyframes)
        cost(config, options.seconds)


if __name__ == "__main__":
    main()
