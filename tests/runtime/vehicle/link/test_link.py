"""Links: real sockets, a real pseudo-terminal, and lines that break."""

from __future__ import annotations

import errno
import os
import pty
import socket
import termios
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from runtime.clock import MonotonicClock
from runtime.errors import VehicleError
from runtime.vehicle.link.endpoints import UdpServer
from runtime.vehicle.link.link import MavlinkLink, opener_of

CLOCK = MonotonicClock()
PATIENCE_S = 20.0  # only ever used up by a failure


def until(link: MavlinkLink, count: int) -> bytes:
    """The next ``count`` bytes."""
    data, deadline = b"", time.monotonic() + PATIENCE_S
    while len(data) < count and time.monotonic() < deadline:
        link.wait(0.1)
        data += b"".join(chunk for chunk, _ in link.read())
    return data


@contextmanager
def opened(uri: str) -> Iterator[MavlinkLink]:
    link = MavlinkLink.open(uri, CLOCK)
    try:
        yield link
    finally:
        link.close()


@contextmanager
def udp_socket() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(PATIENCE_S)
        yield peer


def test_udpout_speaks_first_and_hears_the_answer() -> None:
    with udp_socket() as peer, opened(f"udpout:127.0.0.1:{peer.getsockname()[1]}") as link:
        link.write(b"hello")
        data, address = peer.recvfrom(100)
        before = CLOCK.now_ns()
        peer.sendto(b"welcome", address)
        assert data == b"hello" and link.wait(PATIENCE_S)
        ((answer, t_ns),) = link.read()
        assert answer == b"welcome" and before <= t_ns <= CLOCK.now_ns()
        assert link.read() == []


def test_udpin_answers_whoever_spoke() -> None:
    with udp_socket() as first, udp_socket() as second, opened("udpin:127.0.0.1:0") as link:
        assert isinstance(link.endpoint, UdpServer)
        link.write(b"nobody is there yet")
        address = ("127.0.0.1", link.endpoint.port)
        for peer in (first, second):
            peer.sendto(b"here", address)
        assert until(link, 8) == b"herehere"
        link.write(b"to all")
        assert first.recv(100) == second.recv(100) == b"to all"
        assert link.failed_writes == 0


def test_udpin_answers_the_others_where_one_is_out_of_reach() -> None:
    with udp_socket() as peer, opened("udpin:127.0.0.1:0") as link:
        assert isinstance(link.endpoint, UdpServer)
        link.endpoint._peers[("255.255.255.255", 9)] = time.monotonic()  # the kernel refuses to send there
        peer.sendto(b"here", ("127.0.0.1", link.endpoint.port))
        assert until(link, 4) == b"here"
        link.write(b"to all")
        assert peer.recv(100) == b"to all" and link.failed_writes == 1


def test_udpout_to_a_closed_port_waits_for_it_to_open() -> None:
    with udp_socket() as peer:
        port = peer.getsockname()[1]
    with opened(f"udpout:127.0.0.1:{port}") as link:
        for _ in range(3):
            link.write(b"anybody?")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
            late.bind(("127.0.0.1", port))
            late.settimeout(PATIENCE_S)
            for _ in range(3):
                link.write(b"now?")
            _, address = late.recvfrom(100)
            late.sendto(b"yes", address)
            assert until(link, 3) == b"yes" and link.breaks == 0


def test_tcp_is_opened_again_after_it_broke() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        with opened(f"tcp:127.0.0.1:{server.getsockname()[1]}") as link:
            peer, _ = server.accept()
            peer.sendall(b"one")
            assert until(link, 3) == b"one"
            peer.close()
            again, _ = server.accept()
            again.sendall(b"two")
            assert until(link, 3) == b"two" and link.breaks == 1
            link.write(b"three")
            again.settimeout(PATIENCE_S)
            assert again.recv(10) == b"three"
            again.close()


def test_a_serial_port_both_ways() -> None:
    master, slave = pty.openpty()
    tty.setraw(master)
    with opened(f"serial:{os.ttyname(slave)}:57600") as link:
        os.write(master, b"from the autopilot")
        assert until(link, 18) == b"from the autopilot"
        link.write(b"from us")
        assert os.read(master, 100) == b"from us"
    os.close(master)
    os.close(slave)


