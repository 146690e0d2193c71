"""A daemon that flies the built-in autopilot in real time, and its status page on a port of its own."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from runtime.camera_model import CameraModel
from runtime.computer import Computer
from runtime.daemon.daemon import Daemon
from runtime.daemon.status import snapshot
from runtime.events import Answer, ControlRequest
from runtime.flightlog.flightlog import NullFlightLog
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.page.board import Board
from runtime.page.page import Facts, make_page
from runtime.page.server import PageServer, listening
from runtime.page.watched import WatchedJournal
from tests.runtime.daemon.cockpit import HOME, STEP_NS, Cockpit
from tests.runtime.history.recording import SPACE, embeddings, keyframe

TOKEN = "a-token-of-some-length"
SHOWN_EVERY_NS = 500_000_000
_MOST_STEPS = 25  # half a second of flight between two looks at the clock


class Served(Cockpit):
    """The cockpit's flight, on a clock that runs on whether it is ``flying`` or not."""

    def __init__(self, **more: Any) -> None:
        self.board = Board(self.now_ns)
        self._begun_ns = time.monotonic_ns()
        self._requests: SimpleQueue[ControlRequest] = SimpleQueue()
        self._ending = threading.Event()
        self.flying = True
        super().__init__(**more)

    def make(self) -> Daemon:
        self.journal = WatchedJournal(NullFlightLog(), self.board)  # type: ignore[assignment]
        return super().make()

    def now_ns(self) -> int:
        return time.monotonic_ns() - self._begun_ns

    def submit(self, request: dict[str, Any], reply: Callable[[Answer], None]) -> None:
        self._requests.put(ControlRequest(self.t_ns, request, reply))

    def skip(self, seconds: float) -> None:
        """Flies ahead as fast as the computer can; the clock follows."""
        self.fly(seconds)
        self._begun_ns = time.monotonic_ns() - self.t_ns

    def run(self) -> None:
        shown_ns = 0
        while not self._ending.wait(0.02):
            if not self.flying:
                continue
            for _ in range(_MOST_STEPS):
                if self.t_ns + STEP_NS > self.now_ns():
                    break
                self._answer()
                self.step()
            else:
                self._begun_ns = time.monotonic_ns() - self.t_ns  # a busy computer: the clock waits for the flight
            if self.t_ns - shown_ns >= SHOWN_EVERY_NS:
                shown_ns = self.t_ns
                self.board.show(snapshot(self.daemon, self.t_ns))

    def end(self) -> None:
        self._ending.set()

    def _answer(self) -> None:
        try:
            request = self._requests.get_nowait()
        except Empty:
            return
        self._out(self.daemon.step(ControlRequest(self.t_ns, request.request, request.reply)))


@contextmanager
def page_of(flown: Served, folder: Path, *, control: bool = True) -> Iterator[PageServer]:
    """The page of a flight, with a history of four keyframes, on a free port; the flight goes on meanwhile."""
    with History.create(folder / "history.db", SPACE, "a bundle") as history:
        for number in range(1, 5):
            history.add(keyframe(number), embeddings(number))
        corners = tuple(offset(HOME, north_m, east_m) for north_m, east_m in ((-400, -400), (400, -400), (400, 400)))
        token = TOKEN if control else None
        facts = Facts("1.2.3", folder / "flight.mcap", False, corners, 500.0, 300.0, (), token)
        camera = CameraModel.from_hfov(64, 48, 70.0)
        listener = listening("127.0.0.1", 0)
        page = make_page(listener, facts, flown.board, history, camera, flown.submit, Computer(folder).look)
        thread = threading.Thread(target=flown.run, daemon=True)
        thread.start()
        try:
            yield page
        finally:
            flown.end()
            thread.join()
            page.close()


def asked(
    page: PageServer, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request; ``headers``: with _ for -."""
    parts = urlsplit(page.address)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def told(page: PageServer, command: dict[str, Any], token: str = TOKEN) -> tuple[int, Any]:
    """Status and answer of a command."""
    status, _, body = asked(page, "/api/command", "POST", json.dumps(command).encode(), x_homing_token=token)
    return status, json.loads(body)


def eventually(what: Callable[[], Any], patience_s: float = 60.0) -> Any:
    """The first true answer."""
    end = time.monotonic() + patience_s
    while not (found := what()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)
    return found
