"""Two hours of flight in real time: what `homing run`, as a process of its own, takes of the computer meanwhile.

    python -m tests.bench.soak [--hours H] [--warm-up-hours W] [--fps F] [--samples FILE] [--out FOLDER]

The built-in autopilot over TCP, its camera as motion JPEG over HTTP, a pilot's ground station over UDP, an operator on
the control socket and a viewer of the status page: each as in flight. The daemon has its log on the disk, records, and
searches a history of a thousand keyframes. Again and again the pilot flies laps of 50 m; then the operator gives a
target (every third time a picture that has to be found), confirms and engages, the pilot switches to GUIDED, Homing
flies there, and the pilot takes the aircraft back. Only the battery has no like: it holds for as long as it takes.

Prints a line a minute (the same as JSON into --samples), and at the end the growth from the ten minutes after the
warm-up to the last ten: of the medians, because what is asked of it comes and goes. Ends with status 1 where resident
memory grew by more than a hundredth, where a thread or a file handle was left, or where the log lost a record or frame.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import tomlkit

from runtime.control.client import ask
from runtime.errors import ControlError
from runtime.geodesy import offset
from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.autopilot.server import AutopilotServer
from sim.camera import SimulatedCamera, default_camera
from sim.render import Renderer
from sim.satellite import write_geotiff
from sim.scenario.setup import GROUND_AMSL_M, camera_section, commanding_section
from sim.serve import SATELLITE_GSD_M, LiveCamera
from sim.stream import FrameStream
from sim.world.world import World
from tests.bench.daemon import prepare, when
from tests.bench.page import viewer
from tests.bench.startup import target_picture
from tests.sim.served import GUIDED, LOITER, Pilot, free_port, process

SEED = 100_021
_HEIGHT_M, _SIDE_M, _LEG_S, _LAPS = 100.0, 50.0, 12.0, 2
_CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))
_KEYFRAMES = 1000
_FIX_INTERVAL_S = 3.0  # a fix is most of what the daemon computes, and a soak shares its computer with other work
_BATTERY_MAH = 400_000.0
_SAMPLE_S, _WINDOW = 60.0, 10  # samples of one median
_READY_S, _ENGAGED_S, _LOCATE_S = 60.0, 90.0, 120.0
_PICTURE_EVERY = 3  # targets
_TOLERATED = 0.01


@dataclass(frozen=True, slots=True)
class Sample:
    """One minute's: what the daemon holds, and what it has done until then."""

    flown_h: float
    resident_mb: float
    own_mb: float
    threads: int
    handles: int
    cpu_s: float
    keyframes: int
    fixes: int
    frames: int
    lost: int  # records and frames of the log
    log_mb: float
    engaged: int
    located: int
    load: float


@dataclass
class Tally:
    """What pilot and operator have had done."""

    engaged: int = 0
    located: int = 0
    refused: str = ""


@contextmanager
def drone(folder: Path, fps: float) -> Iterator[tuple[Path, Pilot]]:
    """A flying drone with a battery without an end, in this process: the daemon's configuration, and the pilot."""
    world = World.generate(SEED)
    autopilot = Autopilot(
        AutopilotConfig(
            home=world.origin, home_altitude_amsl_m=GROUND_AMSL_M, seed=SEED, gust_m_s=0.7, ready_at_boot=True,
            wind_ned_m_s=(3.0, 2.0, 0.0), battery_capacity_mah=_BATTERY_MAH,
        )  # fmt: skip
    )
    autopilot.start_in_flight((0.0, 0.0, -_HEIGHT_M), "LOITER")
    station = free_port(socket.SOCK_DGRAM)
    write_geotiff(world, folder / "satellite.tif", SATELLITE_GSD_M)
    with ExitStack() as stack:
        stream = FrameStream()
        stack.callback(stream.close)
        endpoints = ("tcpin:127.0.0.1:0", f"udpout:127.0.0.1:{station}")
        server = stack.enter_context(AutopilotServer(autopilot, endpoints))
        camera = SimulatedCamera(Renderer(world.scene("flight")), default_camera(), SEED)
        live, stop = LiveCamera(camera, server, stream, (0.0, 0.0)), threading.Event()
        live.period_s = 1.0 / fps
        thread = threading.Thread(target=live.run, args=(stop,), name="camera")
        thread.start()
        stack.callback(thread.join)
        stack.callback(stop.set)
        pilot = Pilot(station)
        stack.callback(pilot.close)
        host, port = server.addresses[0]
        yield _configuration(folder, world, stream.url, f"tcp:{host}:{port}"), pilot