def test_a_serial_port_that_is_pulled_is_a_broken_line_not_an_error() -> None:
    master, slave = pty.openpty()
    with opened(f"serial:{os.ttyname(slave)}") as link:
        os.close(slave)
        os.close(master)
        deadline = time.monotonic() + PATIENCE_S
        while link.endpoint is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert link.breaks == 1 and link.endpoint is None
        link.write(b"into the void")
        assert link.failed_writes == 1


def test_a_serial_port_that_comes_back_is_opened_again(tmp_path: Path) -> None:
    """As a USB autopilot that is replugged: the same name in /dev, another device behind it."""
    device = tmp_path / "ttyAUTOPILOT"
    master, slave = pty.openpty()
    device.symlink_to(os.ttyname(slave))
    with opened(f"serial:{device}:57600") as link:
        os.write(master, b"before")
        assert until(link, 6) == b"before"
        os.close(slave)
        os.close(master)
        device.unlink()
        while link.endpoint is not None:
            link.write(b"into the void")  # whatever instant of the break it meets
        link.write(b"into the void")
        master, slave = pty.openpty()
        tty.setraw(master)
        device.symlink_to(os.ttyname(slave))
        while link.endpoint is None:
            time.sleep(0.01)
        os.write(master, b"after")
        assert until(link, 5) == b"after"
        link.write(b"still here")
        assert os.read(master, 100) == b"still here"
        assert link.breaks == 1 and link.failures == 0 and link.failed_writes > 0
    os.close(master)
    os.close(slave)


def test_a_serial_port_that_vanishes_while_it_is_opened_is_one_sentence() -> None:
    """A line pulled between two calls of the driver shows as `termios.error`: some of many tries meet that instant.

    Whatever else than an OSError comes out of any of them fails the test.
    """
    met: set[str] = set()
    until_s = time.monotonic() + 10.0
    for turn in count():
        if turn >= 1500 and (met or time.monotonic() > until_s):
            break
        master, slave = pty.openpty()
        name = os.ttyname(slave)
        os.close(slave)
        pull = threading.Timer(1e-5 * (turn % 20), os.close, (master,))
        pull.start()
        try:
            opener_of(f"serial:{name}:57600")().close()
        except OSError as error:  # and nothing else
            met.add(type(error).__name__)
        pull.join()
    if not met:
        pytest.skip(f"none of {turn} tries pulled the line while it was being opened")


def test_a_baud_rate_that_is_none_is_one_sentence() -> None:
    master, slave = pty.openpty()
    with pytest.raises(VehicleError, match="does not open: signed integer is greater than maximum"):
        MavlinkLink.open(f"serial:{os.ttyname(slave)}:99999999999999", CLOCK)
    os.close(slave)
    os.close(master)


def test_a_serial_port_pulled_under_a_write_never_raises_into_the_loop() -> None:
    for turn in range(5):
        master, slave = pty.openpty()
        tty.setraw(master)
        with opened(f"serial:{os.ttyname(slave)}:57600") as link:
            os.close(slave)
            pull = threading.Timer(0.05 + 0.01 * turn, os.close, (master,))
            pull.start()
            link.write(bytes(200_000))  # more than the line holds, so that the write waits; nobody reads
            assert link.failed_writes == 1 and link.failures == 0
            pull.join()


class Script:
    """A line that does what it is told: each thing is given by `read`, or raised; then it is silent."""

    def __init__(self, *says: bytes | Exception, on_write: Exception | None = None, on_close: Exception | None = None):
        self.says, self.on_write, self.on_close = list(says), on_write, on_close
        self.open = True

    def read(self) -> bytes:
        said = self.says.pop(0) if self.says else b""
        if isinstance(said, Exception):
            raise said
        time.sleep(0.005)
        return said

    def write(self, data: bytes) -> None:
        if self.on_write is not None:
            raise self.on_write

    def close(self) -> None:
        self.open = False
        if self.on_close is not None:
            raise self.on_close


def test_errors_that_no_line_is_known_to_make_are_counted_and_the_thread_goes_on() -> None:
    terminal = termios.error(errno.EIO, "Input/output error")
    openings: list[Script | Exception] = [
        Script(b"one", terminal),
        terminal,
        Script(b"two", TypeError("an integer is required"), on_close=terminal),
        ZeroDivisionError("nobody expects it"),
        Script(b"three", on_write=TypeError("an integer is required")),
    ]

    def opener() -> Script:
        opening = openings.pop(0)
        if isinstance(opening, Exception):
            raise opening
        return opening

    link = MavlinkLink("script", opener, CLOCK, first_pause_s=0.02)
    assert until(link, 11) == b"onetwothree"
    link.write(b"x")
    link.close()
    assert link.counts() == {
        "link_breaks": 2, "link_chunks_dropped": 0, "link_failures": 6, "link_writes_failed": 1,
    }  # fmt: skip


