"""Sockets that carry an autopilot's links: TCP and UDP, listening or calling, none of them ever blocking."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from runtime.errors import UsageError

log = logging.getLogger(__name__)
READ_BYTES = 65536
DATAGRAM_BYTES = 1400  # several messages to a datagram, each whole
Address = tuple[str, int]


class Endpoint(Protocol):
    """A source and sink of links' bytes."""

    address: Address

    def read(self) -> list[tuple[int, bytes]]:
        """What has come, by link."""

    def links(self) -> list[int]:
        """The links that have a peer."""

    def write(self, link: int, data: bytes) -> None:
        """Sends to a link's peer."""

    def close(self) -> None:
        """Closes every socket."""


@dataclass(slots=True)
class TcpListener:
    """``tcpin``: any number of clients, a link to each."""

    sock: socket.socket
    new_link: Callable[[], int]
    address: Address
    _peers: dict[int, socket.socket] = field(default_factory=dict)
    _unsent: dict[int, bytearray] = field(default_factory=dict)

    def read(self) -> list[tuple[int, bytes]]:
        """Accepts who calls, reads who speaks, forgets who left."""
        self._accept()
        return [(link, data) for link in list(self._peers) if (data := self._read_one(link))]

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self.sock.accept()
            except BlockingIOError:
                return
            peer.setblocking(False)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = self.new_link()
            self._peers[link], self._unsent[link] = peer, bytearray()

    def _read_one(self, link: int) -> bytes:
        try:
            data = self._peers[link].recv(READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._drop(link)
        return data

    def links(self) -> list[int]:
        """One per client."""
        return list(self._peers)

    def write(self, link: int, data: bytes) -> None:
        """Sends as much as the client takes; the rest waits for the next call."""
        waiting = self._unsent.get(link)
        if waiting is None:
            return
        waiting += data
        try:
            del waiting[: self._peers[link].send(waiting)]
        except BlockingIOError:
            if len(waiting) > 1 << 20:  # a client that does not read is gone for all practical purposes
                self._drop(link)
        except OSError:
            self._drop(link)

    def _drop(self, link: int) -> None:
        self._peers.pop(link).close()
        self._unsent.pop(link)

    def close(self) -> None:
        """Closes the clients and the listener."""
        for link in list(self._peers):
            self._drop(link)
        self.sock.close()


@dataclass(slots=True)
class Udp:
    """``udpin`` answers whoever spoke last; ``udpout`` speaks first, to a given address. One link."""

    sock: socket.socket
    link: int
    address: Address
    peer: Address | None

    def read(self) -> list[tuple[int, bytes]]:
        """All datagrams that have come."""
        got: list[tuple[int, bytes]] = []
        while True:
            try:
                data, peer = self.sock.recvfrom(READ_BYTES)
            except OSError:  # nothing waits; or the echo of a datagram that nobody took, as UDP may
                return got
            self.peer = (peer[0], peer[1])
            got.append((self.link, data))

    def links(self) -> list[int]:
        """Its one link, heard or not."""
        return [self.link]

    def write(self, link: int, data: bytes) -> None:
        """Sends datagrams of whole messages; what the network does not take is lost, as UDP does."""
        if self.peer is None:
            return
        for datagram in whole_messages(data):
            try:
                self.sock.sendto(datagram, self.peer)
            except OSError:
                return

    def close(self) -> None:
        """Closes the socket."""
        self.sock.close()


def whole_messages(data: bytes) -> list[bytes]:
    """MAVLink bytes cut between messages into datagrams."""
    datagrams, start, at = [], 0, 0
    while at + 3 <= len(data):
        length = data[at + 1] + (12 + (13 if data[at + 2] & 1 else 0) if data[at] == 0xFD else 8)
        if at + length - start > DATAGRAM_BYTES and at > start:
            datagrams.append(data[start:at])
            start = at
        at += length
    datagrams.append(data[start:])
    return [datagram for datagram in datagrams if datagram]


def open_endpoint(uri: str, new_link: Callable[[], int]) -> Endpoint:
    """Opens ``tcpin:HOST:PORT``, ``udpin:HOST:PORT`` or ``udpout:HOST:PORT``; port 0 picks a free one.

    Raises UsageError where the address cannot be read or opened.
    """
    kind, host, port = _parse(uri)
    try:
        if kind == "tcpin":
            listener = socket.create_server((host, port))
            listener.setblocking(False)
            return TcpListener(listener, new_link, listener.getsockname()[:2])
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        if kind == "udpin":
            sock.bind((host, port))
            return Udp(sock, new_link(), sock.getsockname()[:2], None)
        return Udp(sock, new_link(), (host, port), (host, port))
    except OSError as error:
        raise UsageError(f"The endpoint {uri} cannot be opened: {error.strerror}; choose another port.") from error


def _is_port(text: str) -> bool:
    return text.isdecimal() and len(text) <= 5 and int(text) <= 65535


def _parse(uri: str) -> tuple[str, str, int]:
    parts = uri.split(":")
    if len(parts) != 3 or parts[0] not in ("tcpin", "udpin", "udpout") or not _is_port(parts[2]):
        raise UsageError(f"{uri!r} is not an endpoint: write tcpin:HOST:PORT, udpin:HOST:PORT or udpout:HOST:PORT.")
    return parts[0], parts[1], int(parts[2])
