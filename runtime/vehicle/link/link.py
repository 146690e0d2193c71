"""The link adapter: the one thread of the vehicle room, which stamps bytes at arrival and queues them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from runtime.clock import Clock
from runtime.errors import VehicleError
from runtime.vehicle.link.endpoints import Endpoint, SerialPort, TcpClient, UdpClient, UdpServer

_LOG = logging.getLogger(__name__)
_QUEUE_CHUNKS = 2048  # some seconds of a fast link; older bytes are dropped first, and counted
_FIRST_PAUSE_S = 0.5  # before a line that broke is opened again; doubled until something arrives
_LONGEST_PAUSE_S = 5.0
_END_TIMEOUT_S = 2.0  # of the thread, which may still be opening a line


class Link(Protocol):
    """What the daemon's runner asks of a link; the simulator hands in its own."""

    def read(self) -> list[tuple[bytes, int]]:
        """Everything that arrived since the last call, with its instant; never blocks."""

    def write(self, data: bytes) -> None:
        """Send whole MAVLink packets; never raises in flight."""

    def close(self) -> None:
        """Let the line go."""


class WaitingLink(Link, Protocol):
    """A link that a loop can sleep on."""

    def counts(self) -> dict[str, int]:
        """What went wrong so far, by name."""

    def wait(self, timeout_s: float) -> bool:
        """Until something arrives or the time is over; True if there is something to read, or `wake` was called."""

    def wake(self) -> None:
        """Ends a `wait`, from any thread: who sleeps here has something else to do."""


