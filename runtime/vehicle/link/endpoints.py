"""Sockets and serial ports as one small thing: read some bytes, write some bytes, close."""

from __future__ import annotations

import contextlib
import socket
import termios
import time
from collections.abc import Iterator
from typing import Any, Protocol

from runtime.errors import VehicleError

READ_TIMEOUT_S = 0.2  # how long a reader may sleep before it looks whether it should end
_CONNECT_TIMEOUT_S = 5.0
_DATAGRAM = 65535
_PEER_S = 10.0  # a UDP peer that has been silent for this long is not answered any more
_PEERS = 8


class Endpoint(Protocol):
    """One open line. `read` gives b"" when nothing came in time and raises OSError when the line is broken."""

    def read(self) -> bytes:
        """Wait up to `READ_TIMEOUT_S` for bytes."""

    def write(self, data: bytes) -> None:
        """Send; OSError when that fails."""

    def close(self) -> None:
        """Let the line go; may be called twice."""


class UdpServer:
    """Bound to a local port; answers whoever spoke within the last seconds."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(READ_TIMEOUT_S)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._peers: dict[tuple[str, int], float] = {}

    @property
    def port(self) -> int:
        """The bound port: of use when 0 was asked for."""
        return int(self._socket.getsockname()[1])

    def read(self) -> bytes:
        """One datagram."""
        try:
            data, peer = self._socket.recvfrom(_DATAGRAM)
        except TimeoutError:
            return b""
        self._peers[peer] = time.monotonic()
        if len(self._peers) > _PEERS:
            del self._peers[min(self._peers, key=self._peers.__getitem__)]
        return data

    def write(self, data: bytes) -> None:
        """To every recent peer, though one of them be out of reach; before the first one there is nobody to tell."""
        now = time.monotonic()
        failure: OSError | None = None
        for peer, heard in list(self._peers.items()):
            if now - heard <= _PEER_S:
                try:
                    self._socket.sendto(data, peer)
                except OSError as error:
                    failure = error
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class UdpClient:
    """Speaks first, to one address; a peer that is not there yet is no error."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(READ_TIMEOUT_S)
        try:
            self._socket.connect((host, port))
        except OSError:
            self._socket.close()
            raise

    def read(self) -> bytes:
        """One datagram."""
        try:
            return self._socket.recv(_DATAGRAM)
        except TimeoutError:
            return b""
        except ConnectionRefusedError:  # the echo of an earlier write: nobody listens yet
            time.sleep(READ_TIMEOUT_S)
            return b""

    def write(self, data: bytes) -> None:
        """One datagram. A refusal is the echo of an earlier one, and this one was not sent: once more."""
        try:
            self._socket.send(data)
        except ConnectionRefusedError:
            with contextlib.suppress(ConnectionRefusedError):  # UDP promises nothing; missing answers say so
                self._socket.send(data)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class TcpClient:
    """A TCP connection, as SITL and mavlink-router offer."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(READ_TIMEOUT_S)

    def read(self) -> bytes:
        """Up to 4 KiB; an orderly close is a broken line too."""
        try:
            data = self._socket.recv(4096)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionResetError("closed by the peer")
        return data

    def write(self, data: bytes) -> None:
        """All of ``data``."""
        self._socket.sendall(data)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class SerialPort:
    """A UART or USB serial port, through pyserial."""

    def __init__(self, device: str, baud: int) -> None:
        try:
            import serial  # type: ignore[import-untyped,unused-ignore]
        except ImportError as error:
            raise VehicleError("a serial vehicle link needs the package pyserial: pip install pyserial") from error
        try:
            with _terminal_errors():
                self._port: Any = serial.Serial(
                    device, baud, timeout=READ_TIMEOUT_S, write_timeout=1.0, exclusive=True
                )  # two programs on one line would each hear half
        except (ValueError, OverflowError) as error:  # a baud rate that the driver does not know
            raise OSError(str(error)) from error

    def read(self) -> bytes:
        """What is there, at least one byte unless the time runs out. SerialException is an OSError."""
        with _terminal_errors():
            first = self._port.read(1)
            return bytes(first + self._port.read(self._port.in_waiting)) if first else b""

    def write(self, data: bytes) -> None:
        """All of ``data``."""
        with _terminal_errors():
            self._port.write(data)

    def close(self) -> None:
        """Close the port."""
        with _terminal_errors():
            self._port.close()


@contextlib.contextmanager
def _terminal_errors() -> Iterator[None]:
    """A terminal's error is a line's failure: `termios.error` carries an errno, and is no OSError."""
    try:
        yield
    except termios.error as error:
        raise OSError(*error.args) from error