class SlowWrite(Script):
    """A line that breaks in the middle of a write."""

    def __init__(self) -> None:
        super().__init__()
        self.writing = threading.Event()
        self.open_after_write = False

    def read(self) -> bytes:
        if self.writing.is_set():
            raise OSError(errno.EIO, "Input/output error")
        return super().read()

    def write(self, data: bytes) -> None:
        self.writing.set()
        time.sleep(0.3)
        self.open_after_write = self.open


def test_a_line_is_not_closed_under_a_write() -> None:
    """A descriptor may be another file's as soon as it is closed, and MAVLink would go into that file."""
    line = SlowWrite()
    link = MavlinkLink("script", lambda: line, CLOCK)
    link.write(b"x")
    assert line.open_after_write
    link.close()
    link.write(b"after the end")
    assert link.failures == 0 and link.failed_writes == 1 and not line.open


def test_a_line_that_is_still_being_opened_at_the_end_is_left_behind_and_closed_there() -> None:
    first, second = Script(OSError("broken")), Script()
    inside, go = threading.Event(), threading.Event()
    openings = [first, second]

    def opener() -> Script:
        if len(openings) == 1:
            inside.set()
            go.wait(PATIENCE_S)
        return openings.pop(0)

    link = MavlinkLink("script", opener, CLOCK, first_pause_s=0.02)
    assert inside.wait(PATIENCE_S)
    link.close()
    assert openings and not first.open
    go.set()
    link._thread.join(PATIENCE_S)
    assert openings == [] and not second.open


class Flood:
    """An endpoint that never stops talking, until it is told to."""

    def __init__(self) -> None:
        self.chunks = 5000
        self.done = threading.Event()

    def read(self) -> bytes:
        if self.chunks == 0:
            self.done.set()
            time.sleep(0.01)
            return b""
        self.chunks -= 1
        return self.chunks.to_bytes(2, "big")

    def write(self, data: bytes) -> None:
        raise OSError("full")

    def close(self) -> None:
        pass


def test_a_queue_that_nobody_reads_drops_the_oldest_and_counts() -> None:
    flood = Flood()
    link = MavlinkLink("flood", lambda: flood, CLOCK)
    assert flood.done.wait(PATIENCE_S)
    chunks = [int.from_bytes(data, "big") for data, _ in link.read()]
    link.write(b"x")
    link.close()
    assert chunks == list(range(2047, -1, -1))
    assert link.dropped_chunks == 5000 - 2048 and link.failed_writes == 1


@pytest.mark.parametrize(
    "uri",
    [
        "", "tcp", "tcp:host", "udpin:0.0.0.0:", "tcp:h:99999", "ftp:host:21", "serial:", "udpout::5",
        "tcp:host:²", "tcp:host:" + "1" * 5000,
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_one_sentence(uri: str) -> None:
    with pytest.raises(VehicleError, match="is no vehicle link: write udpin:HOST:PORT"):
        MavlinkLink.open(uri, CLOCK)


def test_lines_that_do_not_open_are_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(VehicleError, match=f"the vehicle link tcp:127.0.0.1:{port} does not open: Connection refused"):
        MavlinkLink.open(f"tcp:127.0.0.1:{port}", CLOCK)
    with pytest.raises(VehicleError, match="the vehicle link serial:/dev/ttyNOWHERE:57600 does not open: .+"):
        MavlinkLink.open("serial:/dev/ttyNOWHERE:57600", CLOCK)
    with pytest.raises(VehicleError, match="does not open: .*label"):
        MavlinkLink.open(f"tcp:{'a' * 80}:5760", CLOCK)
    with udp_socket() as taken:
        uri = f"udpin:127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(VehicleError, match="does not open: Address already in use"):
            MavlinkLink.open(uri, CLOCK)
    assert callable(opener_of("serial:/dev/ttyACM0")) and callable(opener_of("udp:0.0.0.0:14550"))


def test_who_sleeps_on_a_link_is_woken_for_something_else() -> None:
    with opened("udpin:127.0.0.1:0") as link:
        began_s = time.monotonic()
        threading.Timer(0.05, link.wake).start()
        assert link.wait(PATIENCE_S) and time.monotonic() - began_s < PATIENCE_S / 2
        assert link.read() == [] and not link.wait(0.0)
