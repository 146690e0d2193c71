"""What a service manager is told of the daemon: ready, still alive, what it does, and that it ends.

systemd's protocol is one datagram a message (sd_notify(3)) to the socket that NOTIFY_SOCKET names. Without that
variable, on a desk, nothing is said.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

_PINGS_PER_LIMIT = 4  # sd_watchdog_enabled(3) asks for two; one that is late must not be the last


class ServiceManager:
    """Tells the manager, at most as often as it wants to hear it. Used by the one thread that decides.

    Its watchdog is fed where the MAVLink heartbeat is: at the end of a tick that went through. A daemon whose deciding
    thread hangs falls silent on both, and is started again.
    """

    def __init__(self, address: str = "", limit_s: float | None = None) -> None:
        """``address``: of NOTIFY_SOCKET, '@' first for an abstract one; empty: nobody listens. ``limit_s``: after so
        much silence the service is killed."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._interval_ns = None if limit_s is None else round(limit_s / _PINGS_PER_LIMIT * 1e9)
        self._pinged_ns: int | None = None
        self._ready = False
        self._status = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ServiceManager:
        """As NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID say; a limit set for another process is not ours."""
        limit_us, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(os.getpid()))
        ours = limit_us.isdigit() and int(limit_us) > 0 and owner == str(os.getpid())
        return cls(environment.get("NOTIFY_SOCKET", ""), int(limit_us) / 1e6 if ours else None)

    def progressed(self, t_ns: int, *, ready: bool, status: str) -> None:
        """A tick went through. ``ready``: the autopilot has answered; said once. ``status``: one line for people, said
        when it changes."""
        news = []
        if ready and not self._ready:
            news.append("READY=1")
        if status != self._status:
            news.append(f"STATUS={status}")
        if self._is_due(t_ns):
            news.append("WATCHDOG=1")
        if not self._tell(news):
            return  # said with the next tick
        self._ready, self._status = self._ready or ready, status
        if "WATCHDOG=1" in news:
            self._pinged_ns = t_ns

    def stopping(self) -> None:
        """The end has begun; what is recorded is being closed."""
        self._tell(["STOPPING=1"])

    def _is_due(self, t_ns: int) -> bool:
        if self._interval_ns is None:
            return False
        return self._pinged_ns is None or t_ns - self._pinged_ns >= self._interval_ns

    def _tell(self, words: list[str]) -> bool:
        """Whether it has gone out: a manager that is slow, or not there, must not hold up a flight."""
        if not self._address or not words:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as line:
                line.sendto("\n".join(words).encode(), self._address)
        except OSError:
            return False
        return True
