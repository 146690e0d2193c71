"""How the status page looks, for docs/status-page.md: a simulated flight, seen in the system's Chromium.

    python -m tests.bench.page_pictures [--out FOLDER]

Time stands still while a picture is taken, so that a slow computer shows the same as a fast one. The drone hovers over
ground that it recorded before, is given targets through the page, and loses GPS before it flies to one of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import cv2
import numpy as np
from PIL import Image

from runtime.computer import Computer
from runtime.config.config import Config
from runtime.daemon.assembly import Assembly, assemble
from runtime.daemon.status import snapshot
from runtime.daemon.workers import InlineWorkers
from runtime.events import Answer
from runtime.flightlog.flightlog import NullFlightLog
from runtime.geodesy import offset
from runtime.page.board import Board
from runtime.page.page import Facts, make_page
from runtime.page.server import PageServer, listening
from runtime.page.watched import WatchedJournal
from runtime.values import GeoPoint
from sim.camera import SimulatedCamera, default_camera
from sim.flight import CameraRig, Companion, SimulatedFlight
from sim.latencies import SimulatedLatencies
from sim.render import renderer_of
from sim.satellite import satellite_crop
from sim.scenario.conditions import Conditions
from sim.scenario.plan import make_plan
from sim.scenario.setup import camera_section, commanding_section, injection_section, make_autopilot, side_ne_m
from sim.world.world import World
from sim.world_cache import WorldCache
from tests.bench.daemon import SEED, prepare
from tests.runtime.page.browser import chromium, opened

TOKEN = "the token of the pictures"
_DESK, _PHONE = (1440, 900), (390, 844)
_HEIGHT_M, _TARGET_NE_M = 100.0, (150.0, 120.0)
_CONDITIONS = Conditions(fed=True, height_m=_HEIGHT_M)
_FRAME_NS = 250_000_000
_TARGET_M, _TARGET_PX = 90.0, 300
_PATIENCE_S = 120.0
_WEBP_QUALITY = 80


class Stage:
    """A simulated flight with its page; the page's clock is the flight's."""

    def __init__(self, folder: Path) -> None:
        self.world = World.generate(SEED)
        self.home = make_plan(SEED, side_ne_m(self.world)).home
        self._asked: SimpleQueue[tuple[Answer, Callable[[Answer], None]]] = SimpleQueue()
        autopilot = make_autopilot(self.world, self.home, SEED, True, _CONDITIONS)
        autopilot.start_in_flight((0.0, 0.0, -_HEIGHT_M), "LOITER")
        camera = SimulatedCamera(renderer_of(self.world, "flight", WorldCache.default()), default_camera(), SEED)
        rig = CameraRig(camera, SEED)
        rig.period_ns = _FRAME_NS
        self.board = Board(lambda: autopilot.t_ns + self.behind_ns)
        self.behind_ns = 0
        prepare(folder / "history.db", offset(self.world.origin, *self.home), 1)
        self.config = Config.model_validate(self._sections(folder))
        self.assembly = self._assemble()
        workers = self.assembly.daemon.rooms.workers
        assert isinstance(workers, InlineWorkers)
        self.flight = SimulatedFlight(
            autopilot, rig, self.home, lambda: Companion(self.assembly.daemon, workers.finished), feeds=True
        )

    def _sections(self, folder: Path) -> dict[str, Any]:
        return {
            "camera": {"uri": "simulated", **camera_section(default_camera())},
            "vehicle": {"uri": "simulated"},
            "history": {"path": folder / "history.db"},
            "commanding": commanding_section(self.world),
            **injection_section(_CONDITIONS),
        }

    def _assemble(self) -> Assembly:
        journal = WatchedJournal(NullFlightLog(), self.board)
        return assemble(self.config, InlineWorkers(SimulatedLatencies(SEED).draw_ns), journal=journal)

    def fly(self, seconds: float) -> None:
        """Lets time pass in flight, and shows what has become."""
        self.flight.fly(seconds)
        self.board.show(snapshot(self.assembly.daemon, self.flight.t_ns))

    def submit(self, request: Answer, reply: Callable[[Answer], None]) -> None:
        """From the page's thread."""
        self._asked.put((request, reply))

    def answer(self) -> None:
        """Answers what the page has asked meanwhile; time passes in flight as long as that takes."""
        try:
            while True:
                request, reply = self._asked.get_nowait()
                reply(self.flight.ask(request))
        except Empty:
            self.fly(0.1)

    def until(self, what: Callable[[], Any]) -> None:
        """Answers until something is true."""
        end_s = time.monotonic() + _PATIENCE_S
        while not what():
            assert time.monotonic() < end_s, "it never came true"
            self.answer()
            time.sleep(0.2)

    @contextmanager
    def page(self) -> Iterator[PageServer]:
        """The page of this flight."""
        polygon = tuple(GeoPoint(*corner) for corner in self.config.commanding.polygon or ())
        log = self.config.history.path.with_name("20260612T091500Z.mcap")
        facts = Facts("0.1.0", log, False, polygon, 500.0, 300.0, (), TOKEN)
        camera, listener = self.config.camera.model(), listening("127.0.0.1", 0)
        page = make_page(
            listener, facts, self.board, self.assembly.history, camera, self.submit, Computer(log.parent).look
        )
        try:
            yield page
        finally:
            page.close()

    def target(self, north_m: float, east_m: float, path: Path) -> Path:
        """A satellite picture of a place, (north, east) from home."""
        registered = self.world.registration_ne_m
        centre = self.home[0] + north_m - registered[0], self.home[1] + east_m - registered[1]
        crop = satellite_crop(self.world, centre, _TARGET_M, _TARGET_PX)
        cv2.imwrite(str(path), np.ascontiguousarray(crop[..., ::-1]))
        return path


