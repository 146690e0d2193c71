"""`homing run`: the daemon on the drone, from a configuration file to a clean end."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.camera.reader import CameraReader
from runtime.camera.source import Camera, open_camera
from runtime.camera.uri import is_live
from runtime.cli.output import warn
from runtime.cli.status_page import status_page
from runtime.clock import MonotonicClock
from runtime.computer import Computer
from runtime.config.config import Config, load_config
from runtime.control.control import ControlServer
from runtime.daemon.assembly import assemble
from runtime.daemon.run import Inbox, Loop, Patience
from runtime.daemon.workers import ThreadWorkers
from runtime.events import VEHICLE_LINK, JobDone, JobKind
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.space import Space
from runtime.machine import give_freed_memory_back, give_large_blocks_back
from runtime.replay.started import started
from runtime.service import ServiceManager
from runtime.vehicle.link.opened import Links

_LOG = logging.getLogger(__name__)
_HOLD_S = 0.001  # a thread may keep the others from Python for so long; by default 5 ms, each time one of them wants it


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
        _fly(settings, dry_run, stop, devices, records)


def _fly(
    config: Config, dry_run: bool, stop: threading.Event, devices: ExitStack, records: ExitStack
) -> None:
    """Opens everything, in the order in which it is quick to say what is wrong, and runs until ``stop``."""
    clock = MonotonicClock()
    inbox = Inbox(clock)
    control = ControlServer(config.control.socket, inbox.control)
    devices.callback(control.close)
    vehicle, trust = config.vehicle, config.link
    # Before what takes a second to load: the autopilot's heartbeat is waited for meanwhile.
    links = Links(vehicle.uri, clock, vehicle.baud, trust.signing_key, trust.signing_stamp)
    devices.callback(links.close)
    computer = Computer(config.log.directory)
    devices.callback(computer.close)
    page = status_page(config, clock, computer.load)
    devices.callback(page.close)
    space = Space(config.log.directory, config.log.quota_gb * 1e9, config.log.free_gb * 1e9)
    log = FlightLog.open(config.log.directory, clock, frames=config.log.frames, space=space)
    records.callback(log.close)
    workers, flight = ThreadWorkers(_told(inbox), clock.now_ns), log.mcap_path.stem
    computer.start()  # once its folder is there
    assembly = assemble(
        config,
        workers,
        dry_run=dry_run,
        journal=page.watched(log),
        stopwatch=clock.now_ns,
        flight=flight,
        computer=computer.load,
    )
    log.start(started(config, assembly, flight=flight, dry_run=dry_run), clock.now_ns())
    records.callback(assembly.close)
    records.callback(workers.close)  # before the history that they use
    page.serve(assembly, log.mcap_path, dry_run, inbox.control)
    records.callback(page.close)  # before the history that it shows
    camera = _camera(config.camera.uri, clock)
    devices.callback(camera.close)
    patience = Patience(vehicle.answer_within_s, " or ".join(vehicle.uri))
    for posting in (inbox, camera):
        posting.wakes(links.by_name[VEHICLE_LINK].wake)
    sys.setswitchinterval(_HOLD_S)
    gc.collect()
    give_freed_memory_back()
    gc.freeze()  # what is loaded stays: to look through all of it costs the deciding thread 30 to 50 ms at a time
    _say_running(config, log.mcap_path, dry_run, page.address)
    loop = Loop(
        assembly.daemon, camera, links.by_name, inbox, clock, patience,
        lambda: {**control.counts(), **page.counts()}, ServiceManager.from_environment(), page.show,
    )  # fmt: skip
    loop.run(stop)
    warn("stopped; everything recorded is kept.")


def _told(inbox: Inbox) -> Callable[[JobDone], None]:
    """Puts a job's ending into the inbox; a search for a place then gives back what it took, in its worker's thread."""

    def done(ended: JobDone) -> None:
        inbox.job_done(ended)
        if ended.kind is JobKind.LOCATE:
            give_freed_memory_back()

    return done


def _say_running(config: Config, log: Path, dry_run: bool, page: str | None) -> None:
    said = [f"running; log {log}", f"control socket {config.control.socket}"]
    if page is not None:
        said.append(f"status page {page}")
        token = config.page_token_file()
        said.extend([] if token is None else [f"its token {token}"])
    warn(", ".join([*said, *(["dry run"] if dry_run else [])]))


def _camera(uri: str, clock: MonotonicClock) -> CameraReader:
    def opened() -> Camera:
        return open_camera(uri, clock.now_ns)

    return CameraReader(opened(), reopen=opened if is_live(uri) else None)


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