def _configuration(folder: Path, world: World, camera: str, vehicle: str) -> Path:
    sections = {
        "camera": {"uri": camera, **camera_section(default_camera())},
        "vehicle": {"uri": vehicle},
        "history": {"path": "history.db"},
        "record": {"enabled": True},
        "fix": {"interval_s": _FIX_INTERVAL_S},
        "commanding": commanding_section(world),
        "control": {"socket": "control.sock"},
        "log": {"directory": "logs"},
        "page": {"enabled": True, "port": free_port(socket.SOCK_STREAM), "control": True},
    }
    path = folder / "homing.toml"
    path.write_text(tomlkit.dumps(sections), encoding="utf-8")
    return path


class Flown:
    """Pilot and operator, over and over, until told to stop."""

    def __init__(self, config: Path, pilot: Pilot, stop: threading.Event) -> None:
        self._control, self._pilot, self._stop = config.with_name("control.sock"), pilot, stop
        self._home, self._picture = pilot.position(), target_picture(config.parent)
        self.tally = Tally()

    def run(self) -> None:
        """One round after the other; what is refused is kept to be shown, and the next round goes on."""
        rounds = 0
        while not self._stop.is_set():
            self._laps()
            try:
                self._to_a_target(rounds)
            except (ControlError, TimeoutError) as error:
                self.tally.refused = str(error)
            rounds += 1

    def _laps(self) -> None:
        self._pilot.switch(GUIDED)
        for leg in range(4 * _LAPS):
            north, east = _CORNERS[(leg + 1) % 4]
            self._pilot.go_to(offset(self._home, north * _SIDE_M, east * _SIDE_M), _HEIGHT_M)
            if self._stop.wait(_LEG_S):
                return

    def _to_a_target(self, rounds: int) -> None:
        self._pilot.switch(LOITER)
        if rounds % _PICTURE_EVERY == 0:
            request = {"command": "target", "image": str(self._picture), "target_gsd_m": SATELLITE_GSD_M}
            ask(self._control, request, timeout_s=_LOCATE_S)
            self.tally.located += 1
        place = offset(self._home, _SIDE_M * (rounds % 2), _SIDE_M)
        where: dict[str, object] = {"latitude_deg": place.latitude_deg, "longitude_deg": place.longitude_deg}
        ask(self._control, {"command": "target", **where})
        ask(self._control, {"command": "confirm"})
        ask(self._control, {"command": "engage"})
        self._until("ready", _READY_S)
        self._pilot.switch(GUIDED)
        self._until("engaged", _READY_S)
        self.tally.engaged += 1
        self._stop.wait(_ENGAGED_S / 3)
        self._pilot.switch(LOITER)
        ask(self._control, {"command": "disengage"})

    def _until(self, state: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._stop.wait(0.5):
            status = ask(self._control, {"command": "status"})
            if status["state"] == state:
                return
        if not self._stop.is_set():
            raise TimeoutError(f"not {state} within {seconds:g} s: {status['state']}, {status['reasons']}")


def sample(child: psutil.Process, control: Path, flown_h: float, tally: Tally) -> Sample:
    """Of the daemon, now."""
    memory, status = child.memory_full_info(), ask(control, {"command": "status"}, timeout_s=30.0)
    counts, log = status["counts"], status["log"]
    written = sum(path.stat().st_size for path in control.with_name("logs").iterdir())
    return Sample(
        flown_h, memory.rss / 2**20, memory.uss / 2**20, child.num_threads(), child.num_fds(),
        sum(child.cpu_times()[:2]), counts.get("keyframes", 0), counts.get("fix", 0), counts.get("frames", 0),
        log["lost_records"] + log["lost_frames"], written / 2**20, tally.engaged, tally.located, os.getloadavg()[0],
    )  # fmt: skip


def judged(samples: Sequence[Sample], warm_up_h: float) -> tuple[str, bool]:
    """The last line, and whether the daemon passed: medians of ten minutes, after the warm-up and at the end."""
    warm = [one for one in samples if one.flown_h >= warm_up_h] or list(samples)
    first, last = warm[:_WINDOW], warm[-_WINDOW:]
    names = ("resident_mb", "own_mb", "threads", "handles")
    before, after = ({name: median(getattr(one, name) for one in some) for name in names} for some in (first, last))
    share, lost = after["resident_mb"] / before["resident_mb"] - 1, samples[-1].lost
    left = {name: after[name] - before[name] for name in ("threads", "handles")}
    line = (
        f"{samples[-1].flown_h:.2f} h, {warm_up_h:g} h of it to warm up: resident {before['resident_mb']:.1f} to "
        f"{after['resident_mb']:.1f} MB ({share:+.2%}), at most {max(one.resident_mb for one in samples):.1f}; "
        f"own {before['own_mb']:.1f} to {after['own_mb']:.1f} MB; threads {left['threads']:+g}, handles "
        f"{left['handles']:+g}; {lost} records or frames lost; {samples[-1].engaged} flights to a target"
    )
    return line, share <= _TOLERATED and max(left.values()) <= 0 and lost == 0


def soak(config: Path, pilot: Pilot, options: argparse.Namespace) -> int:
    """Flies, and prints a line a minute; 1 where something grew or was lost."""
    control, stop, samples = config.with_name("control.sock"), threading.Event(), list[Sample]()
    with process("runtime.cli.main", "run", "--config", str(config), log=config.with_name("run.log")) as daemon:
        when(lambda: ask(control, {"command": "status"})["vehicle"]["connected"], 180)
        child, begun_s = psutil.Process(daemon.pid), time.monotonic()
        flown = Flown(config, pilot, stop)
        thread = threading.Thread(target=flown.run, name="pilot")
        with ExitStack() as stack:
            stack.callback(thread.join)
            stack.callback(stop.set)
            thread.start()
            while (now_s := time.monotonic() - begun_s) < options.hours * 3600:
                port = tomlkit.parse(config.read_text())["page"]["port"]
                with viewer(f"http://127.0.0.1:{port}/"):  # one a minute: a page that is lost and comes back
                    time.sleep(_SAMPLE_S - now_s % _SAMPLE_S)
                    samples.append(sample(child, control, (time.monotonic() - begun_s) / 3600, flown.tally))
                _say(samples[-1], flown.tally, options.samples)
    line, passed = judged(samples, options.warm_up_hours)
    print(line, flush=True)
    return int(not passed)


def _say(one: Sample, tally: Tally, samples: Path | None) -> None:
    said: dict[str, Any] = {name: round(value, 4) for name, value in asdict(one).items()}
    print(" ".join(f"{name} {value:g}" for name, value in said.items()) + f" {tally.refused}", flush=True)
    if samples is not None:
        with samples.open("a") as out:
            out.write(json.dumps(said) + "\n")


def main(words: Sequence[str] | None = None) -> int:
    """Print the lines; 1 where something grew or was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--warm-up-hours", type=float, default=0.5)
    parser.add_argument("--fps", type=float, default=2.0)
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--out", type=Path, help="a folder for log and history; a temporary one by default")
    options = parser.parse_args(words)
    with ExitStack() as stack:
        folder = options.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        config, pilot = stack.enter_context(drone(folder, options.fps))
        start: GeoPoint = pilot.position()
        prepare(config.with_name("history.db"), start, _KEYFRAMES, (_SIDE_M, _SIDE_M))
        return soak(config, pilot, options)


if __name__ == "__main__":
    sys.exit(main())