def take(stage: Stage, browser: Any, address: str, folder: Path, out: Path) -> None:
    """Fly, and take every picture."""
    desk, phone = opened(browser, address, _DESK, TOKEN), opened(browser, address, _PHONE, TOKEN, 2)

    def shot(tab: Any, name: str, **how: Any) -> None:
        tab.evaluate("scrollTo(0, 0)")
        tab.wait_for_timeout(4000)  # the ground's pictures come a few at a time
        tab.screenshot(path=folder / "shot.png", **how)
        with Image.open(folder / "shot.png") as image:
            image.convert("RGB").save(out / f"status-{name}.webp", quality=_WEBP_QUALITY, method=6)

    shot(desk, "reasons")
    shot(phone, "phone-reasons")
    for name, place in (("barn.png", _TARGET_NE_M), ("crossing.png", (75.0, 60.0)), ("elsewhere.png", (-150.0, 160.0))):
        desk.set_input_files("#upload-file", stage.target(*place, folder / name))
        desk.fill("#upload-gsd", f"{_TARGET_M / _TARGET_PX:g}")
        desk.click("#upload-form button")
        found = desk.locator(f"article:has(h3:text-is('{name}')) header b:not(.news)")
        stage.until(lambda: found.count() == 1)  # noqa: B023 - asked before the next is looked for
    shot(desk, "candidates", full_page=True)
    stage.flight.cut_gps()
    stage.fly(15.0)  # until the autopilot flies by what the camera tells it
    desk.locator("article:has(h3:text-is('barn.png')) button:has-text('Look again')").click()
    stage.until(lambda: desk.locator("article.waits:has(h3:text-is('barn.png'))").count() == 1)
    desk.click("#confirm:enabled")
    stage.until(lambda: desk.locator("#control-answer:has-text('Confirmed')").count() == 1)
    desk.click("#engage")
    desk.click("#engage-dialog button[value=yes]")
    stage.until(lambda: desk.locator("#state .now.ready").count() == 1)
    stage.flight.pilot_set_mode("GUIDED")
    stage.fly(12.0)
    shot(desk, "engaged")
    shot(phone, "phone-engaged")
    stage.behind_ns = 12_000_000_000
    shot(phone, "phone-lost")


def main(words: Sequence[str] | None = None) -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    options = parser.parse_args(words)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        stage = Stage(folder)
        stack.callback(stage.assembly.close)
        stage.fly(12.0)
        page = stack.enter_context(stage.page())
        browser = stack.enter_context(chromium())
        take(stage, browser, page.address, folder, options.out)


if __name__ == "__main__":
    main()
