"""The status page as it is flown with: what it costs the daemon, and how it looks.

    python -m tests.bench.page [--seconds S] [--pictures FOLDER]

`homing run` as a process against a served drone, as in `tests.bench.daemon`, once without the page, once with it and
nobody looking, and once with one viewer who takes everything that a browser would. With --pictures the flight is looked
at in the system's Chromium, and what it shows is written as images.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
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
from runtime.geodesy import offset
from runtime.values import GeoPoint
from tests.bench.daemon import prepare, when
from tests.runtime.page.browser import chromium, opened
from tests.sim.served import GUIDED, LOITER, Pilot, free_port, process

SEED = 100_021
_HEIGHT_M, _TARGET_NE_M = 100.0, (150.0, 120.0)
_SETTLE_S = 8.0
_PATIENCE_S = 180.0  # a busy computer
_PHONE, _DESK = (390, 844), (1440, 900)


@dataclass(frozen=True)
class Flown:
    """A running daemon with its page."""

    pid: int
    control: Path
    address: str
    token: Path
    satellite: Path


@contextmanager
def drone(scratch: Path, fps: float) -> Iterator[tuple[Path, Path, Pilot]]:
    """A served drone: its configuration, its satellite image and the pilot."""
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
            yield Path(said["config"]), Path(said["satellite"]), pilot
        finally:
            pilot.close()


@contextmanager
def flown(config: Path, satellite: Path, page: bool) -> Iterator[Flown]:
    """`homing run` with that configuration."""
    control, port = config.with_name("control.sock"), free_port(socket.SOCK_STREAM)
    text = config.read_text().partition("\n[page]")[0]
    config.write_text(text + (f"\n[page]\nenabled = true\nport = {port}\ncontrol = true\n" if page else ""))
    with process("runtime.cli.main", "run", "--config", str(config), log=config.with_name("run.log")) as child:
        when(lambda: ask(control, {"command": "status"})["vehicle"]["connected"], _PATIENCE_S)
        yield Flown(child.pid, control, f"http://127.0.0.1:{port}/", control.with_name("homing-page.token"), satellite)


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


def cost(config: Path, satellite: Path, seconds: float) -> None:
    """Print the table."""
    print(f"{'':34s} {'MB resident':>12s} {'cores':>7s} {'guide p99 ms':>13s} {'show p99 ms':>12s}")
    for name, page, watched in (("without the page", False, False), ("with it, nobody looks", True, False),
                                ("one viewer", True, True)):  # fmt: skip
        with flown(config, satellite, page) as daemon, ExitStack() as stack:
            if watched:
                stack.enter_context(viewer(daemon.address))
            time.sleep(_SETTLE_S)
            resident_mb, cores = measured(daemon, seconds)
            took = ask(daemon.control, {"command": "status"})["latency_ms"]
            show = f"{took['show']['p99']:12.1f}" if "show" in took else ""
            print(f"{name:34s} {resident_mb:12.0f} {cores:7.3f} {took['guide']['p99']:13.1f} {show}", flush=True)


def pictures(config: Path, satellite: Path, pilot: Pilot, folder: Path) -> None:
    """Look at one flight from start to arrival, on a desk and on a phone."""
    folder.mkdir(parents=True, exist_ok=True)
    target = offset(pilot.position(), *_TARGET_NE_M)
    with flown(config, satellite, True) as daemon, chromium() as browser:
        token = daemon.token.read_text().strip()
        desk = opened(browser, daemon.address, _DESK, token)
        phone = opened(browser, daemon.address, _PHONE, token)
        time.sleep(_SETTLE_S)
        desk.screenshot(path=folder / "reasons.png")
        phone.screenshot(path=folder / "phone-reasons.png", full_page=True)
        _candidates(desk, daemon, target, folder)
        desk.screenshot(path=folder / "candidates.png", full_page=True)
        phone.screenshot(path=folder / "phone-candidates.png", full_page=True)
        _confirmed(daemon, target)
        when(lambda: ask(daemon.control, {"command": "status"})["state"] == "ready", _PATIENCE_S)
        time.sleep(1.5)
        desk.evaluate("scrollTo(0, 0)")
        desk.screenshot(path=folder / "ready.png")
        pilot.switch(GUIDED)
        time.sleep(9)
        desk.screenshot(path=folder / "engaged.png")
        phone.screenshot(path=folder / "phone-engaged.png", full_page=True)
        pilot.switch(LOITER)
        os.kill(daemon.pid, signal.SIGSTOP)
        time.sleep(12)
        phone.evaluate("scrollTo(0, 0)")
        phone.screenshot(path=folder / "phone-lost.png")
        os.kill(daemon.pid, signal.SIGCONT)


def _candidates(desk: Any, daemon: Flown, target: GeoPoint, folder: Path) -> None:
    crops = folder / "targets"
    crops.mkdir(exist_ok=True)
    for name, north_m, east_m in (("barn.png", 0.0, 0.0), ("elsewhere.png", -130.0, 90.0)):
        path = crop(daemon.satellite, offset(target, north_m, east_m), crops / name)
        desk.set_input_files("#upload-file", path)
        desk.fill("#upload-gsd", "0.3")
        desk.click("#upload-form button")
        desk.wait_for_selector(f"article:has-text('{name}') header b:not(.news)", timeout=_PATIENCE_S * 1000)
    time.sleep(2)


def _confirmed(daemon: Flown, target: GeoPoint) -> None:
    place = {"latitude_deg": target.latitude_deg, "longitude_deg": target.longitude_deg}
    ask(daemon.control, {"command": "target", **place})
    ask(daemon.control, {"command": "confirm"})
    ask(daemon.control, {"command": "engage"})


def crop(satellite: Path, place: GeoPoint, path: Path, side_px: int = 300) -> Path:
    """A plain picture of the ground about a place, from a map in degrees or in metres."""
    import rasterio
    from rasterio.warp import transform
    from rasterio.windows import Window

    with rasterio.open(satellite) as raster:
        (x,), (y,) = transform("EPSG:4326", raster.crs, [place.longitude_deg], [place.latitude_deg])
        row, column = raster.index(x, y)
        pixels = raster.read(window=Window(column - side_px // 2, row - side_px // 2, side_px, side_px), boundless=True)
    from PIL import Image

    Image.fromarray(pixels[:3].transpose(1, 2, 0)).save(path)
    return path


def main(words: Sequence[str] | None = None) -> None:
    """Print the table, or write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--keyframes", type=int, default=2000)
    parser.add_argument("--fps", type=float, default=4.0)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as scratch, drone(Path(scratch), options.fps) as (config, satellite, pilot):
        prepare(config.with_name("history.db"), pilot.position(), options.keyframes if options.pictures is None else 1)
        if options.pictures is None:
            cost(config, satellite, options.seconds)
        else:
            pictures(config, satellite, pilot, options.pictures)


if __name__ == "__main__":
    main()
