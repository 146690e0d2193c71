"""What `homing run` does once the vehicle is listened to: it loads all else, and flies.

A module of its own, because what it imports takes most of a second.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2

from runtime.camera.reader import CameraReader
from runtime.camera.source import Camera, open_camera
from runtime.camera.uri import is_live
from runtime.cli.output import warn
from runtime.cli.status_page import status_page
from runtime.clock import MonotonicClock
from runtime.computer import Computer
from runtime.config.config import Config
from runtime.control.control import ControlServer
from runtime.daemon.assembly import assemble
from runtime.daemon.inbox import Inbox
from runtime.daemon.listening import Listening
from runtime.daemon.run import Loop, Patience
from runtime.daemon.workers import ThreadWorkers
from runtime.events import VEHICLE_LINK, JobDone, JobKind
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.space import Space
from runtime.machine import give_freed_memory_back, usable_cores
from runtime.replay.started import started
from runtime.service import ServiceManager
from runtime.vehicle.link.opened import Links

_HOLD_S = 0.001  # a thread may keep the others from Python for so long; by default 5 ms, each time one of them wants it


@dataclass(frozen=True, slots=True)
class Opened:
    """What is open before all else: the operator's requests wait in ``inbox``, and ``listening`` asks the vehicle for
    its streams."""

    clock: MonotonicClock
    inbox: Inbox
    control: ControlServer
    links: Links
    listening: Listening


def fly(
    config: Config, dry_run: bool, stop: threading.Event, opened: Opened, devices: ExitStack, records: ExitStack
) -> None:
    """Opens everything else, in the order in which it is quick to say what is wrong, and runs until ``stop``."""
    clock, inbox, control, links = opened.clock, opened.inbox, opened.control, opened.links
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
    patience = Patience(config.vehicle.answer_within_s, " or ".join(config.vehicle.uri))
    for posting in (inbox, camera):
        posting.wakes(links.by_name[VEHICLE_LINK].wake)
    sys.setswitchinterval(_HOLD_S)
    cv2.setNumThreads(max(1, usable_cores() - 1))  # on two cores odometry and the fixes have one each
    gc.collect()
    give_freed_memory_back()
    gc.freeze()  # what is loaded stays: to look through all of it costs the deciding thread 30 to 50 ms at a time
    _say_running(config, log.mcap_path, dry_run, page.address)
    loop = Loop(
        assembly.daemon, camera, links.by_name, inbox, clock, patience,
        lambda: {**control.counts(), **page.counts()}, ServiceManager.from_environment(), page.show,
        opened.listening.end(),
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