class MavlinkLink:
    """A `Link` over UDP, TCP or a serial port. A line that breaks in flight is opened again, for ever, and counted."""

    def __init__(
        self, uri: str, opener: Callable[[], Endpoint], clock: Clock, first_pause_s: float = _FIRST_PAUSE_S
    ) -> None:
        """``opener`` opens the line: now, and again each time it broke. Raises OSError when it does not open now."""
        self.uri = uri
        self._opener = opener
        self._clock = clock
        self._first_pause_s = first_pause_s
        self._endpoint: Endpoint | None = opener()
        self._writing = threading.Lock()  # held for a write, and to take the line away from writers
        self._queue: deque[tuple[bytes, int]] = deque()
        self._lock = threading.Lock()
        self._arrived = threading.Event()
        self._closing = threading.Event()
        self.dropped_chunks = 0
        self.breaks = 0
        self.failures = 0  # errors that no line is known to make
        self.failed_writes = 0
        self._thread = threading.Thread(target=self._run, name=f"link {uri}", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, uri: str, clock: Clock, baud: int = 921600) -> MavlinkLink:
        """Open ``udpin:HOST:PORT``, ``udpout:HOST:PORT``, ``tcp:HOST:PORT`` or ``serial:DEVICE[:BAUD]``.

        Raises VehicleError when the address is not one of these or the line does not open.
        """
        opener = opener_of(uri, baud)
        try:
            return cls(uri, opener, clock)
        except (OSError, UnicodeError) as error:  # a host's name may be none that can be asked for
            raise VehicleError(f"the vehicle link {uri} does not open: {_why(error)}") from error

    @property
    def endpoint(self) -> Endpoint | None:
        """The open line; None while it is broken."""
        return self._endpoint

    def read(self) -> list[tuple[bytes, int]]:
        """Everything queued, oldest first."""
        with self._lock:
            chunks = list(self._queue)
            self._queue.clear()
            self._arrived.clear()
        return chunks

    def wait(self, timeout_s: float) -> bool:
        """Sleep until something arrives or the time is over; True if there is something to read, or `wake` was called
        since the last read."""
        return self._arrived.wait(timeout_s)

    def wake(self) -> None:
        """Ends the `wait` that is under way, or else the next one."""
        self._arrived.set()

    def counts(self) -> dict[str, int]:
        """What went wrong so far, by name."""
        return {
            "link_breaks": self.breaks,
            "link_chunks_dropped": self.dropped_chunks,
            "link_failures": self.failures,
            "link_writes_failed": self.failed_writes,
        }

    def write(self, data: bytes) -> None:
        """Send; a line that is broken swallows the bytes, and counts it. Never raises."""
        if not data:
            return
        try:
            with self._writing:
                if self._endpoint is None:
                    raise ConnectionError("the line is broken")
                self._endpoint.write(data)
        except OSError:
            self.failed_writes += 1
        except Exception as error:  # this is the thread that decides: no line may stop it
            self.failed_writes += 1
            self._failed("write", error)

    def close(self) -> None:
        """End the thread, which closes the line; one that is still opening it is left behind, and closes it then."""
        self._closing.set()
        self._thread.join(_END_TIMEOUT_S)
        if self._thread.is_alive():
            _LOG.error("the vehicle link %s does not end within %g s and is left behind", self.uri, _END_TIMEOUT_S)

    def _run(self) -> None:
        pause_s = self._first_pause_s
        while not self._closing.is_set():
            endpoint = self._endpoint
            if endpoint is None:
                self._closing.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                self._reopen()
            elif self._pump(endpoint):
                pause_s = self._first_pause_s
        self._let_go()

    def _pump(self, endpoint: Endpoint) -> bool:
        """Move one chunk; True if one came."""
        try:
            data = endpoint.read()
        except OSError as error:
            self._broke(_why(error))
            return False
        except Exception as error:  # the thread's edge: counted, and the line is opened anew
            self._failed("read", error)
            self._broke(_why(error))
            return False
        if not data:
            return False
        t_ns = self._clock.now_ns()
        with self._lock:
            if len(self._queue) >= _QUEUE_CHUNKS:
                self._queue.popleft()
                self.dropped_chunks += 1
            self._queue.append((data, t_ns))
            self._arrived.set()
        return True

    def _broke(self, why: str) -> None:
        self.breaks += 1
        _LOG.warning("the vehicle link %s broke, and is opened again until it answers: %s", self.uri, why)
        self._let_go()

    def _let_go(self) -> None:
        """Close the line once nobody writes to it: its descriptor may be another file's the instant it is closed."""
        with self._writing:
            endpoint, self._endpoint = self._endpoint, None
        try:
            if endpoint is not None:
                endpoint.close()
        except OSError as error:
            _LOG.debug("the vehicle link %s: closing: %s", self.uri, _why(error))
        except Exception as error:  # the thread's edge
            self._failed("close", error)

    def _reopen(self) -> None:
        if self._closing.is_set():
            return
        try:
            self._endpoint = self._opener()
        except (OSError, VehicleError) as error:
            _LOG.debug("the vehicle link %s is still closed: %s", self.uri, error)
        except Exception as error:  # the thread's edge: the next try may go well
            self._failed("open", error)
        else:
            _LOG.warning("the vehicle link %s is open again", self.uri)

    def _failed(self, what: str, error: Exception) -> None:
        self.failures += 1
        known = logging.DEBUG if self.failures > 1 else logging.ERROR  # a write that fails does so 20 times a second
        _LOG.log(known, "the vehicle link %s failed to %s: %s", self.uri, what, error, exc_info=error)


def opener_of(uri: str, baud: int = 921600) -> Callable[[], Endpoint]:
    """What opens ``uri``; VehicleError when it is no address of ours."""
    scheme, _, rest = uri.partition(":")
    if scheme == "serial" and rest:
        device, _, rate = rest.rpartition(":")
        rate_baud = _whole_number(rate)
        return lambda: SerialPort(rest, baud) if rate_baud is None else SerialPort(device, rate_baud)
    host, _, port_text = rest.rpartition(":")
    port = _whole_number(port_text)
    kinds: dict[str, Callable[[str, int], Endpoint]] = {
        "udpin": UdpServer,
        "udp": UdpServer,  # as MAVProxy and pymavlink read it
        "udpout": UdpClient,
        "tcp": TcpClient,
    }
    if scheme not in kinds or not host or port is None or port > 65535:
        raise VehicleError(
            f'"{uri}" is no vehicle link: write udpin:HOST:PORT, udpout:HOST:PORT, tcp:HOST:PORT or serial:DEVICE:BAUD'
        )
    kind = kinds[scheme]
    return lambda: kind(host, port)


def _whole_number(text: str) -> int | None:
    """Up to 18 decimal digits: `str.isdigit` alone is true of "²" and of any length, which `int` refuses."""
    return int(text) if text.isdecimal() and len(text) <= 18 else None


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
