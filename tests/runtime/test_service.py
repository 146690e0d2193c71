"""What a service manager hears, on a real socket of the kind that systemd listens on."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from runtime.service import ServiceManager

LIMIT_US = "4000000"


class Manager:
    """The listening end of sd_notify(3); its thread reads, for few datagrams fit into the queue of such a socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._words: Queue[str] = Queue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while words := self._socket.recv(4096).decode():
            self._words.put(words)

    @property
    def is_open(self) -> bool:
        return self._socket.fileno() >= 0

    def environment(self, **more: str) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, **more}

    def close(self) -> list[str]:
        """Every datagram, in order."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto(b"", self._socket.getsockname())
        self._reader.join()
        self._socket.close()
        return list(self._words.queue)


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    found = Manager(str(tmp_path / "notify") if request.param == "path" else f"@homing-test-{os.getpid()}")
    yield found
    if found.is_open:
        found.close()


def test_it_is_ready_once_and_alive_a_few_times_within_the_limit(manager: Manager) -> None:
    service = ServiceManager.from_environment(manager.environment(WATCHDOG_USEC=LIMIT_US))
    for tick in range(81):  # 20 Hz
        service.progressed(tick * 50_000_000, ready=tick >= 10, status="monitor: no_target")
    heard = manager.close()
    assert heard[0] == "STATUS=monitor: no_target\nWATCHDOG=1"
    assert [words for words in heard if "READY=1" in words] == ["READY=1"]
    assert sum("WATCHDOG=1" in words for words in heard) == 5  # at 0, 1, 2, 3 and 4 s of a limit of 4


def test_a_status_is_said_when_it_changes(manager: Manager) -> None:
    service = ServiceManager.from_environment(manager.environment())
    for status in ("ready", "ready", "engaged", "engaged", "yielded: mode_changed"):
        service.progressed(0, ready=True, status=status)
    service.stopping()
    assert manager.close() == [
        "READY=1\nSTATUS=ready", "STATUS=engaged", "STATUS=yielded: mode_changed", "STOPPING=1"
    ]  # fmt: skip


@pytest.mark.parametrize("limit", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": LIMIT_US, "WATCHDOG_PID": "1"}])
def test_without_a_limit_of_ours_the_watchdog_is_not_fed(manager: Manager, limit: dict[str, str]) -> None:
    service = ServiceManager.from_environment(manager.environment(**limit))
    service.progressed(0, ready=True, status="ready")
    assert manager.close() == ["READY=1\nSTATUS=ready"]


def test_on_a_desk_and_without_a_listener_nothing_happens(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        service = ServiceManager.from_environment(environment)
        service.progressed(0, ready=True, status="ready")
        service.stopping()


def test_what_did_not_fit_into_a_slow_managers_queue_is_said_again(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as slow:
        slow.bind(address)
        service = ServiceManager.from_environment({"NOTIFY_SOCKET": address})
        for number in range(2000):  # more than any system's queue
            service.progressed(0, ready=False, status=str(number))
        service.progressed(0, ready=True, status="ready")
        slow.recv(4096)
        service.progressed(0, ready=True, status="ready")
        heard = [slow.recv(4096).decode()]
        with pytest.raises(BlockingIOError):
            while True:
                heard.append(slow.recv(4096).decode())
    assert heard[-1] == "READY=1\nSTATUS=ready"
