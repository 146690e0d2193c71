"""`homing run`: the daemon on the drone, from a configuration file to a clean end."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.clock import MonotonicClock
from runtime.config.config import Config, load_config
from runtime.control.control import ControlServer
from runtime.daemon.inbox import Inbox
from runtime.daemon.listening import Listening
from runtime.machine import give_large_blocks_back
from runtime.vehicle.link.opened import Links

_LOG = logging.getLogger(__name__)


def run(
    config: Annotated[Path, typer.Option("--config", help="The configuration, a TOML file.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="All as in flight, but no setpoint is sent: each is only logged.")
    ] = False,
) -> None:
    """Fly: record, know where we are, and go where the operator points once the pilot grants it."""
    settings = load_config(config)
    give_large_blocks_back()
    # What was recorded is closed first: a driver that does not let go must not cost the flight its log.
    with stopped_by_signals() as stop, ExitStack() as devices, ExitStack() as records:
        _run(settings, dry_run, stop, devices, records)


def _run(
    config: Config, dry_run: bool, stop: threading.Event, devices: ExitStack, records: ExitStack
) -> None:
    """Has the vehicle asked for its streams, and loads all else meanwhile."""
    clock = MonotonicClock()
    inbox = Inbox(clock)
    control = ControlServer(config.control.socket, inbox.control)  # first: of two daemons one must leave the link alone
    devices.callback(control.close)
    vehicle, trust = config.vehicle, config.link
    links = Links(vehicle.uri, clock, vehicle.baud, trust.signing_key, trust.signing_stamp)
    devices.callback(links.close)
    listening = Listening(links.by_name, config.vehicle_room(), clock)
    devices.callback(listening.end)
    from runtime.cli.fly import Opened, fly  # most of a second, in which the vehicle answers

    fly(config, dry_run, stop, Opened(clock, inbox, control, links, listening), devices, records)


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of breaking off in the middle of a step."""
    stop = threading.Event()

    def on_signal(number: int, frame: Any) -> None:
        _LOG.info("%s", signal.Signals(number).name)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
