"""The autopilot on real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.errors import UsageError
from sim.autopilot.server import AutopilotServer
from tests.sim.autopilot.companion import autopilot

PATIENCE_S = 20.0


class Peer:
    """A program at the other end of a socket."""

    def __init__(self, sock: socket.socket, component: int = 190) -> None:
        self.sock = sock
        sock.setblocking(False)
        self._packer, self._parser = mavlink.MAVLink(None, 255, component), mavlink.MAVLink(None)
        self.heard: list[Any] = []
        self._next = 0  # of what was heard and not yet waited for

    def send(self, message: Any) -> None:
        self.sock.send(message.pack(self._packer))

    def command(self, number: int, *parameters: float) -> None:
        padded = [*parameters, *[0.0] * (7 - len(parameters))]
        self.send(mavlink.MAVLink_command_long_message(1, 1, number, 0, *padded))

    def wait(self, kind: str, holds: Callable[[Any], bool] = lambda m: True) -> Any:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            while self._next < len(self.heard):
                message = self.heard[self._next]
                self._next += 1
                if message.get_type() == kind and holds(message):
                    return message
            try:
                self.heard += self._parser.parse_buffer(self.sock.recv(65536)) or []
            except (BlockingIOError, ConnectionRefusedError):
                time.sleep(0.01)
        raise AssertionError(f"no {kind} came")


@pytest.fixture
def server() -> Iterator[AutopilotServer]:
    with AutopilotServer(autopilot(), ["tcpin:127.0.0.1:0", "udpin:127.0.0.1:0"], speedup=10.0) as running:
        yield running


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    yield opened
    for each in opened:
        each.close()


def _tcp(server: AutopilotServer, sockets: list[socket.socket], component: int = 190) -> Peer:
    sockets.append(socket.create_connection(server.addresses[0]))
    return Peer(sockets[-1], component)


def test_several_clients_each_with_streams_of_its_own(server: AutopilotServer, sockets: list[socket.socket]) -> None:
    one, two = _tcp(server, sockets), _tcp(server, sockets, 191)
    one.command(511, 30, 20_000)
    one.wait("ATTITUDE")
    two.wait("HEARTBEAT")
    two.wait("HEARTBEAT")
    assert all(m.get_type() != "ATTITUDE" for m in two.heard)
    two.send(mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3))
    forwarded = one.wait("HEARTBEAT", lambda m: m.get_srcComponent() == 191)
    assert forwarded.get_srcSystem() == 255


def test_a_client_that_leaves_disturbs_nobody(server: AutopilotServer, sockets: list[socket.socket]) -> None:
    one, two = _tcp(server, sockets), _tcp(server, sockets)
    one.command(511, 30, 10_000)
    one.wait("ATTITUDE")
    one.sock.close()
    for _ in range(30):
        two.wait("HEARTBEAT")
    two.command(176, 1, 4)
    assert two.wait("COMMAND_ACK").result == 0
    assert server.mode == "GUIDED"
    _tcp(server, sockets).wait("HEARTBEAT")


def test_udp_answers_whoever_speaks(server: AutopilotServer, sockets: list[socket.socket]) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sockets.append(sock)
    sock.connect(server.addresses[1])
    peer = Peer(sock)
    peer.command(512, mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION)
    assert peer.wait("AUTOPILOT_VERSION").capabilities & 8192
    assert peer.wait("COMMAND_ACK").result == 0


def test_udpout_speaks_first(sockets: list[socket.socket]) -> None:
    station = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sockets.append(station)
    station.bind(("127.0.0.1", 0))
    port = station.getsockname()[1]
    with AutopilotServer(autopilot(), [f"udpout:127.0.0.1:{port}"], speedup=10.0):
        assert Peer(station).wait("HEARTBEAT").autopilot == 3


def test_udpout_to_nobody_goes_on_until_somebody_is_there(sockets: list[socket.socket]) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    sock.close()
    with AutopilotServer(autopilot(), [f"udpout:127.0.0.1:{port}"], speedup=20.0) as running:
        time.sleep(0.3)
        late = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sockets.append(late)
        late.bind(("127.0.0.1", port))
        Peer(late).wait("HEARTBEAT")
        assert running.error is None


def test_simulated_time_passes_by_itself(server: AutopilotServer, sockets: list[socket.socket]) -> None:
    peer = _tcp(server, sockets)
    peer.command(511, 30, 100_000)
    first = peer.wait("ATTITUDE")
    last = peer.wait("ATTITUDE", lambda m: m.time_boot_ms >= first.time_boot_ms + 10_000)
    assert last.time_boot_ms - first.time_boot_ms == pytest.approx(10_000, abs=200)


@pytest.mark.parametrize("uri", ["tcp:127.0.0.1:5760", "tcpin:5760", "udpin:127.0.0.1:port", ""])
def test_an_endpoint_that_cannot_be_read(uri: str) -> None:
    with pytest.raises(UsageError, match="is not an endpoint: write tcpin:HOST:PORT"):
        AutopilotServer(autopilot(), [uri])


def test_a_port_that_is_taken_leaves_nothing_open(server: AutopilotServer) -> None:
    taken = f"tcpin:127.0.0.1:{server.addresses[0][1]}"
    with pytest.raises(UsageError, match="cannot be opened"):
        AutopilotServer(autopilot(), ["udpin:127.0.0.1:0", taken])


def test_closing_twice_and_before_starting() -> None:
    idle = AutopilotServer(autopilot(), ["tcpin:127.0.0.1:0"])
    idle.close()
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(idle.addresses[0], timeout=1.0)
